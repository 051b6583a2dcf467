"""A picture file is opened: what is no single whole picture is refused in one line, whatever a decoder says."""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from ..errors import ImageError

# Files of these formats may hold more pictures beside the one that is meant: previews, the other eye, layers, a burst.
_ONE_IS_MEANT = {"MPO", "PSD", "HEIF"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The single picture of a file, opened, not yet decoded; every failure inside is one ImageError that names it."""
    if not os.path.isfile(path):
        raise ImageError(f"{path} not found: expected a picture file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on damage beside the picture
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if _is_heif(path):
                _register_heif()
            with Image.open(path) as picture:
                _refuse_several(path, picture)
                yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path}: larger than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: {_unknown(path)}") from error
    except (MemoryError, ImageError):
        raise
    except Exception as error:  # a broken file makes decoders raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path}: the picture cannot be read ({reason})") from error


def _is_heif(path: Path) -> bool:
    """Whether the file says, in its first bytes, that it is HEIC or its like."""
    start = _first_bytes(path)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def _first_bytes(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(12)


def _register_heif() -> None:
    with contextlib.suppress(ImportError):  # Pillow does not know the file then, and the message says what to install
        importlib.import_module("pillow_heif").register_heif_opener()


def _unknown(path: Path) -> str:
    if _first_bytes(path)[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "a TIFF of a kind that is not read (broken, or colour in floats); save it with 8 or 16 bits per channel"
    if _is_heif(path):
        return "a broken HEIC file, or one library is missing: pip install 'minstyle[heic]'"
    return "not a picture of a known format"


def _refuse_several(path: Path, picture: Image.Image) -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format == "TIFF":
        frames = _pages(picture, frames)
    if frames > 1 and picture.format not in _ONE_IS_MEANT:
        kind = "pages" if picture.format == "TIFF" else "frames of an animation"
        raise ImageError(f"{path}: it holds {frames} {kind}, expected one picture; save the one you want as a PNG")


def _pages(picture: Any, frames: int) -> int:
    """The pages of a TIFF that are neither a smaller copy (bit 0 of NewSubfileType) nor a mask (bit 2)."""
    count = 0
    for number in range(frames):
        picture.seek(number)
        count += not picture.tag_v2.get(254, 0) & 5
    picture.seek(0)
    return count
