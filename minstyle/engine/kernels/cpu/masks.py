"""What ReLU and max pooling keep for the backward pass: one bit per entry, and one byte per 2x2 window.

Each has ``backward(g)``: the gradient with respect to the op's input, from g, that with respect to its result. This
file serves NumPy and CuPy arrays alike; the rest of the folder builds on it and knows NumPy arrays only.
"""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module, is_cupy

NONE = 4  # the index of a window without an entry above zero: it takes no gradient


class BitReluMask:
    """Where a map (H, W, C) is above zero, one bit per entry (on a device a byte)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._bits: Array = np.empty((*shape[:-1], -(-shape[-1] // 8)), dtype=np.uint8)

    @classmethod
    def of(cls, y: Array) -> BitReluMask:
        """The mask of a whole map, on the map's device."""
        mask = cls.__new__(cls)
        mask.shape = tuple(y.shape)
        mask._bits = y > 0 if is_cupy(y) else np.packbits(y > 0, axis=-1)  # CuPy packs flat arrays only
        return mask

    def put(self, rows: slice, columns: slice, above: np.ndarray) -> None:
        """Store the booleans (rows, columns, C) of a rectangle; on the host only."""
        if self.shape[-1] % 8 == 0:  # whole bytes: packing a flat array is three times as fast as along an axis
            packed = np.packbits(above).reshape(*above.shape[:-1], self.shape[-1] // 8)
        else:
            packed = np.packbits(above, axis=-1)
        self._bits[rows, columns] = packed

    def get(self, rows: slice, columns: slice) -> Array:
        """The booleans (or 0 and 1) of a rectangle. -> (rows, columns, C)"""
        bits = self._bits[rows, columns]
        if is_cupy(bits):
            return bits
        if self.shape[-1] % 8 == 0:
            return np.unpackbits(bits).reshape(*bits.shape[:-1], self.shape[-1])
        return np.unpackbits(bits, axis=-1, count=self.shape[-1])

    def backward(self, g: Array) -> Array:
        """g where the map is above zero, else 0."""
        return g * self.get(slice(None), slice(None))


class MapReluMask:
    """The same mask, read from the map itself: for a map that stays in memory anyway."""

    def __init__(self, y: Array) -> None:
        self.shape, self.map = tuple(y.shape), y

    def get(self, rows: slice, columns: slice) -> Array:
        return self.map[rows, columns] > 0

    def backward(self, g: Array) -> Array:
        """g where the map is above zero, else 0."""
        return g * (self.map > 0)


ReluMask = BitReluMask | MapReluMask


class ArgMax:
    """Which entry of each 2x2 window of a map (H, W, C) is the largest, the first of equals: what max pooling took."""

    def __init__(self, shape: tuple[int, ...], index: Array) -> None:
        self.shape = shape
        self.index = index  # (H//2, W//2, C) of 0..3 (row by row) or NONE

    def backward(self, g: Array) -> Array:
        """The adjoint of max pooling: g (H//2, W//2, C) at each window's largest entry, 0 elsewhere. -> (H, W, C)"""
        dx = array_module(g).zeros(self.shape, dtype=g.dtype)
        for k, corner in enumerate(window_corners(dx)):
            corner[...] = g * (self.index == k)
        return dx


def max_pool(x: Array) -> tuple[Array, ArgMax]:
    """Largest entry of each 2x2 window, an odd last row or column dropped. (H, W, C) -> (H//2, W//2, C)"""
    value, index = largest(*window_corners(x))
    return value, ArgMax(tuple(x.shape), index)


def largest(a: Array, b: Array, c: Array, d: Array) -> tuple[Array, Array]:
    """Entry by entry the largest of four arrays, and the index 0..3 of the first that has it."""
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
