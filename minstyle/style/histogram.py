"""Histograms of feature maps as curves of quantiles, and the map that has another's histograms (Risser et al. 2017).

No differentiation: a matched map counts as constant, and the distance to it then has the right gradient, since the
order of the values, on which it depends, does not change with small steps.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, array_module
from ..engine.kernels import sort_columns, unsort_columns

COUNT = 512  # points of a curve


def quantiles(f: Array, weights: Array | None = None) -> Array:
    """The quantiles at (i + 1/2) / COUNT of each channel of f (H, W, C). -> (COUNT, C)

    ``weights`` (H, W), summing to 1, say how much each position counts; None: all alike.
    """
    xp, f = array_module(f), f.reshape(-1, f.shape[2])
    if weights is not None:  # what does not count is no point of the curve either
        counts = weights.ravel() > 0
        f, weights = f[counts], weights.ravel()[counts]
    values, order = sort_columns(f)
    wanted = _middles(xp, COUNT)
    columns = [
        xp.interp(wanted, _places(places, weights, xp), column) for places, column in zip(order, values.T, strict=True)
    ]
    return xp.stack(columns, axis=1).astype(f.dtype)


def match_histogram(f: Array, curve: Array, weights: Array | None = None) -> Array:
    """f (H, W, C) with each channel's values replaced, in their order, by those of the quantiles ``curve`` (n, C)."""
    xp = array_module(f)
    values, order = sort_columns(f.reshape(-1, f.shape[2]))
    given, goal = _middles(xp, len(curve)), xp.empty_like(values)
    for c, places in enumerate(order):
        goal[:, c] = xp.interp(_places(places, weights, xp), given, curve[:, c])
    return unsort_columns(goal, order).reshape(f.shape)


def _places(order: Array, weights: Array | None, xp: Any) -> Array:
    """Where in 0..1 each of the sorted values stands: in the middle of its own share."""
    if weights is None:
        return _middles(xp, len(order))
    shares = weights.ravel()[order].astype(xp.float64)
    return xp.cumsum(shares) - 0.5 * shares


def _middles(xp: Any, count: int) -> Array:
    return (xp.arange(count) + 0.5) / count
