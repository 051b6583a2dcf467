"""Total variation and its gradient, in bands of rows, for NumPy and CuPy arrays alike."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

from ...backend import Array, array_module
from . import gpu
from .bands import by_rows


def variation_with_gradient(x: Array, exponent: float) -> tuple[Array, Array] | None:
    """(``total_variation``'s sum, its gradient) in one pass, where x is an array of float32 on a device; else None."""
    return gpu.coupled_variation(x, exponent) if gpu.suits_map(x, multiple=1) else None


def apart_with_gradient(
    x: Array, steps: Sequence[tuple[tuple[int, int], float]], squared: bool
) -> tuple[Array, Array] | None:
    """(the sum over two ``steps`` ((down, along), factor) of factor d^2, or factor |d|; its gradient), as there."""
    return gpu.variation_apart(x, steps, squared) if gpu.suits_map(x, multiple=1) else None


def total_variation(x: Array, exponent: float) -> tuple[Array, Array]:
    """(sum of s^exponent in float64, s^(exponent - 1)) for s = d_along^2 + d_down^2 of x (H, W, C).

    s is (H - 1, W - 1, C); d_along, d_down: see ``_differences``. For an exponent below 1 the second result is 1
    where x is flat; it only ever multiplies d_along = d_down = 0 there.
    """
    xp = array_module(x)
    power = xp.empty((max(x.shape[0] - 1, 0), max(x.shape[1] - 1, 0), x.shape[2]), dtype=x.dtype)

    def band(rows: slice) -> Array:
        d_along, d_down = _differences(x, rows)
        s = d_along * d_along + d_down * d_down
        power[rows] = (xp.where(s > 0, s, 1) if exponent < 1 else s) ** (exponent - 1)
        return xp.sum(s * power[rows], dtype=xp.float64)

    sums = by_rows(band, x[:-1])
    return functools.reduce(operator.add, sums, xp.zeros((), dtype=xp.float64)), power


def total_variation_gradient(x: Array, power: Array, factor: Array) -> Array:
    """factor * power * d for both differences d, added to one pixel of d, subtracted from the other. -> (H, W, C)"""
    out = array_module(x).empty_like(x)

    def band(rows: slice) -> None:
        # A row of pixels takes part in its own differences and, as the lower row, in d_down of the row above.
        seen = slice(max(rows.start - 1, 0), min(rows.stop, power.shape[0]))
        above = rows.start - seen.start  # 1, or 0 for the first band
        slope = factor * power[seen]
        along, down = (slope * difference for difference in _differences(x, seen))
        part = out[rows]
        part[...] = 0
        own = part[: len(along) - above]
        own[:, 1:] += along[above:]
        own[:, :-1] -= along[above:] + down[above:]
        part[1 - above :, :-1] += down[: len(part) - 1 + above]

    by_rows(band, x)
    return out


def _differences(x: Array, rows: slice) -> tuple[Array, Array]:
    """d_along (to the next pixel of the row) and d_down (to the one below) of some rows: (rows, W - 1, C) each."""
    part = x[rows.start : rows.stop + 1]
    corner = part[:-1, :-1]
    return part[:-1, 1:] - corner, part[1:, :-1] - corner
