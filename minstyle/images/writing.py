"""Images to files, in the format of the extension; whole or not at all."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, PngImagePlugin, features

from ..errors import ImageError, require
from ..files import check_writable, replacing
from .arrays import is_finite, lay_over
from .deep_png import write_deep_png
from .metadata import LABEL, exif_block, is_dpi, parse_exif
from .profiles import from_srgb, holds_8_bits
from .recipetext import KEY, MAX_RECIPE_LENGTH, ascii_text
from .samples import Shape
from .source import IN_MEMORY
from .tiff import write_tiff

# Format and settings by extension. JPEG keeps full colour resolution (4:4:4): brush strokes are colour edges.
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95, "method": 4}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".avif": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
}
_DEEP = {"PNG", "TIFF"}
_AT_ONCE = 1 << 18  # pixels that are floats on their way into the file
_LONGEST = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 32_768}  # pixels of a side that their libraries take
_SOFTWARE = "Software"


@dataclass(frozen=True)
class _Beside:
    """What goes into the file beside the pixels."""

    icc: bytes
    exif: bytes | None
    dpi: tuple[float, float] | None
    text: dict[str, str]

    def block(self) -> bytes | None:
        """All of it but the profile as EXIF data, for formats without places of their own."""
        comment = LABEL + self.text[KEY] if KEY in self.text else None
        return exif_block(self.exif, self.dpi, self.text.get(_SOFTWARE), comment)


def save_image(image: np.ndarray, path: str | Path | IO[bytes], *, extension: str = ".png") -> None:
    """Write an image (H, W, 3), clipped to 0..255 and rounded, in the format of the extension; whole or not at all.

    Into a file object it is written in the format of ``extension``.

    Raises ImageError for an unknown extension or an array that is no image, FileError where the folder or disk refuses.
    """
    save_picture(image, path, extension=extension)


def save_picture(
    image: np.ndarray,
    path: str | Path | IO[bytes],
    *,
    extension: str = ".png",
    opacity: np.ndarray | None = None,
    depth: int = 8,
    profile: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    quality: int = 95,
    text: dict[str, str] | None = None,
) -> None:
    """Write an image (H, W, 3), sRGB, 0..255, clipped and rounded, with what a ``Picture`` carries beside it.

    path     a file, in the format of its extension, or a file object, written in the format of ``extension``.
    opacity  (H, W), 0..1: kept by PNG, WebP, TIFF and AVIF; JPEG shows the image over white.
    depth    bits per channel, 8 or 16. 16 by PNG and TIFF, where fractions of a level are kept; others write 8.
    profile  an RGB ICC profile: the image is converted into it and it is embedded. Otherwise sRGB is embedded, and
             where the profile is nearly linear and 8 bits are written, which are too few for its dark colours.
    exif     EXIF data to keep; dpi, the resolution; quality 1..100 of JPEG, WebP and AVIF (PNG and TIFF lose nothing).
    text     {"minstyle": JSON, "Software": name}, either or both; ``read_text`` gives the first one back.

    Raises ImageError for an unknown extension or a value that is none of these, FileError where the folder or disk
    refuses.
    """
    place, extension = (f"{path}", Path(path).suffix) if isinstance(path, str | Path) else (IN_MEMORY, extension)
    name, settings = _writer(extension, place)
    _check(place, image, opacity, depth, dpi, quality)
    _check_sides(place, name, image.shape)
    beside_text = _checked_text(place, text or {})
    depth = depth if name in _DEEP else 8
    if depth == 8 and profile is not None and not holds_8_bits(profile):
        profile = None
    under, opacity = (opacity, None) if name == "JPEG" else (None, opacity)

    def stored(rows: slice) -> np.ndarray:
        """Some rows, as they are in the file's space."""
        values = np.clip(image[rows], 0, 255)
        if under is not None:
            values = lay_over(values, np.clip(under[rows], 0, 1))
        return from_srgb(values, profile)[0]

    _, icc = from_srgb(np.zeros((1, 1, 3), np.float32), profile)
    pixels = pixels_of(image, opacity, depth, stored)
    if "quality" in settings:
        settings = settings | {"quality": quality}
    _check_exif(place, exif)
    with _file_for(path, extension) as file:
        try:
            _write(file, name, settings, pixels, _Beside(icc, exif, dpi, beside_text))
        except (ValueError, SystemError) as error:
            raise ImageError(f"{place}: {name} cannot hold this picture ({error})") from error


@contextlib.contextmanager
def _file_for(path: str | Path | IO[bytes], extension: str) -> Iterator[Path]:
    """A new file whose content, once it is written, goes to ``path``: writers want names."""
    if isinstance(path, str | Path):
        with replacing(Path(path)) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"picture{extension}"
        yield file
        path.write(file.read_bytes())


def _check_exif(place: str, exif: bytes | None) -> None:
    try:
        parse_exif(exif)
    except Exception as error:  # bytes from anywhere
        raise ImageError(f"{place}: the EXIF data to keep cannot be read ({error})") from error


def writer_for(path: Path) -> tuple[str, dict[str, Any]]:
    """Pillow's format and settings for a file name; raises ImageError with the list of known extensions."""
    return _writer(path.suffix, f"{path}")


def _writer(extension: str, place: str) -> tuple[str, dict[str, Any]]:
    if extension.lower() not in WRITERS:
        if not extension:
            raise ImageError(f"{place}: add an extension, as in {place}.png; known are {', '.join(WRITERS)}")
        raise ImageError(f"{place}: unknown extension {extension!r}: known are {', '.join(WRITERS)}")
    name, settings = WRITERS[extension.lower()]
    if name == "AVIF" and not features.check("avif"):
        raise ImageError(f"{place}: the Pillow installed here does not write AVIF; choose .png or .webp")
    return name, settings


def check_image_path(path: str | Path, shape: Shape | None = None) -> None:
    """Raise ImageError or FileError now if ``save_image`` could not write there later, an image (height, width)."""
    if Path(path).is_dir():
        raise ImageError(f"{path} is a folder: name a picture in it")
    name, _ = writer_for(Path(path))
    if shape is not None:
        _check_sides(f"{path}", name, shape)
    check_writable(path)


def _check_sides(place: str, name: str, shape: tuple[int, ...]) -> None:
    most = _LONGEST.get(name, math.inf)
    expected = f"at most {most} pixels a side, which {name} can hold (.png and .tif hold more)"
    require(max(shape) <= most, place, expected, f"{shape[1]} x {shape[0]}", ImageError)


def _check(
    place: str,
    image: np.ndarray,
    opacity: np.ndarray | None,
    depth: int,
    dpi: tuple[float, float] | None,
    quality: int,
) -> None:
    good = image.ndim == 3 and image.shape[2] == 3 and image.size > 0
    require(good, place, "an image (H, W, 3)", image.shape, ImageError)
    good = image.dtype.kind in "fui"
    require(good, place, "levels of 0..255", f"{image.dtype}{'; multiply by 255' * (image.dtype == bool)}", ImageError)
    if image.dtype == np.uint16 and image.max() > 255:
        raise ImageError(f"{place}: expected levels of 0..255, got uint16, whose white is 65535; divide by 257")
    require(is_finite(image), place, "finite pixels", "NaN or infinite ones", ImageError)
    if opacity is not None:
        size = image.shape[:2]
        require(opacity.shape == size, place, f"an opacity {size}", opacity.shape, ImageError)
        require(is_finite(opacity), place, "finite opacity", "NaN or infinite values", ImageError)
    require(depth in (8, 16), place, "depth 8 or 16", depth, ImageError)
    require(dpi is None or is_dpi(dpi), place, "dots per inch from 1 to 65535", dpi, ImageError)
    require(isinstance(quality, int) and 1 <= quality <= 100, place, "quality 1 to 100", quality, ImageError)


def _checked_text(place: str, text: dict[str, str]) -> dict[str, str]:
    require(text.keys() <= {KEY, _SOFTWARE}, place, f"text of {KEY} and {_SOFTWARE}", sorted(text), ImageError)
    plain = {key: ascii_text(value) for key, value in text.items()}
    length = sum(map(len, plain.values()))
    require(length <= MAX_RECIPE_LENGTH, place, f"text of at most {MAX_RECIPE_LENGTH:,} characters",
            f"{length:,}", ImageError)  # fmt: skip
    return plain


def to_pil(image: np.ndarray, opacity: np.ndarray | None = None) -> Image.Image:
    """An image (H, W, 3), clipped to 0..255 and rounded, as Pillow's RGB, with opacity (H, W), 0..1, as its RGBA."""
    return Image.fromarray(pixels_of(image, opacity))


def pixels_of(
    image: np.ndarray,
    opacity: np.ndarray | None = None,
    depth: int = 8,
    stored: Callable[[slice], np.ndarray] | None = None,
) -> np.ndarray:
    """Pixels (H, W, 3), or (H, W, 4) with opacity (H, W), clipped to 0..1, as uint8 or uint16.

    ``stored`` gives, of some rows of the image, what is to be in the file, None: those rows. A block at a time: floats
    of a whole poster are gigabytes.
    """
    height, width = image.shape[:2]
    scale, kind = (257.0, np.uint16) if depth == 16 else (1.0, np.uint8)
    pixels = np.empty((height, width, 3 if opacity is None else 4), kind)
    step = max(1, _AT_ONCE // width)
    for rows in (slice(top, top + step) for top in range(0, height, step)):
        values = image[rows] if stored is None else stored(rows)
        if opacity is not None:
            values = np.concatenate([values, 255 * np.clip(opacity[rows, :, None], 0, 1)], axis=2)
        pixels[rows] = np.rint(np.clip(values, 0, 255).astype(np.float64) * scale)
    return pixels


def _write(path: Path, name: str, settings: dict[str, Any], pixels: np.ndarray, beside: _Beside) -> None:
    if name == "TIFF":
        description = LABEL + beside.text[KEY] if KEY in beside.text else None
        write_tiff(path, pixels, beside.icc, beside.exif, beside.dpi, beside.text.get(_SOFTWARE), description)
        return
    if name == "PNG" and pixels.dtype == np.uint16:
        write_deep_png(path, pixels, beside.icc, beside.exif, beside.dpi, beside.text)
        return
    more: dict[str, Any] = {"icc_profile": beside.icc}
    if name == "PNG":
        chunks = PngImagePlugin.PngInfo()
        for key, value in beside.text.items():
            chunks.add_text(key, value, zip=len(value) > 1000)
        more |= {"pnginfo": chunks, "exif": beside.exif}
    else:
        more["exif"] = beside.block()
    if name in ("PNG", "JPEG"):
        more["dpi"] = beside.dpi
    given = {key: value for key, value in more.items() if value is not None}
    Image.fromarray(pixels).save(path, format=name, **settings, **given)
