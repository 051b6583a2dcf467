"""Total variation and its gradient, on bands of rows that stay in a core's cache, on the threads.

Value and gradient are some twenty passes over arrays as large as the picture; from the cache they take a third of the
time.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import TypeVar

from ...backend import Array, array_module, is_cupy
from .cpu import threads

_BAND = 1 << 16  # values

Result = TypeVar("Result")


def total_variation(x: Array, exponent: float) -> tuple[Array, Array]:
    """(sum of s^exponent in float64, s^(exponent - 1)) with s = dx^2 + dy^2 of x (H, W, C), as (H - 1, W - 1, C).

    Where x is flat and the exponent below 1 the second is 1, to be multiplied by dx = dy = 0.
    """
    xp = array_module(x)
    power = xp.empty((max(x.shape[0] - 1, 0), max(x.shape[1] - 1, 0), x.shape[2]), dtype=x.dtype)

    def band(rows: slice) -> Array:
        dx, dy = _differences(x, rows)
        s = dx * dx + dy * dy
        power[rows] = (xp.where(s > 0, s, 1) if exponent < 1 else s) ** (exponent - 1)
        return xp.sum(s * power[rows], dtype=xp.float64)

    sums = by_rows(band, x[:-1])
    return functools.reduce(operator.add, sums, xp.zeros((), dtype=xp.float64)), power


def total_variation_gradient(x: Array, power: Array, factor: Array) -> Array:
    """factor * power * (dx, dy), each difference given to its two pixels with opposite signs. -> (H, W, C)"""
    out = array_module(x).empty_like(x)

    def band(rows: slice) -> None:
        # A row's pixels are in their own differences and, as the lower ones, in those of the row above.
        seen = slice(max(rows.start - 1, 0), min(rows.stop, power.shape[0]))
        above = rows.start - seen.start  # 1, or 0 for the first band
        slope = factor * power[seen]
        dx, dy = (slope * difference for difference in _differences(x, seen))
        part = out[rows]
        part[...] = 0
        own = part[: len(dx) - above]
        own[:, 1:] += dx[above:]
        own[:, :-1] -= dx[above:] + dy[above:]
        part[1 - above :, :-1] += dy[: len(part) - 1 + above]

    by_rows(band, x)
    return out


def by_rows(do: Callable[[slice], Result], x: Array) -> list[Result]:
    """``do`` for bands of rows that cover x (H, W, C), on the threads; the results in the bands' order.

    On a device it is one band.
    """
    height, values = len(x), math.prod(x.shape[1:])
    step = max(1, height if is_cupy(x) else _BAND // max(1, values))
    bands = [slice(top, min(top + step, height)) for top in range(0, height, step)]
    if is_cupy(x):
        return [do(band) for band in bands]
    results: dict[int, Result] = {}

    def task(i: int, work: threads.Workspace) -> None:
        results[i] = do(bands[i])

    threads.run(task, range(len(bands)))
    return [results[i] for i in range(len(bands))]


def _differences(x: Array, rows: slice) -> tuple[Array, Array]:
    part = x[rows.start : rows.stop + 1]
    corner = part[:-1, :-1]
    return part[:-1, 1:] - corner, part[1:, :-1] - corner
