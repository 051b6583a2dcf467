"""The Gram matrix on a device, by the kernels of ``sources/gram.cu``."""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module
from .compiled import blocks, check, contiguous, kernel, launch, multiprocessors

_SIDE, _THREADS = 64, 128
_SHARED = 2 * 2 * 32 * 72 * 4  # bytes: two stages of 32 rows of both tiles
_FEWEST_ROWS, _MOST_ROWS = 256, 4096  # that a block adds up: long sums in float32 lose digits, on matrix units one way
_MOST_PARTS = 65535  # blocks along that axis of a grid


def gram(flat: Array, weights: Array | None) -> Array:
    """F^T diag(weights) F of F (M, C) float32, C a multiple of 4, weights (M,) or None. -> (C, C)

    The same bits each time: parts of the sum are added in a fixed order, in float64.
    """
    xp, (rows, channels) = array_module(flat), flat.shape
    side = blocks(channels, _SIDE)
    tiles = side * (side + 1) // 2
    count = max(1, min(blocks(6 * multiprocessors(), tiles), rows // _FEWEST_ROWS))
    count = min(max(count, blocks(rows, _MOST_ROWS)), _MOST_PARTS)
    step = blocks(rows, count)
    parts = xp.empty((count, tiles, _SIDE, _SIDE), dtype=flat.dtype)
    result = xp.empty((channels, channels), dtype=flat.dtype)
    of = None if weights is None else contiguous(weights.astype(flat.dtype, copy=False))
    check("weights", of, (rows,))
    arguments = [contiguous(flat), of, parts, np.int64(rows), channels, np.int64(step)]
    launch(kernel("gram.cu", "gram_parts"), (tiles, count), _THREADS, arguments, _SHARED)
    arguments = [parts, result, channels, tiles, count]
    launch(kernel("gram.cu", "gram_sum"), (tiles * _SIDE * _SIDE // 32,), 256, arguments, 256 * 8)
    return result
