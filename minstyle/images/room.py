"""Whether a picture fits into the memory that is there: large pictures are read, bombs are refused by their headers."""

from __future__ import annotations

import math

from ..errors import ImageError
from ..memory import resident, room

MAX_PIXELS = 178_956_970  # where Pillow calls a file a bomb; a poster of 1 m2 at 300 dots per inch has 140 million
_WORK = 32  # bytes a pixel of the image in floats, and of the copy that turning or a profile makes of it
_LEVELS = 12  # of a mask that stays levels of 8 bits: up to 10 are taken beside what a decoder has
_SHRINKING = 8  # of one channel in floats, where it is shrunk at once


def check_pixels(name: str, height: int, width: int) -> None:
    """Raise ImageError for a picture of more pixels than any that is meant."""
    if height * width > MAX_PIXELS:
        raise ImageError(f"{name}: {width} x {height}, larger than {MAX_PIXELS:,} pixels; make it smaller")


def check_room(name: str, height: int, width: int, stored: int, whole: bool = True, levels: bool = False) -> None:
    """Raise ImageError for a picture of ``stored`` bytes a pixel that is a bomb, or larger than the memory allows.

    ``whole``: whether it is to be an image as large as it is stored; ``levels``: of the levels that are stored.
    """
    check_pixels(name, height, width)
    work = _LEVELS if levels else _WORK if whole else _SHRINKING
    needed, there = height * width * (stored + work), room()
    free = math.inf if there is None else there.bytes - resident()
    if needed > free:
        raise ImageError(f"{name}: {width} x {height} pixels need {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB "
                         "are free; make it smaller")  # fmt: skip
