"""Files to images and back: float32 arrays (H, W, 3), RGB, 0..255. Only ``sheets`` imports Pillow too, for letters."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import ImageError, require
from .files import check_writable, replacing

# Format and settings by extension. JPEG keeps full colour resolution (4:4:4): brush strokes are colour edges.
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95, "method": 4}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
}

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def load_image(path: str | Path) -> np.ndarray:
    """The picture in a file as an image (H, W, 3), turned as its EXIF orientation says, transparency laid over white.

    Raises ImageError, with the reason, for a file that is missing or no whole picture.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise ImageError(f"{path} not found: expected a picture file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on damage beside the picture
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                upright = ImageOps.exif_transpose(picture)
                return np.asarray(_to_rgb(upright), dtype=np.float32)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path}: larger than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: not a picture of a known format") from error
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes decoders raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path}: the picture cannot be read ({reason})") from error


def save_image(image: np.ndarray, path: str | Path) -> None:
    """Write an image (H, W, 3), clipped to 0..255 and rounded, in the format of the extension; whole or not at all.

    Raises ImageError for an unknown extension or an array that is no image, FileError where the folder or disk refuses.
    """
    path = Path(path)
    good = image.ndim == 3 and image.shape[2] == 3 and image.size > 0
    require(good, f"{path}", "an image (H, W, 3)", image.shape, ImageError)
    require(bool(np.isfinite(image).all()), f"{path}", "finite pixels", "NaN or infinite ones", ImageError)
    name, settings = writer_for(path)
    picture = Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    with replacing(path) as temporary:
        try:
            picture.save(temporary, format=name, **settings)
        except (ValueError, SystemError) as error:
            raise ImageError(f"{path}: {name} cannot hold this picture ({error})") from error


def writer_for(path: Path) -> tuple[str, dict[str, Any]]:
    """Pillow's format and settings for a file name; raises ImageError with the list of known extensions."""
    if path.suffix.lower() not in WRITERS:
        raise ImageError(f"{path}: unknown extension {path.suffix!r}: known are {', '.join(WRITERS)}")
    return WRITERS[path.suffix.lower()]


def check_image_path(path: str | Path) -> None:
    """Raise ImageError or FileError now if ``save_image`` could not write there later."""
    writer_for(Path(path))
    check_writable(path)


def resize(image: np.ndarray, height: int, width: int, resample: str = "lanczos") -> np.ndarray:
    """The image at another size, float32; at its own size the image itself.

    Lanczos and bicubic overshoot at hard edges: what leaves 0..255 is clipped.
    """
    if image.shape[:2] == (height, width):
        return image
    channels = [
        Image.fromarray(np.ascontiguousarray(image[:, :, c], dtype=np.float32)).resize(
            (width, height), _FILTERS[resample]
        )
        for c in range(3)
    ]
    resized: np.ndarray = np.stack([np.asarray(channel) for channel in channels], axis=2)
    return resized.clip(0, 255)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):  # 16 bits or more: Pillow's own conversion would cut them off
        values = np.asarray(picture, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError("it has pixels that are no numbers")
        deep = picture.mode.startswith("I;16") or values.max(initial=0) > 255
        picture = Image.fromarray(np.rint(np.clip(values / (257 if deep else 1), 0, 255)).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
