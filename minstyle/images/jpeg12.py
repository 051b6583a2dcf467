"""JPEGs of 12 bits, which Pillow does not open: their segments are read here, their pixels by imagecodecs.

Source: ITU-T T.81, annex B; ICC.1:2022, annex B.4 (profiles in JPEG); EXIF 2.32, 4.7.2.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from typing import IO

import numpy as np
from PIL import Image

from .codepoints import adobe_rgb
from .metadata import is_adobe_rgb, orientation_of
from .room import check_room
from .samples import Samples, Shape, Stored, scaled, stored_shape

_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"
_MAX_SEGMENTS = 1000


def is_jpeg12(stream: IO[bytes]) -> bool:
    """Whether it is a JPEG whose samples have 12 bits."""
    return any(kind in _FRAMES and data[:1] == b"\x0c" for kind, data in _segments(stream))


def read_jpeg12(stream: IO[bytes], name: str) -> Stored:
    """The picture in a JPEG of 12 bits, grey or RGB. Raises ImageError, ValueError and what the decoder says."""
    try:
        import imagecodecs  # here: it is not needed by most
    except ImportError as error:
        raise ImportError("a 12-bit JPEG needs another package: pip install imagecodecs") from error
    segments = list(_segments(stream))
    frame = next(data for kind, data in segments if kind in _FRAMES)
    height, width, channels = struct.unpack_from(">HHB", frame, 1)
    check_room(name, height, width, 2 * channels)
    if channels not in (1, 3):
        raise ValueError(f"a JPEG of 12 bits with {channels} channels; save it with 8 bits")
    stream.seek(0)
    data = stream.read()
    if _END not in data[-1024:]:  # the decoder fills up what is missing
        raise ValueError("the file is cut off")
    stored = np.atleast_3d(imagecodecs.jpeg8_decode(data))
    exif = _exif_in(segments)
    parts = sorted(data[len(_ICC) :] for _, data in segments if data.startswith(_ICC))  # each begins with its number
    icc = b"".join(part[2:] for part in parts) or (adobe_rgb() if channels == 3 and is_adobe_rgb(exif) else None)
    return Stored(Samples(scaled(stored, 4095), depth=16), icc, orientation_of(exif), None, exif, (height, width))


def shape_of_jpeg12(stream: IO[bytes]) -> Shape:
    """(height, width), upright."""
    segments = list(_segments(stream))
    height, width = struct.unpack_from(">HH", next(data for kind, data in segments if kind in _FRAMES), 1)
    return stored_shape((height, width), orientation_of(_exif_in(segments)))


def _exif_in(segments: list[tuple[int, bytes]]) -> Image.Exif:
    exif = Image.Exif()
    with contextlib.suppress(Exception):  # damage beside the picture: the picture counts
        exif.load(next((data for _, data in segments if data.startswith(_EXIF)), b""))
    return exif


def _segments(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """(marker, data) of each segment before the first scan."""
    stream.seek(0)
    if stream.read(2) != _START:
        return
    for _ in range(_MAX_SEGMENTS):
        head = stream.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == _SCAN:
            return
        yield head[1], stream.read(max(int.from_bytes(head[2:], "big") - 2, 0))
