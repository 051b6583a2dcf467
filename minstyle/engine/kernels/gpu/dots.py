"""Inner products on a device, several at once, by the kernels of ``sources/dots.cu``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....backend import Array, array_module
from .compiled import blocks, check, contiguous, kernel, launch, multiprocessors

_THREADS, _MOST = 256, 4
_SHARED = _THREADS * 8  # bytes


def dots(pairs: Sequence[tuple[Array, Array]]) -> Array:
    """The inner product of each pair of arrays of equally many entries, at most 4 pairs. -> float64, on the device"""
    xp, n = array_module(pairs[0][0]), pairs[0][0].size
    for a, b in pairs:
        check("b", b, tuple(a.shape))
    grid = max(1, min(blocks(n, 4 * _THREADS), 4 * multiprocessors()))
    parts = xp.empty((len(pairs), grid), dtype=np.float64)
    given = [contiguous(array) for pair in pairs for array in pair]
    given += [None] * (2 * _MOST - len(given))
    launch(kernel("dots.cu", "dot_parts"), (grid,), _THREADS, [*given, parts, np.int64(n), len(pairs)], _SHARED)
    return summed(parts)


def summed(parts: Array) -> Array:
    """The sum of each row of ``parts`` (N, K), float64. -> (N,)"""
    count, of_each = parts.shape
    sums = array_module(parts).empty(count, dtype=np.float64)
    launch(kernel("dots.cu", "dot_sums"), (count,), _THREADS, [parts, sums, of_each], _SHARED)
    return sums
