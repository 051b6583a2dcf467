"""What is shown of pictures: JPEGs of the size that a page has room for."""

from __future__ import annotations

import functools
import os
from io import BytesIO
from pathlib import Path

import numpy as np

from ..errors import ImageError
from ..images import load_image, resize, save_picture

LARGEST = 1280  # pixels of the longer side


def save_view(image: np.ndarray, path: Path) -> None:
    """What is shown of an image (H, W, 3): a JPEG of at most 1280 pixels on the longer side. Raises FileError."""
    save_picture(_shrunk(image, LARGEST), path, quality=88)


def _shrunk(image: np.ndarray, side: int) -> np.ndarray:
    factor = side / max(image.shape[:2])
    if factor >= 1:
        return image
    height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    return resize(image, height, width)


def view_at(path: Path, side: int) -> bytes:
    """The JPEG at ``path``, which ``save_view`` wrote, with at most ``side`` pixels. Raises ImageError."""
    if side >= LARGEST:
        try:
            return path.read_bytes()
        except OSError as error:
            raise ImageError(f"no picture yet ({error.strerror})") from error
    try:
        changed = os.stat(path).st_mtime_ns
    except OSError as error:
        raise ImageError(f"no picture yet ({error.strerror})") from error
    return _small(path, changed, side)


@functools.lru_cache(maxsize=400)
def _small(path: Path, changed: int, side: int) -> bytes:
    """Kept in memory, some 10 KB each: a gallery asks for many at once, again and again."""
    stream = BytesIO()
    save_picture(_shrunk(load_image(path), side), stream, extension=".jpg", quality=85)
    return stream.getvalue()
