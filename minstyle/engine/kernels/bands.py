"""Work on arrays as large as the picture in bands of rows, for NumPy and CuPy arrays alike.

A formula of many passes takes a third of the time on bands that stay in a core's cache.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ...backend import Array, array_module, is_cupy, to_host
from . import gpu
from .cpu import threads

_BAND = 1 << 16  # values

Result = TypeVar("Result")


def by_rows(do: Callable[[slice], Result], x: Array) -> list[Result]:
    """``do(rows)`` for slices of rows that cover x (H, W, C), on the threads; the results in the rows' order.

    On a device all rows are one band: it wants few, large kernels.
    """
    height = len(x)
    if is_cupy(x):
        return [do(slice(0, height))] if height else []
    step = max(1, _BAND // max(1, math.prod(x.shape[1:])))
    bands = [slice(top, min(top + step, height)) for top in range(0, height, step)]
    results: dict[int, Result] = {}

    def task(i: int, work: threads.Workspace) -> None:
        results[i] = do(bands[i])

    threads.run(task, range(len(bands)))
    return [results[i] for i in range(len(bands))]


def dots(*pairs: tuple[Array, Array]) -> Array:
    """The inner product of each pair of arrays of one shape, in float64, where the arrays are: see ``fetched``."""
    if all(gpu.suits_map(a, multiple=1) and gpu.suits_map(b, multiple=1) for a, b in pairs):
        return gpu.dots(pairs)
    flat = [(a.reshape(-1), b.reshape(-1)) for a, b in pairs]
    if is_cupy(pairs[0][0]):
        return array_module(pairs[0][0]).stack([a @ b for a, b in flat]).astype(np.float64)
    return np.array([_dot(a, b) for a, b in flat])


def _dot(a: Array, b: Array) -> float:
    return sum(by_rows(lambda rows: float(a[rows] @ b[rows]), a))


def row_products(rows: Array, v: Array) -> Array:
    """The product of each of ``rows`` (m, n) with v, of n entries. -> (m,), float64, where they are: see ``fetched``"""
    flat = v.reshape(-1)
    if is_cupy(v):
        return (rows @ flat).astype(np.float64)
    return sum(by_rows(lambda band: (rows[:, band] @ flat[band]).astype(np.float64), flat), np.zeros(len(rows)))


def fetched(*numbers: Array) -> list[np.ndarray]:
    """Arrays (n,), or numbers, on the host in float64; those of a device in one copy, for which the host waits once."""
    if not any(map(is_cupy, numbers)):
        return [np.atleast_1d(np.asarray(array, dtype=np.float64)) for array in numbers]
    ends = list(itertools.accumulate(array.size for array in numbers))
    together = array_module(*numbers).empty(ends[-1], dtype=np.float64)
    for array, end in zip(numbers, ends, strict=True):
        together[end - array.size : end] = array
    return np.split(to_host(together), ends[:-1])


def largest_entry(g: Array) -> Array:
    """The largest absolute value in g, 0 if it is empty, NaN if one is NaN: a scalar of g's library."""
    xp = array_module(g)
    g = xp.atleast_1d(g)
    sizes = by_rows(lambda rows: xp.maximum(g[rows].max(), -g[rows].min()), g)
    return functools.reduce(xp.maximum, sizes) if sizes else xp.zeros((), dtype=g.dtype)
