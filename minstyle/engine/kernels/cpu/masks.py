"""What ReLU and pooling remember for the way back: one bit an entry, and one byte a window of four.

Each has ``apply(g)``, the gradient before the op from the gradient after it.
"""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module, is_cupy

NONE = 4  # a window's winner where no entry is above zero


class Positive:
    """Where a map (H, W, C) is above zero."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._bits: Array = np.empty((*shape[:-1], -(-shape[-1] // 8)), dtype=np.uint8)

    @classmethod
    def of(cls, y: Array) -> Positive:
        """Of the whole map, on its device."""
        mask = cls.__new__(cls)
        mask.shape = tuple(y.shape)
        mask._bits = y > 0 if is_cupy(y) else np.packbits(y > 0, axis=-1)  # CuPy packs flat arrays only
        return mask

    def put(self, rows: slice, columns: slice, positive: np.ndarray) -> None:
        """Store a rectangle's truth values (rows, columns, C), on the host."""
        if self.shape[-1] % 8 == 0:  # three times as fast as along an axis
            packed = np.packbits(positive).reshape(*positive.shape[:-1], self.shape[-1] // 8)
        else:
            packed = np.packbits(positive, axis=-1)
        self._bits[rows, columns] = packed

    def get(self, rows: slice, columns: slice) -> Array:
        """A rectangle's truth values (rows, columns, C)."""
        bits = self._bits[rows, columns]
        if is_cupy(bits):
            return bits
        if self.shape[-1] % 8 == 0:
            return np.unpackbits(bits).reshape(*bits.shape[:-1], self.shape[-1])
        return np.unpackbits(bits, axis=-1, count=self.shape[-1])

    def apply(self, g: Array) -> Array:
        return g * self.get(slice(None), slice(None))


class AboveZero:
    """The same as ``Positive``, told by the map itself: for one that is kept anyway."""

    def __init__(self, y: Array) -> None:
        self.shape, self._y = tuple(y.shape), y

    def get(self, rows: slice, columns: slice) -> Array:
        return self._y[rows, columns] > 0

    def apply(self, g: Array) -> Array:
        return g * (self._y > 0)


class Winner:
    """Which entry of each 2x2 window of a map (H, W, C) was taken by max pooling, the first of equals."""

    def __init__(self, shape: tuple[int, ...], index: Array) -> None:
        self.shape = shape
        self.index = index  # (H//2, W//2, C) of 0..3 (row by row) or NONE

    def apply(self, g: Array) -> Array:
        dx = array_module(g).zeros(self.shape, dtype=g.dtype)
        for k, corner in enumerate(window_corners(dx)):
            corner[...] = g * (self.index == k)
        return dx


def max_pool(x: Array) -> tuple[Array, Winner]:
    """Largest entry of each 2x2 window, an odd last row or column dropped. (H, W, C) -> (H//2, W//2, C)"""
    value, index = largest(*window_corners(x))
    return value, Winner(tuple(x.shape), index)


def largest(a: Array, b: Array, c: Array, d: Array) -> tuple[Array, Array]:
    """Entry by entry the largest of four, and which it was."""
    xp = array_module(a)
    top, bottom = xp.maximum(a, b), xp.maximum(c, d)
    in_top, in_bottom = (b > a).view(xp.uint8), (d > c).view(xp.uint8)
    below = (bottom > top).view(xp.uint8)
    index = in_top + below * (in_bottom + xp.uint8(2) - in_top)  # 30 times as fast as a choice by ``where``
    return xp.maximum(top, bottom, out=top), index


def window_corners(x: Array) -> tuple[Array, Array, Array, Array]:
    """The four entries of every 2x2 window as views of x (H, W, C), each (H//2, W//2, C)."""
    height, width = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    rows = x[0:height:2], x[1:height:2]
    return rows[0][:, 0:width:2], rows[0][:, 1:width:2], rows[1][:, 0:width:2], rows[1][:, 1:width:2]
