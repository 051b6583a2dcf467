"""Products of small matrices and weighted sums of rows on a device, by the kernels of ``sources/matrices.cu``."""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module
from .compiled import blocks, check, contiguous, kernel, launch, multiprocessors
from .dots import summed

_SIDE, _THREADS = 32, 256
_SHARED = 2 * _SIDE * (_SIDE + 1) * 4  # bytes: a tile of each factor
_FEWEST_ROWS = 64  # that a block adds up


def matmul(a: Array, b: Array) -> Array:
    """a (N, K) @ b (K, M), float32, summed in float32. -> (N, M)"""
    (rows, inner), columns = a.shape, b.shape[1]
    check("b", b, (inner, columns))
    (a, a_turned), (b, b_turned) = _straight(a), _straight(b)
    y = array_module(a).empty((rows, columns), dtype=np.float32)
    grid = blocks(rows, _SIDE) * blocks(columns, _SIDE)
    arguments = [a, b, y, rows, columns, inner, a_turned, b_turned]
    launch(kernel("matrices.cu", "matmul"), (grid,), _THREADS, arguments, _SHARED)
    return y


def _straight(a: Array) -> tuple[Array, bool]:
    """(the matrix or its transpose, whichever lies row by row in memory; whether it is the transpose)"""
    return (a.T, True) if a.flags.f_contiguous and not a.flags.c_contiguous else (contiguous(a), False)


def weighted_sum(flat: Array, weights: Array) -> Array:
    """The sum of the rows of F (M, C), each times its weight (M,), float32. -> (C,) in float64

    The same bits each time.
    """
    rows, channels = flat.shape
    check("weights", weights, (rows,))
    across = blocks(channels, _SIDE)
    count = max(1, min(blocks(4 * multiprocessors(), across), rows // _FEWEST_ROWS))
    parts = array_module(flat).empty((channels, count), dtype=np.float64)
    arguments = [contiguous(flat), contiguous(weights), parts, np.int64(rows), channels]
    launch(kernel("matrices.cu", "row_parts"), (across, count), _THREADS, arguments, _THREADS * 8)
    return summed(parts)
