"""What a block of tiles reads and writes: maps cut into overlapping 6x6 inputs, 4x4 outputs put in their places.

Sources: a map, a gradient behind ReLU, a gradient behind ReLU and max pooling. Sinks: store, add, ReLU, ReLU and max
pooling. So what comes between two convolutions is done block by block, in the core's cache, and the full map in between
need not exist.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from .masks import NONE, ArgMax, BitReluMask, ReluMask, largest
from .threads import Workspace


class Block(NamedTuple):
    """A rectangle of tiles: first row and column, and how many of each."""

    top: int
    left: int
    rows: int
    columns: int


class Source(Protocol):
    """Where a convolution's inputs come from; ``shape`` is (H, W, Cin)."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def gather(self, block: Block, d: np.ndarray, work: Workspace) -> None:
        """Fill d (n + 2, n + 2, rows, columns, Cin) with the inputs of each tile, zeros outside of the map."""


class Sink(Protocol):
    """Where a convolution's outputs go."""

    def scatter(self, tiles: np.ndarray, block: Block, work: Workspace) -> None:
        """Take tiles (n, n, rows, columns, Cout), whose memory may be overwritten; what sticks out is dropped."""


# ---------------------------------------------------------------- sources


class Map:
    """A map as it is."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = np.ascontiguousarray(x)
        self.shape, self.dtype = x.shape, x.dtype

    def gather(self, block: Block, d: np.ndarray, work: Workspace) -> None:
        n = len(d) - 2
        top, left, bottom, right = _seen(block, n)
        if top >= 0 and left >= 0 and bottom <= self.shape[0] and right <= self.shape[1]:
            d[...] = _every(n, self.x, top, left, d.shape)
        else:
            window, inside, rows, columns = _zero_padded(self, (top, left, bottom, right), work)
            inside[...] = self.x[rows, columns]
            d[...] = _every(n, window, 0, 0, d.shape)


class Masked:
    """A gradient g (H, W, C) with respect to ReLU's result, times ReLU's mask."""

    def __init__(self, g: np.ndarray, mask: ReluMask) -> None:
        self.g, self.mask, self.shape, self.dtype = g, mask, g.shape, g.dtype

    def gather(self, block: Block, d: np.ndarray, work: Workspace) -> None:
        n = len(d) - 2
        window, inside, rows, columns = _zero_padded(self, _seen(block, n), work)
        np.multiply(self.g[rows, columns], self.mask.get(rows, columns), out=inside)
        d[...] = _every(n, window, 0, 0, d.shape)


class Unpooled:
    """A gradient g (H//2, W//2, C) with respect to max pooling's result, put at each window's largest entry."""

    def __init__(self, g: np.ndarray, argmax: ArgMax) -> None:
        self.pooled, self.argmax, self.shape, self.dtype = Map(g), argmax, argmax.shape, g.dtype

    def gather(self, block: Block, d: np.ndarray, work: Workspace) -> None:
        half = len(d) // 2 - 1  # n / 2, the side of a tile in g
        top, left = half * block.top - 1, half * block.left - 1
        area = (top, left, top + half * block.rows + 2, left + half * block.columns + 2)
        window, inside, rows, columns = _zero_padded(self.pooled, area, work, corners=4)
        np.multiply(self.pooled.x[rows, columns], self.argmax.index[rows, columns] == _CORNERS, out=inside)
        # Input (i, j) of every tile is the same corner of its window: the odd rows of a tile's inputs are upper ones.
        for corner in range(4):
            i, j = 1 - corner // 2, 1 - corner % 2
            part = d[i::2, j::2]
            part[...] = _every(half, window[corner], i, j, part.shape)


_CORNERS = np.arange(4, dtype=np.uint8)[:, None, None, None]


def _seen(block: Block, n: int) -> tuple[int, int, int, int]:
    """The pixels that a block's tiles read: top, left, bottom, right; some may lie outside of the map."""
    top, left = n * block.top - 1, n * block.left - 1
    return top, left, top + n * block.rows + 2, left + n * block.columns + 2


def _zero_padded(
    source: Source, area: tuple[int, int, int, int], work: Workspace, corners: int = 1
) -> tuple[np.ndarray, np.ndarray, slice, slice]:
    """(window, inside, rows, columns): an array for the pixels in ``area``, of which those outside of the map are zero,
    the view of its part inside the map, to be filled, and that part's rows and columns in the map.

    With several ``corners``, window and inside have one such array for each.
    """
    top, left, bottom, right = area
    height, width, channels = source.shape
    window = work.array("window", (corners, bottom - top, right - left, channels), source.dtype)
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    if top < 0 or left < 0 or bottom > height or right > width:
        window.fill(0)
    inside = window[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return (window, inside, rows, columns) if corners > 1 else (window[0], inside[0], rows, columns)


def _every(step: int, x: np.ndarray, top: int, left: int, shape: tuple[int, ...]) -> np.ndarray:
    """View of the pixels (top + i + step r, left + j + step t) of a map as (i, j, r, t, C)."""
    down, along, channel = x.strides
    # NumPy's as_strided takes ten times as long, and holds up the other threads meanwhile.
    return np.ndarray(shape, x.dtype, x, top * down + left * along, (down, along, step * down, step * along, channel))


# ---------------------------------------------------------------- sinks


class Store:
    """Stored in y (H, W, Cout)."""

    def __init__(self, y: np.ndarray) -> None:
        self.y = y

    def scatter(self, tiles: np.ndarray, block: Block, work: Workspace) -> None:
        part, in_order = _places(self.y, tiles, block)
        part[...] = in_order


class Add:
    """Added to y (H, W, Cout)."""

    def __init__(self, y: np.ndarray) -> None:
        self.y = y

    def scatter(self, tiles: np.ndarray, block: Block, work: Workspace) -> None:
        part, in_order = _places(self.y, tiles, block)
        part += in_order


class Rectify:
    """ReLU, stored in y (H, W, Cout), and its mask in ``mask``, if there is one."""

    def __init__(self, y: np.ndarray, mask: BitReluMask | None) -> None:
        self.y, self.mask = y, mask

    def scatter(self, tiles: np.ndarray, block: Block, work: Workspace) -> None:
        part, in_order = _places(self.y, rectify(tiles, work), block)
        part[...] = in_order
        if self.mask is not None:
            n = len(tiles)
            top, left = n * block.top, n * block.left
            rows, columns = slice(top, top + n * block.rows), slice(left, left + n * block.columns)
            self.mask.put(rows, columns, self.y[rows, columns] > 0)


class RectifyAndPool:
    """ReLU and 2x2 max pooling, stored in y (H//2, W//2, Cout), and which entry was the largest in ``argmax``."""

    def __init__(self, y: np.ndarray, argmax: ArgMax) -> None:
        self.y, self.argmax = y, argmax

    def scatter(self, tiles: np.ndarray, block: Block, work: Workspace) -> None:
        n, _, rows, columns, cout = tiles.shape
        corners = tiles.reshape(n // 2, 2, n // 2, 2, rows, columns, cout)
        value, index = largest(corners[:, 0, :, 0], corners[:, 0, :, 1], corners[:, 1, :, 0], corners[:, 1, :, 1])
        rectify(value, work)
        np.maximum(index, (~(value > 0)).view(np.uint8) * np.uint8(NONE), out=index)
        for target, part in ((self.y, value), (self.argmax.index, index)):
            place, in_order = _places(target, part, block)
            place[...] = in_order


def rectify(x: np.ndarray, work: Workspace) -> np.ndarray:
    """max(x, 0) in place; against an array of zeros NumPy is three times as fast as against the number."""
    np.maximum(x, work.zeros(x.shape[-3:], x.dtype), out=x)
    return x


def _places(y: np.ndarray, tiles: np.ndarray, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """The part of y (H, W, Cout) that tiles (n, n, rows, columns, Cout) are for, and the tiles in its order."""
    n, _, rows, columns, cout = tiles.shape
    part = y[n * block.top : n * (block.top + rows), n * block.left : n * (block.left + columns)]
    in_order = tiles.transpose(2, 0, 3, 1, 4)  # (rows, n, columns, n, Cout)
    if part.shape[:2] == (n * rows, n * columns):
        return part.reshape(rows, n, columns, n, cout), in_order
    return part, in_order.reshape(n * rows, n * columns, cout)[: part.shape[0], : part.shape[1]]
