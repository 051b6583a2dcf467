"""Histograms of feature maps as quantile curves, and histogram matching (Risser et al. 2017).

Plain arrays only: a loss may take a matched map as constant. Each matched value depends on the rank of the original
alone, and ranks do not change with small steps, so the gradient is the right one all the same.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, array_module
from ..engine.kernels import sort_columns, unsort_columns

COUNT = 512  # points of a quantile curve


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
    columns = [
        xp.interp(wanted, _places(places, weights, xp), column) for places, column in zip(order, values.T, strict=True)
    ]
    return xp.stack(columns, axis=1).astype(f.dtype)


def match_histogram(f: Array, curve: Array, weights: Array | None = None) -> Array:
    """f (H, W, C) with each channel's values mapped to the quantile ``curve`` (n, C) by their rank. -> (H, W, C)

    The k-th smallest value of a channel becomes the k-th smallest of the curve's distribution. Weights as in
    ``quantiles``.
    """
    xp = array_module(f)
    values, order = sort_columns(f.reshape(-1, f.shape[2]))
    given, goal = _middles(xp, len(curve)), xp.empty_like(values)
    for c, places in enumerate(order):
        goal[:, c] = xp.interp(_places(places, weights, xp), given, curve[:, c])
    return unsort_columns(goal, order).reshape(f.shape)


def _places(order: Array, weights: Array | None, xp: Any) -> Array:
    """The quantile, 0..1, of each of the sorted values: the middle of its own share of the weights."""
    if weights is None:
        return _middles(xp, len(order))
    shares = weights.ravel()[order].astype(xp.float64)
    return xp.cumsum(shares) - 0.5 * shares


def _middles(xp: Any, count: int) -> Array:
    return (xp.arange(count) + 0.5) / count
