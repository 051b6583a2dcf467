"""Gram matrix, mean and second raw moment of feature maps. Notation as in the index, ``ops/__init__``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...backend import Array, array_module, is_cupy
from ...errors import require
from .. import kernels
from ..autodiff import Accumulating, ValueAndVjps, Var, differentiable

STRIP = 1 << 23  # entries of a map that are recomputed at a time


def gram(f: Any) -> Any:
    """Gram matrix G = F^T F of a feature map f (H, W, C), F = f as (H*W, C). -> (C, C).  Gatys et al. 2015, eq. 3.

    The adjoint of a symmetric product: dF = F (g + g^T). Keeps f, unless f can be recomputed.
    """
    return _gram(f, factor=1.0, weights=None, recompute=f.recompute if isinstance(f, Var) else None)


def weighted_mean(f: Any, weights: Array | None = None) -> Any:
    """The mean, sum over positions p of w_p f_p, of a feature map f (H, W, C). -> (C,)

    ``weights`` w (H, W), constant, are non-negative numbers that sum to 1; without them each w_p is 1 / (H * W).
    Keeps the weights. Raises ShapeError for weights of another size than the map.
    """
    _check_weights(f, weights)
    return _mean(f, weights=weights)


def raw_moment(f: Any, weights: Array | None = None) -> Any:
    """The second raw moment, sum over positions p of w_p f_p f_p^T, of a feature map f (H, W, C). -> (C, C)

    Weights as in ``weighted_mean``. With w = T^2, T the guidance channel of a region, this is its guided Gram matrix
    (Gatys et al. 2017, Controlling Perceptual Factors in Neural Style Transfer). Keeps what ``gram`` keeps, and
    the weights. Raises ShapeError for weights of another size than the map.
    """
    _check_weights(f, weights)
    recompute = f.recompute if isinstance(f, Var) else None
    factor = 1.0 / (f.shape[0] * f.shape[1]) if weights is None else 1.0
    return _gram(f, factor=factor, weights=weights, recompute=recompute)


def _check_weights(f: Any, weights: Array | None) -> None:
    if weights is not None:
        require(weights.shape == f.shape[:2], "moments: weights", f.shape[:2], weights.shape)


@differentiable
def _gram(
    f: Array, *, factor: float, weights: Array | None, recompute: Callable[[slice], Array] | None
) -> ValueAndVjps:
    """factor * F^T diag(weights) F, and dF = factor * diag(weights) F (g + g^T)."""
    shape, dtype, xp = f.shape, f.dtype, array_module(f)
    weights = None if weights is None else weights.astype(dtype)
    value = kernels.gram(f.reshape(-1, shape[-1]), None if weights is None else weights.reshape(-1))
    value = value if factor == 1.0 else value * factor

    def symmetric(g: Array) -> Array:
        total = kernels.plus_transpose(g)
        return total if factor == 1.0 else total * factor

    if recompute is None:
        return value, (Accumulating(lambda g, into: kernels.add_product(f, symmetric(g), into, weights)),)
    step = max(1, (STRIP << 3 if is_cupy(f) else STRIP) // math.prod(shape[1:]))

    def vjp(g: Array, into: Array | None) -> Array:
        into = xp.zeros(shape, dtype=dtype) if into is None else into
        for top in range(0, shape[0], step):
            rows = slice(top, min(top + step, shape[0]))
            kernels.add_product(recompute(rows), symmetric(g), into[rows], None if weights is None else weights[rows])
        return into

    return value, (Accumulating(vjp),)


@differentiable
def _mean(f: Array, *, weights: Array | None) -> ValueAndVjps:
    """The mean, and its adjoint df_p = w_p g: w as a map of one channel (H, W, 1) times g as a matrix (1, C)."""
    (height, width, channels), dtype = f.shape, f.dtype
    factor = 1 / (height * width) if weights is None else 1.0
    weights = array_module(f).ones((height, width), dtype=dtype) if weights is None else weights.astype(dtype)
    value = kernels.weighted_sum(f.reshape(-1, channels), weights.reshape(-1)) * factor
    column = weights[:, :, None]
    return value.astype(dtype), (Accumulating(lambda g, into: kernels.add_product(column, g[None] * factor, into)),)
