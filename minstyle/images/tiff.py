"""TIFF with 8 or 16 bits a channel, deflated; BigTIFF where 4 GB are too little.

Pillow writes neither 16 bits of colour nor EXIF directories in a compressed file; it makes the directory here. Source:
TIFF 6.0, Adobe's supplement 2 for deflate, and for BigTIFF the specification of AWare Systems.
"""

from __future__ import annotations

import itertools
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from .metadata import DESCRIPTION, EXIF_IFD, GPS_IFD, ORIENTATION, SOFTWARE, parse_exif

_LONG, _LONG8 = 4, 16
_MOST = (1 << 32) - (1 << 26)  # bytes of pixels that a TIFF of 32-bit offsets holds, beside what is told of them
_STRIP_OFFSETS, _STRIP_SIZES = 273, 279


def write_tiff(
    path: Path,
    pixels: np.ndarray,
    icc: bytes,
    exif: bytes | None,
    dpi: tuple[float, float] | None,
    software: str | None,
    description: str | None,
) -> None:
    """Write ``pixels`` (H, W, 3 or 4) uint8 or uint16 with profile, EXIF data, resolution and ASCII texts."""
    rows = max(1, 65536 // pixels[0].nbytes)
    strips = [_strip(pixels[top : top + rows]) for top in range(0, len(pixels), rows)]
    sizes = [len(strip) for strip in strips]
    big = sum(sizes) > _MOST
    directory = _kept(exif, big)
    directory.tagtype[_STRIP_OFFSETS] = directory.tagtype[_STRIP_SIZES] = _LONG8 if big else _LONG
    for tag, value in _layout(pixels, rows).items():
        directory[tag] = value
    directory[_STRIP_SIZES] = tuple(sizes)
    directory[_STRIP_OFFSETS] = (0, *itertools.accumulate(sizes[:-1]))  # from the directory's end, which it adds
    directory[34675] = icc
    if dpi:
        directory[282], directory[283], directory[296] = dpi[0], dpi[1], 2
    if software:
        directory[SOFTWARE] = software
    if description:
        directory[DESCRIPTION] = description
    with open(path, "wb") as file:
        directory.save(file)
        file.writelines(strips)


def _kept(exif: bytes | None, big: bool) -> ImageFileDirectory_v2:
    rest = struct.pack("=HHHQ", 43, 8, 0, 16) if big else struct.pack("=HL", 42, 8)
    directory = ImageFileDirectory_v2((b"II" if sys.byteorder == "little" else b"MM") + rest)
    kept = parse_exif(exif)
    for tag, value in kept.items():
        if tag not in (EXIF_IFD, GPS_IFD, ORIENTATION):
            directory[tag] = value
    for group in (EXIF_IFD, GPS_IFD):
        entries = kept.get_ifd(group)
        if entries:
            directory.tagtype[group] = _LONG
            directory[group] = entries
    return directory


def _layout(pixels: np.ndarray, rows: int) -> dict[int, Any]:
    """Size, bits, deflate (8), RGB (2), channels, rows a strip, interleaved (1), differences (2), plain alpha (2)."""
    height, width, channels = pixels.shape
    bits = (8 * pixels.itemsize,) * channels
    size = {256: width, 257: height, 258: bits, 277: channels, 278: rows}
    return size | {259: 8, 262: 2, 284: 1, 317: 2} | ({338: 2} if channels == 4 else {})


def _strip(pixels: np.ndarray) -> bytes:
    """Rows as differences to the pixel on the left, deflated."""
    differences = pixels.copy()
    differences[:, 1:] -= pixels[:, :-1]
    return zlib.compress(differences.tobytes())
