"""Histograms of feature maps as quantile curves, and histogram matching (Risser et al. 2017).

Plain arrays only: a loss may take a matched map as constant. Each matched value depends on the rank of the original
alone, and ranks do not change with small steps, so the gradient is the right one all the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array, array_module, is_cupy
from ..engine.kernels import sort_columns, unsort_columns

COUNT = 512  # points of a quantile curve
_TOGETHER = 1 << 25  # values of a map whose places are computed at a time, on a device


def quantiles(f: Array, weights: Array | None = None) -> Array:
    """The quantiles at (i + 1/2) / COUNT, i = 0..COUNT-1, of each channel of f (H, W, C). -> (COUNT, C)

    ``weights`` (H, W), summing to 1, are those of the positions (None: all alike).
    """
    xp, f = array_module(f), f.reshape(-1, f.shape[2])
    if weights is not None:  # positions of weight 0 are no points to interpolate between
        counts = weights.ravel() > 0
        f, weights = f[counts], weights.ravel()[counts]
    values, order = sort_columns(f)
    wanted = _middles(xp, COUNT)
    if weights is None:
        return _sampled(values, wanted[None], f.dtype)
    columns = [xp.interp(wanted, _places(places, weights), column)
               for places, column in zip(order, values.T, strict=True)]  # fmt: skip
    return xp.stack(columns, axis=1).astype(f.dtype)


def match_histogram(f: Array, curve: Array, weights: Array | None = None) -> Array:
    """f (H, W, C) with each channel's values mapped to the quantile ``curve`` (n, C) by their rank. -> (H, W, C)

    The k-th smallest value of a channel becomes the k-th smallest of the curve's distribution. Weights as in
    ``quantiles``.
    """
    values, order = sort_columns(f.reshape(-1, f.shape[2]))
    if weights is None:
        goal = _sampled(curve, _middles(array_module(f), len(order[0]))[None], values.dtype)
    else:
        goal = array_module(f).empty_like(values)
        for some in _parts(order):
            goal[:, some] = _sampled(curve[:, some], _places(order[some], weights), values.dtype)
    return unsort_columns(goal, order).reshape(f.shape)


def _sampled(curve: Array, places: Array, dtype: Any) -> Array:
    """The quantiles at ``places``, (C, M) or (1, M) for all channels, of curves (n, C) as ``quantiles`` has them.

    -> (M, C). What lies before the first point, or after the last, has its value.
    """
    count, channels = curve.shape
    if not is_cupy(curve):
        given, found = _middles(np, count), np.empty((channels, places.shape[1]), dtype)
        for c in range(channels):
            found[c] = np.interp(places[c % len(places)], given, curve[:, c])
        return found.T
    # The points are even, so that it is known between which of them a place lies: a few kernels for all channels.
    xp = array_module(curve)
    steps = (places * count - 0.5).clip(0, count - 1)
    below = steps.astype(xp.int32)
    share, above = (steps - below).astype(dtype), xp.minimum(below + 1, count - 1)
    rows, each = curve.T, xp.arange(channels)[:, None]
    low = rows[each, below]
    return (low + (rows[each, above] - low) * share).T


def _parts(order: Array) -> list[slice]:
    """Channels of (C, M) to be worked on together: one on the host, where a core's cache holds it, on a device many."""
    channels, positions = order.shape
    step = max(1, _TOGETHER // positions) if is_cupy(order) else 1
    return [slice(c, c + step) for c in range(0, channels, step)]


def _places(order: Array, weights: Array) -> Array:
    """The quantile, 0..1, of each of the sorted values (..., M): the middle of its own share of the weights."""
    xp = array_module(order)
    shares = weights.ravel()[order].astype(xp.float64)
    return xp.cumsum(shares, axis=-1) - 0.5 * shares


def _middles(xp: Any, count: int) -> Array:
    return (xp.arange(count) + 0.5) / count
