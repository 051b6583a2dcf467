"""Products of small matrices and weighted sums of rows on a device, by the kernels of ``sources/matrices.cu``."""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module
from .compiled import blocks, check, contiguous, kernel, launch, multiprocessors
from .dots import summed

_SIDE, _THREADS = 32, 256
_SHARED = 2 * _SIDE * (_SIDE + 1)  # numbers: a tile of each factor
_FEWEST_ROWS = 64  # that a block adds up


def matmul(a: Array, b: Array, factor: float = 1.0, c: Array | None = None, of_c: float = 0.0) -> Array:
    """factor * a b + of_c * c, without the latter where c is None; all float32 or all float64, which the sums are too.

    a (N, K), b (K, M), c (N, M). -> (N, M)
    """
    (rows, inner), columns, dtype = a.shape, b.shape[1], a.dtype
    check("b", b, (inner, columns), dtype)
    check("c", c, (rows, columns), dtype)
    (a, a_turned), (b, b_turned) = _straight(a), _straight(b)
    y = array_module(a).empty((rows, columns), dtype=dtype)
    name = {"float32": "matmul", "float64": "matmul_double"}[dtype.name]
    arguments = [a, b, c if c is None else contiguous(c), y, rows, columns, inner, a_turned, b_turned,
                 dtype.type(factor), dtype.type(of_c)]  # fmt: skip
    grid = blocks(rows, _SIDE) * blocks(columns, _SIDE)
    launch(kernel("matrices.cu", name), (grid,), _THREADS, arguments, _SHARED * dtype.itemsize)
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
