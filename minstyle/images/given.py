"""What people have in place of a file: Pillow's images, arrays, bytes; each becomes a ``Picture``."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from ..backend import is_cupy, to_host
from ..errors import ImageError, require
from .arrays import check_levels, lay_over
from .reading import Picture, load_mask, load_picture
from .source import Source

PillowImage = Image.Image
Given = Source | Picture | np.ndarray | PillowImage

# Pillow's modes, by the format that loses nothing of them; the meaning of any other is one that RGB can have.
_BY_PNG = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")
_BY_TIFF = ("CMYK", "LAB", "F")


def picture_of(name: str, given: Given) -> Picture:
    """The picture that was given; ``name`` is what messages call it.

    A path, a file's bytes, a file object; an image of Pillow's, turned and converted as its file would be; an array (H,
    W, 3), RGB, of uint8, of uint16 (white is 65535), or of floats from 0 to 255. Raises ImageError, with what to do,
    for anything else.
    """
    if isinstance(given, Picture):
        return given
    if isinstance(given, Image.Image):
        return load_picture(_file_of(given))
    if isinstance(given, np.ndarray) or is_cupy(given):
        return _of_array(name, to_host(given))
    if isinstance(given, str | Path | bytes | bytearray | memoryview) or hasattr(given, "read"):
        return load_picture(given)
    advice = "; of a tensor: x.permute(1, 2, 0).cpu().numpy()" if hasattr(given, "numpy") else ""
    raise ImageError(f"{name}: expected a path, a Pillow image, an array (H, W, 3), a Picture or bytes, got "
                     f"{type(given).__name__}{advice}")  # fmt: skip


def mask_of(name: str, given: Given) -> np.ndarray:
    """The mask (H, W, 3) that was given, as ``picture_of``; an array may also be (H, W), of labels or of bools."""
    if isinstance(given, str | Path | bytes):
        return load_mask(given)
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = np.stack([given.astype(np.uint8) if given.dtype == bool else given] * 3, axis=2)
    picture = picture_of(name, given)
    return lay_over(picture.image, picture.opacity)


def _file_of(image: Image.Image) -> bytes:
    """A file of the image, nothing lost: orientation, profile and transparency are then read as those of any file."""
    file, kept = BytesIO(), {key: image.info[key] for key in ("icc_profile", "exif") if image.info.get(key)}
    if image.mode in _BY_TIFF:
        image.save(file, format="TIFF", **kept)
    else:
        plain = image if image.mode in _BY_PNG else image.convert("RGBA" if image.mode.endswith(("A", "a")) else "RGB")
        plain.save(file, format="PNG", compress_level=1, **kept)
    return file.getvalue()


def _of_array(name: str, array: np.ndarray) -> Picture:
    good = array.ndim == 3 and array.shape[2] == 3 and array.size > 0
    require(good, name, "an array (H, W, 3)", f"{array.shape}{_shape_advice(array)}", ImageError)
    if array.dtype == np.uint16:
        return Picture(array.astype(np.float32) / 257, depth=16)
    if array.dtype == np.uint8:
        return Picture(array.astype(np.float32))
    advice = {"b": "multiply by 255", "i": "x.astype(np.uint8)", "u": "x.astype(np.uint8)"}.get(array.dtype.kind, "")
    expected = "uint8, uint16, or floats from 0 to 255"
    require(array.dtype.kind == "f", name, expected, f"{array.dtype}{advice and '; ' + advice}", ImageError)
    check_levels(name, array)
    return Picture(array)


def _shape_advice(array: np.ndarray) -> str:
    ways = (
        (array.ndim == 2, "np.stack([x] * 3, axis=2) makes grey an image"),
        (array.shape[2:] == (4,), "x[:, :, :3], or PIL.Image.fromarray(x), whose transparency counts"),
        (array.ndim == 3 and array.shape[0] == 3, "x.transpose(1, 2, 0)"),
        (array.ndim == 4 and array.shape[0] == 1, "x[0]"),
    )
    return next((f"; {advice}" for applies, advice in ways if applies), "")
