"""TIFF files through tifffile (pages, tags, sample formats) and imagecodecs (compressions): any depth that is stored.

Source: TIFF 6.0; Adobe's supplements 1 and 2; NewSubfileType as TIFF/EP and DNG use it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from PIL import Image

from ..errors import ImageError, short
from .codepoints import adobe_rgb
from .metadata import dpi_of, is_adobe_rgb
from .room import check_room
from .samples import Fit, Samples, Stored, divided, scaled, scaled_floats, stored_shape

_MAX_PAGES = 1000
_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE, _CMYK, _YCBCR, _CIELAB, _ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
_CHANNELS = {_WHITE_IS_ZERO: 1, _GREY: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _CIELAB: 3, _ICCLAB: 3}
_RAW = {32803, 34892}  # a camera's sensor, as it is
_JPEGS = {6, 7}  # that decoder turns YCbCr into RGB
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_PREMULTIPLIED, _ALPHA = 1, 2
_REDUCED_OR_MASK = 5  # bits of NewSubfileType

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its remarks on damage are not for the user


def is_tiff(start: bytes) -> bool:
    """Whether a file begins as TIFF or BigTIFF do."""
    return start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@contextlib.contextmanager
def tiff_page(stream: IO[bytes], name: str) -> Iterator[Any]:
    """The page of a TIFF that is the picture. Raises ImageError where there are several or none."""
    import tifffile  # here: it takes a noticeable part of the time of `import minstyle`

    stream.seek(0)
    with tifffile.TiffFile(stream, name=name) as tiff:
        pages = list(itertools.islice(tiff.pages, _MAX_PAGES + 1))
        full = [page for page in pages if _is_full(page)]
        if not full:  # a camera's preview comes first, the picture in a directory below it
            full = [below for page in pages[:16] for below in itertools.islice(page.pages or (), 16) if _is_full(below)]
        if len(full) > 1:
            count = f"{len(full)} pages" if len(pages) <= _MAX_PAGES else f"more than {_MAX_PAGES} pages"
            raise ImageError(f"{name}: it holds {count}, expected one picture; save the one you want as a PNG")
        if not full:
            raise ImageError(f"{name}: it holds previews and masks only, no full picture; save it again as a PNG")
        yield full[0]


def _is_full(page: Any) -> bool:
    return not page.subfiletype & _REDUCED_OR_MASK


def read_tiff(stream: IO[bytes], name: str, fit: Fit | None = None) -> Stored:
    """The picture in a TIFF, to be shrunk as ``fit`` says. Raises ImageError for kinds that are not read; others."""
    with tiff_page(stream, name) as page:
        _refuse_others(page, name)
        shape = page.imagelength, page.imagewidth
        upright = stored_shape(shape, orientation_of_page(page))
        whole = fit is None or fit(upright) == upright
        check_room(name, page.imagelength, page.imagewidth, page.samplesperpixel * page.dtype.itemsize, whole)
        end = stream.seek(0, 2)  # a damaged length asks for memory before it finds the end
        page.databytecounts = tuple(min(count, end) for count in page.databytecounts)
        try:
            stored = page.asarray(squeeze=False)[:, 0]  # (planes, H, W, interleaved)
        except ImportError as error:
            raise ImageError(f"{name}: {kind_of(page)} needs another package: pip install imagecodecs") from error
        except ValueError as error:
            if "imagecodecs" in str(error):
                raise ImageError(f"{name}: {kind_of(page)} needs another package: pip install imagecodecs") from error
            raise
        samples = _samples(page, stored[0] if len(stored) == 1 else np.moveaxis(stored[..., 0], 0, 2), name)
        exif = Image.Exif()
        with contextlib.suppress(Exception):  # damage beside the picture: the picture counts
            exif.endian, exif.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
            exif.load_from_fp(stream, page.offset)
        resolution = [_value(page, tag, (0, 1)) for tag in (282, 283)]
        icc = bytes(page.iccprofile or b"") or (
            adobe_rgb() if page.photometric == _RGB and is_adobe_rgb(exif) else None
        )
        return Stored(samples, icc, orientation_of_page(page),
                      dpi_of([_ratio(value) for value in resolution], _value(page, 296, 2)), exif,
                      shape)  # fmt: skip


def orientation_of_page(page: Any) -> int:
    """EXIF orientation 1..8; 1 for what is none."""
    orientation = _value(page, 274, 1)
    return orientation if isinstance(orientation, int) else 1


def kind_of(page: Any) -> str:
    """A page's bits, channels and compression in words: "a TIFF of 32 bits (floats), 3 x RGB, compression LZW"."""
    formats = {_UNSIGNED: "bits", _SIGNED: "bits (signed)", _FLOAT: "bits (floats)"}
    word = formats.get(page.sampleformat, f"bits (sample format {short(page.sampleformat)})")
    photometric, compression = (short(getattr(value, "name", value)) for value in (page.photometric, page.compression))
    return (f"a TIFF of {short(page.bitspersample)} {word}, {short(page.samplesperpixel)} x {photometric}, "
            f"compression {compression}")  # fmt: skip


def _refuse_others(page: Any, name: str) -> None:
    """Raise ImageError for kinds that would be guesses."""
    if page.photometric in _RAW:
        raise ImageError(f"{name}: a camera's raw file; develop it with a raw converter and save a TIFF or JPEG")
    bits, photometric = page.bitspersample, page.photometric
    floats = page.sampleformat == _FLOAT
    known = isinstance(bits, int) and page.sampleformat in (_UNSIGNED, _SIGNED, _FLOAT) and page.dtype is not None
    known = known and photometric in _CHANNELS and page.samplesperpixel >= _CHANNELS[photometric]
    known = known and page.imagedepth == 1 and (not floats or _CHANNELS[photometric] == 1)
    # CMYK's inks may be others, and deep samples of the other spaces are laid out in more than one way.
    known = known and (photometric != _CMYK or _value(page, 332, 1) == 1)
    known = known and (photometric not in (_CIELAB, _ICCLAB, _YCBCR) or bits in (8, 16))
    if not known:
        raise ImageError(f"{name}: {kind_of(page)} is not read; save it with 8 or 16 bits per channel")


def _samples(page: Any, stored: np.ndarray, name: str) -> Samples:
    """The samples of (H, W, channels) as tifffile gives them."""
    count = _CHANNELS[page.photometric]
    colours = stored[:, :, :count]
    depth = 8 if page.bitspersample <= 8 else 16
    if page.photometric == _PALETTE:
        return Samples(_of_palette(page.colormap, colours[:, :, 0]))
    if page.photometric in (_CIELAB, _ICCLAB):
        values = _lab(colours, page.photometric == _ICCLAB)
    elif page.photometric == _YCBCR and page.compression not in _JPEGS:
        if depth != 8:
            raise ImageError(f"{name}: {kind_of(page)} is not read; save it as RGB")
        values = np.asarray(Image.frombytes("YCbCr", colours.shape[1::-1], colours.tobytes()).convert("RGB"))
    else:
        values = _levels(colours, page)
    opacity, lab = _opacity(page, stored, count), page.photometric in (_CIELAB, _ICCLAB)
    if opacity is not None and _PREMULTIPLIED in (page.extrasamples or ()) and not lab:
        values = divided(values, opacity)
    return Samples(values, opacity, 8 if page.photometric == _CMYK else depth, lab)


def _levels(stored: np.ndarray, page: Any) -> np.ndarray:
    """Stored numbers by their bits and format, the highest of them white, or full ink: see ``Samples``."""
    if page.sampleformat == _FLOAT:
        values = scaled_floats(stored)
    elif page.bitspersample in (8, 16) and page.sampleformat == _UNSIGNED:
        return stored if page.photometric != _WHITE_IS_ZERO else np.iinfo(stored.dtype).max - stored
    else:
        bits = page.bitspersample - (page.sampleformat == _SIGNED)  # below 0 is black
        values = scaled(stored, 2**bits - 1)
    return 255 - values if page.photometric == _WHITE_IS_ZERO else values


def _alpha_at(page: Any) -> int | None:
    """Which of the extra samples is the opacity; None where there is none."""
    kinds = [int(kind) for kind in page.extrasamples or ()]
    return next((i for i, kind in enumerate(kinds) if kind in (_PREMULTIPLIED, _ALPHA)), None)


def _opacity(page: Any, stored: np.ndarray, count: int) -> np.ndarray | None:
    extra = stored.shape[2] - count
    at = _alpha_at(page)
    if at is None and extra == 1 and not page.extrasamples and count == 3:
        at = 0  # RGB with a fourth sample of which nothing is said: alpha, as everywhere
    if at is None or at >= extra:
        return None
    if page.bitspersample in (8, 16) and page.sampleformat == _UNSIGNED:
        return stored[:, :, count + at]
    top = 1 if page.sampleformat == _FLOAT else 2 ** (page.bitspersample - (page.sampleformat == _SIGNED)) - 1
    return scaled(stored[:, :, count + at], top) / np.float32(255)


def _of_palette(colormap: np.ndarray | None, index: np.ndarray) -> np.ndarray:
    if colormap is None:
        raise ValueError("its palette is missing")
    deep = colormap.max(initial=0) > 255  # some programs write 8 bits
    table = np.rint(colormap.T / 257).astype(np.uint8) if deep else colormap.T.astype(np.uint8)
    colours: np.ndarray = table[index]
    return colours


def _lab(stored: np.ndarray, offset: bool) -> np.ndarray:
    """L* 0..100, a*, b* of 8 or 16 bits. Of ICCLAB (``offset``) a* and b* are stored plus 128, and L* ends at 65280.

    Where all samples are signed, as libvips writes them, L* ends at 32767.
    """
    deep = stored.dtype.itemsize == 2
    top = 32767 if stored.dtype.kind == "i" and deep else 255 * 256 if offset and deep else 65535 if deep else 255
    ab: Any = np.ascontiguousarray(stored[:, :, 1:])
    ab = ab.astype(np.float32) if offset else ab.view(np.int16 if deep else np.int8).astype(np.float32)
    ab = ab / (256 if deep else 1) - (128 if offset else 0)
    light = stored[:, :, :1].astype(np.float32) * np.float32(100 / top)
    values: np.ndarray = np.concatenate([light, ab], axis=2)
    return values


def _value(page: Any, tag: int, default: Any) -> Any:
    found = page.tags.get(tag)
    return default if found is None else found.value


def _ratio(value: Any) -> float:
    try:
        return float(value[0]) / float(value[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return 0.0
