"""Files of all formats but TIFF, through Pillow; PNGs that it would cut to 8 bits through imagecodecs."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from PIL import Image

from ..errors import ImageError
from . import codepoints
from .boxes import code_points
from .metadata import exif_of, is_adobe_rgb, orientation_of, read_dpi
from .opening import opened
from .png_chunks import SIGNATURE, PngChunks, bare, read_chunks
from .room import check_room
from .samples import BLOCK, Fit, Samples, Shape, Stored, not_key, scaled, scaled_floats, stored_shape

_JPEG = {"JPEG", "MPO"}
_DIRECTORIES = 1 << 20  # bytes at a file's beginning in which AVIF and HEIC have what describes the picture


def shape_by_pillow(stream: IO[bytes], name: str) -> Shape:
    """(height, width) of the upright picture, without decoding it. Raises what ``read_pillow`` raises."""
    stream.seek(0)
    png = read_chunks(stream) if stream.read(8) == SIGNATURE else None
    with opened(stream if png is None else png.stream, name) as picture:
        return stored_shape((picture.height, picture.width), orientation_of(exif_of(picture, header=True)))


def read_pillow(stream: IO[bytes], name: str, fit: Fit | None = None, *, mask: bool = False) -> Stored:
    """The picture in a file that Pillow opens; a JPEG at the least of its scales that has the shape that ``fit`` gives.

    ``mask``: room is asked for as ``load_mask`` takes it, which keeps levels of 8 bits without a profile.
    Raises ImageError, and whatever a decoder says.
    """
    stream.seek(0)
    png = read_chunks(stream) if stream.read(8) == SIGNATURE else None
    with opened(stream if png is None else png.stream, name) as picture:
        width, height = picture.size
        enough = height, width
        if fit is not None:  # a PNG may tell its orientation behind the pixels, for which there must be room first
            orientation = orientation_of(exif_of(picture, header=True))
            enough = stored_shape(fit(stored_shape((height, width), orientation)), orientation)
        whole = enough == (height, width)
        if picture.format in _JPEG and not whole:
            picture.draft(None, enough[::-1])
        if png is not None and not png.plausible:
            raise ImageError(f"{name}: {width} x {height}, but the file is too short for that; get it again")
        deep = png is not None and png.depth == 16
        levels = mask and _are_levels(picture, png, stream)
        check_room(name, picture.height, picture.width, len(picture.getbands()) * (4 if deep else 2), whole, levels)
        if png is not None and png.deep_colour:
            key = picture.info.get("transparency")
            picture.load()  # refuses what is broken: see ``_deep_png``
            samples = _deep_png(png, stream, key)
        else:
            samples = _samples(picture)
        picture.load()  # resolution, EXIF data and profile may lie behind the pixels
        exif = exif_of(picture)
        rgb = samples.values.shape[2] == 3 and not samples.lab
        icc = _colour(picture, png, stream, exif if rgb else Image.Exif())
        return Stored(samples, icc, orientation_of(exif), read_dpi(picture, exif), exif, (height, width))


def _are_levels(picture: Image.Image, png: PngChunks | None, stream: IO[bytes]) -> bool:
    """Whether ``load_mask`` gives the levels that are stored, as far as is known before they are decoded."""
    plain = picture.mode in ("1", "L", "P", "RGB") and not picture.has_transparency_data
    return plain and (png is None or png.depth <= 8) and _colour(picture, png, stream, Image.Exif()) is None


def _colour(picture: Image.Image, png: PngChunks | None, stream: IO[bytes], exif: Image.Exif) -> bytes | None:
    """The file's profile, or the one that it means by other words, EXIF's of RGB; None for sRGB."""
    if png is not None and b"cICP" in png.beside:  # the specification puts it before a profile
        return codepoints.profile_of_code_points(*png.beside[b"cICP"][:2])
    icc = picture.info.get("icc_profile") or (None if png is None else png.icc)
    if isinstance(icc, bytes) and icc:
        return icc
    if png is not None and b"sRGB" not in png.beside:
        told = codepoints.profile_of_gamma(png.beside.get(b"gAMA"), png.beside.get(b"cHRM"))
        if told is not None:
            return told
    if picture.format in ("AVIF", "HEIF"):
        stream.seek(0)
        numbers = code_points(stream.read(_DIRECTORIES))
        told = None if numbers is None else codepoints.profile_of_code_points(*numbers)
        if told is not None:
            return told
    return codepoints.adobe_rgb() if is_adobe_rgb(exif) else None


def _deep_png(png: PngChunks, stream: IO[bytes], key: Any) -> Samples:
    """16 bits of colour, or of grey and alpha, of a file that Pillow has decoded.

    imagecodecs 2026.3.6 loses a reference to None with each file that it refuses, until Python ends.
    """
    try:
        import imagecodecs  # here: it is not needed by most
    except ImportError as error:
        raise ImportError("a PNG with 16 bits per colour needs another package: pip install imagecodecs") from error
    stored = np.atleast_3d(imagecodecs.png_decode(bare(stream)))
    if stored.dtype != np.uint16:
        raise ValueError("its pixels are not as its header says")
    if stored.shape[2] in (2, 4):
        return Samples(stored[:, :, :-1], stored[:, :, -1], 16)
    return Samples(stored, None if key is None else not_key(stored, key), 16)


def _samples(picture: Image.Image) -> Samples:
    if picture.mode == "CMYK":
        return Samples(np.asarray(picture))
    if picture.mode == "LAB":
        stored = np.asarray(picture)
        light = stored[:, :, :1].astype(np.float32) * np.float32(100 / 255)
        return Samples(np.concatenate([light, stored[:, :, 1:].view(np.int8)], axis=2), lab=True)
    return _deep_grey(picture) if picture.mode.startswith(("I", "F")) else _eight_bits(picture)


def _deep_grey(picture: Image.Image) -> Samples:
    stored = np.asarray(picture)[:, :, None]
    if picture.mode == "F":
        values = scaled_floats(stored)
    else:
        deep = picture.mode.startswith("I;16") or stored.max(initial=0) > 255
        values = scaled(stored, 65535 if deep else 255)
    key = picture.info.get("transparency")
    return Samples(values, None if key is None else not_key(stored, key), 16)


def _eight_bits(picture: Image.Image) -> Samples:
    key = picture.info.get("transparency")
    if picture.mode in ("1", "L", "RGB") and isinstance(key, int | tuple):  # one colour is clear
        raw = _raw_mode(picture)
        if picture.mode == "1":  # the clear level is 1 or 255, by Pillow's version
            picture, key = picture.convert("L"), 255 if key else 0
        stored = np.atleast_3d(np.asarray(picture))
        # Pillow spreads grey of 2 and 4 bits over 0..255, and leaves the clear level as it is stored.
        spread = key * {"L;2": 85, "L;4": 17}.get(raw, 1) if isinstance(key, int) else key
        return Samples(stored, not_key(stored, spread))
    if picture.mode in ("1", "L"):
        return Samples(np.asarray(picture.convert("L"))[:, :, None])
    if picture.mode in ("LA", "La"):
        pixels = _pixels(picture, "LA")
        return Samples(pixels[:, :, :1], pixels[:, :, 1])
    if picture.has_transparency_data:
        pixels = _pixels(picture, "RGBA")
        return Samples(pixels[:, :, :3], pixels[:, :, 3])
    return Samples(_pixels(picture, "RGB"))


def _pixels(picture: Image.Image, mode: str) -> np.ndarray:
    """(H, W, channels) uint8 in a mode, some rows at a time: what Pillow has is copied once, not four times."""
    pixels = np.empty((picture.height, picture.width, len(mode)), np.uint8)
    step = max(1, BLOCK // picture.width)
    for top in range(0, picture.height, step):
        rows = picture.crop((0, top, picture.width, min(top + step, picture.height)))
        pixels[top : top + step] = np.asarray(rows if rows.mode == mode else rows.convert(mode))
    return pixels


def _raw_mode(picture: Any) -> str:
    """Pillow's name for the layout of the stored bytes, "" where a format does not tell."""
    args = picture.tile[0].args if getattr(picture, "tile", None) else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""
