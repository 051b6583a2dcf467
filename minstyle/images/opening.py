"""A picture file is opened by Pillow: what is no single picture is refused in one line, whatever a decoder says."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from typing import IO

from PIL import Image, UnidentifiedImageError

from ..errors import ImageError
from .room import MAX_PIXELS

# Files of these formats may hold more pictures beside the one that is meant: previews, the other eye, layers, a burst.
_ONE_IS_MEANT = {"MPO", "PSD", "HEIF"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL ")


@contextlib.contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Every failure of a decoder inside is one ImageError that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on damage beside the picture, and on pictures that are large
            yield
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: larger than {MAX_PIXELS:,} pixels; make it smaller") from error
    except (MemoryError, ImageError):
        raise
    except Exception as error:  # a broken file makes decoders raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: the picture cannot be read ({reason})") from error


@contextlib.contextmanager
def opened(stream: IO[bytes], name: str) -> Iterator[Image.Image]:
    """The single picture of a file, opened by Pillow, not yet decoded."""
    stream.seek(0)
    start = stream.read(12)
    stream.seek(0)
    if _is_heif(start):
        _register_heif()
    try:
        picture = Image.open(stream)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: {_unknown(start)}") from error
    with picture:
        frames = getattr(picture, "n_frames", 1)
        if frames > 1 and picture.format not in _ONE_IS_MEANT:
            raise ImageError(f"{name}: it holds {frames} frames of an animation, expected one picture; "
                             "save the one you want as a PNG")  # fmt: skip
        yield picture


def _is_heif(start: bytes) -> bool:
    """Whether the file says, in its first bytes, that it is HEIC or its like."""
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def _register_heif() -> None:
    with contextlib.suppress(ImportError):  # Pillow does not know the file then, and the message says what to install
        importlib.import_module("pillow_heif").register_heif_opener()


def _unknown(start: bytes) -> str:
    if _is_heif(start):
        return "a broken HEIC file, or one library is missing: pip install 'minstyle[heic]'"
    if start.startswith(_JPEG_XL):
        return "a JPEG XL file, which is not read; save it as a PNG or JPEG"
    return "not a picture of a known format"
