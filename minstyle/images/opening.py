"""A picture file is opened by Pillow: what is no single picture is refused in one line, whatever a decoder says."""

from __future__ import annotations

import contextlib
import importlib
import struct
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np
from PIL import Image, JpegImagePlugin

from ..errors import ImageError
from .room import MAX_PIXELS, check_pixels

# Pillow's readers that decode in this process, by themselves. The others stay shut: EPS is a program, which Pillow
# hands to Ghostscript; WMF, BUFR, GRIB and HDF5 go to whatever is registered for them; in IPTC lies a file of any
# format; FITS unpacks without end in some versions; MPEG is no picture. TIFF is tifffile's.
FORMATS = {
    "AVIF", "BLP", "BMP", "CUR", "DCX", "DDS", "DIB", "FLI", "FTEX", "GBR", "GIF", "HEIF", "ICNS", "ICO", "IM",
    "IMT", "JPEG", "JPEG2000", "MCIDAS", "MSP", "PCD", "PCX", "PIXAR", "PNG", "PPM", "PSD", "QOI", "SGI", "SPIDER",
    "SUN", "TGA", "WEBP", "XBM", "XPM", "XVTHUMB",
}  # fmt: skip
# Files of these formats may hold more pictures beside the one that is meant: previews, the other eye, layers, a burst.
_ONE_IS_MEANT = {"MPO", "PSD", "HEIF"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL ")


class _JpegOfBrokenExif(JpegImagePlugin.JpegImageFile):
    """A JPEG of which Pillow does not read EXIF data while it opens it: the resolution that it looks for is ours."""

    def _read_dpi_from_exif(self) -> None:
        pass


@contextlib.contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Every failure of a decoder inside is one ImageError that names the file.

    What a decoder remarks on damage beside the picture goes through ``warnings``, as the host program has set them:
    those filters are the whole process's, and changing them here, even for a moment, would change them for its other
    threads. The command line, whose process is its own, passes them over.
    """
    try:
        with np.errstate(all="ignore"):  # of this thread alone
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
    start = stream.read(16)
    if _is_heif(start):
        _register_heif()
    picture = _open(stream, start)
    if picture is None:
        raise ImageError(f"{name}: {_unknown(start)}")
    with picture:
        check_pixels(name, picture.height, picture.width)
        frames = 1 if picture.format in _ONE_IS_MEANT else getattr(picture, "n_frames", 1)
        if frames > 1:
            raise ImageError(f"{name}: it holds {frames} frames of an animation, expected one picture; "
                             "save the one you want as a PNG")  # fmt: skip
        yield picture


def _open(stream: IO[bytes], start: bytes) -> Any:
    """The picture as Pillow's first reader of ``FORMATS`` that knows it has it; None where none does.

    As ``Image.open`` does it, but without its warning of pictures above 89 million pixels, which are no bombs here.
    """
    tried: set[str] = set()
    for load in (Image.preinit, Image.init):  # first the few common readers: importing all takes time
        load()
        for kind in [kind for kind in Image.ID if kind in FORMATS and kind not in tried]:
            tried.add(kind)
            reader, accept = Image.OPEN[kind]
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):  # it is not of that format
                if accept is None or _knows(accept, start):
                    stream.seek(0)
                    return _read(reader, stream)
    return None


def _read(reader: Callable[..., Any], stream: IO[bytes]) -> Any:
    try:
        return reader(stream, "")
    except Warning:  # where the host program makes warnings errors
        if reader is not JpegImagePlugin.jpeg_factory:
            raise
        stream.seek(0)
        return _JpegOfBrokenExif(stream, "")


def _knows(accept: Callable[[bytes], bool | str], start: bytes) -> bool:
    """Whether a reader takes a file of such a beginning; it answers with a text where its library is missing."""
    answer = accept(start)
    return bool(answer) and not isinstance(answer, str)


def _is_heif(start: bytes) -> bool:
    """Whether the file says, in its first bytes, that it is HEIC or its like."""
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def _register_heif() -> None:
    with contextlib.suppress(ImportError):  # Pillow does not know the file then, and the message says what to install
        importlib.import_module("pillow_heif").register_heif_opener()


def _unknown(start: bytes) -> str:
    if not start:
        return "the file is empty, not a picture"
    if _is_heif(start):
        return "a broken HEIC file, or a package is missing: pip install 'minstyle[heic]'"
    if start.startswith(_JPEG_XL):
        return "a JPEG XL file, which is not read; save it as a PNG or JPEG"
    for kind, (reader, accept) in Image.OPEN.items():
        with contextlib.suppress(IndexError, struct.error):  # of a beginning that is too short
            if kind not in FORMATS and accept is not None and _knows(accept, start):
                if kind == "TIFF":  # tifffile, which reads the others, does not know this one
                    return "a broken TIFF"
                described = getattr(reader, "format_description", None) or kind
                return f"{kind} ({described}) is not read, because such files can do harm; save it as a PNG or JPEG"
    return "not a picture of a known format, such as PNG or JPEG"
