"""The stored samples of a picture, before any profile, before turning: what every decoder hands over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

BLOCK = 1 << 20  # pixels of a large picture that are turned into other types at a time
_LANCZOS = Image.Resampling.LANCZOS
Shape = tuple[int, int]  # (height, width)
Fit = Callable[[Shape], Shape]  # of the shape of a picture, upright, the shape of which as much as is needed is seen


@dataclass(frozen=True, eq=False)
class Samples:
    """``values`` (H, W, C): uint8 or uint16 as they are stored, or float32 in 0..255 where they are anything else.

    C is 1 for grey, 3 for RGB and for CIELAB (``lab``: L* 0..100, a*, b*, float32), 4 for CMYK (255 is full ink).
    ``opacity`` (H, W), uint8 or uint16 as it is stored or float32 in 0..1, or None; ``depth`` 8 or 16 bits. Large
    pictures are made floats once they are shrunk: ``shrunk`` leaves no uint16.
    """

    values: np.ndarray
    opacity: np.ndarray | None = None
    depth: int = 8
    lab: bool = False


@dataclass(frozen=True, eq=False)
class Stored:
    """A picture file, decoded: its samples and what it says beside them.

    ``dpi`` (across, down) and ``shape`` (height, width) are as stored; the samples may be fewer than ``shape`` says.
    """

    samples: Samples
    icc: bytes | None = None
    orientation: int = 1
    dpi: tuple[float, float] | None = None
    exif: Image.Exif = field(default_factory=Image.Exif)
    shape: Shape = (0, 0)


def stored_shape(shape: Shape, orientation: int) -> Shape:
    """Height and width, upright to stored or back, by EXIF orientation."""
    return shape[::-1] if orientation in (5, 6, 7, 8) else shape


def scaled(stored: np.ndarray, top: float) -> np.ndarray:
    """Stored numbers from 0 (and below) to ``top`` as float32 in 0..255."""
    values = stored.astype(np.float32) if stored.dtype.itemsize < 4 else stored.astype(np.float64)
    values *= 255 / top
    levels: np.ndarray = np.clip(values, 0, 255, out=values).astype(np.float32, copy=False)
    return levels


def scaled_floats(stored: np.ndarray) -> np.ndarray:
    """Stored floats as float32 in 0..255: they are 0..1 in most programs, 0..255 or 0..65535 in some."""
    if not np.isfinite(stored).all():
        raise ValueError("some of its pixels are not numbers")
    largest = stored.max(initial=0)
    return scaled(stored, 1 if largest <= 1 else 255 if largest <= 255 else 65535)


def levels(values: np.ndarray) -> np.ndarray:
    """Samples as they are: uint8, or float32 in 0..255, which uint16 becomes."""
    return scaled(values, 65535) if _is_deep(values) else values


def unit(opacity: np.ndarray) -> np.ndarray:
    """Opacity as float32 in 0..1."""
    return opacity if opacity.dtype == np.float32 else levels(opacity) / np.float32(255)


def is_opaque(opacity: np.ndarray) -> bool:
    """Whether it hides nothing."""
    return bool(opacity.min() >= (1 if opacity.dtype == np.float32 else np.iinfo(opacity.dtype).max))


def _is_deep(values: np.ndarray) -> bool:
    return values.dtype.kind == "u" and values.dtype.itemsize == 2  # in either order of bytes


def divided(colours: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Colours (H, W, C) that the file holds times their opacity, as they are without it: float32."""
    plain = levels(colours).astype(np.float32)
    plain /= np.maximum(unit(opacity), np.float32(1e-6))[:, :, None]
    return np.clip(plain, 0, 255, out=plain)


def not_key(stored: np.ndarray, key: Any) -> np.ndarray:
    """Opacity (H, W) uint8: 0 where the samples (H, W, C) are exactly the colour that is named clear, else 255."""
    opacity: np.ndarray = (stored != np.asarray(key)).any(axis=2) * np.uint8(255)
    return opacity


def shrunk(samples: Samples, shape: Shape | None) -> Samples:
    """The samples at a smaller shape; as they are if they are no larger."""
    height, width = samples.values.shape[:2]
    if shape is None or shape[0] >= height or shape[1] >= width:
        return replace(samples, values=levels(samples.values))
    values, opacity = _smaller(samples.values, shape, samples.opacity), samples.opacity
    if opacity is not None:
        seen = _smaller(np.broadcast_to(np.float32(1), (height, width, 1)), shape, opacity).clip(0, 1)
        values, opacity = values / np.maximum(seen, 1e-3), seen[:, :, 0]
    return replace(samples, values=values if samples.lab else values.clip(0, 255), opacity=opacity)


def _smaller(values: np.ndarray, shape: Shape, opacity: np.ndarray | None) -> np.ndarray:
    """(H, W, C), times the opacity, at a smaller (height, width), float32; a channel at a time, which leaves room.

    Means over whole squares of pixels first, in the type that is stored, as far as three times the shape: that is fast.
    """
    height, width, channels = values.shape
    square = max(1, min(height // (3 * shape[0]), width // (3 * shape[1])))
    inside = (0, 0, width / square, height / square)  # the last squares may lie half outside
    small = [_means(values[:, :, c], opacity, square).convert("F") for c in range(channels)]
    return np.stack([np.asarray(one.resize(shape[::-1], _LANCZOS, inside)) for one in small], axis=2)


def _means(channel: np.ndarray, opacity: np.ndarray | None, square: int) -> Image.Image:
    """A channel (H, W), times the opacity, by its means over squares of so many pixels a side."""
    if opacity is None:
        kind = np.uint8 if channel.dtype == np.uint8 else np.float32
        return Image.fromarray(np.ascontiguousarray(levels(channel), dtype=kind)).reduce(square)
    step = square * max(1, BLOCK // (square * channel.shape[1]))  # products in floats of some rows at a time
    parts = [
        np.asarray(Image.fromarray(levels(channel[top : top + step]) * unit(opacity[top : top + step])).reduce(square))
        for top in range(0, len(channel), step)
    ]
    return Image.fromarray(np.concatenate(parts))
