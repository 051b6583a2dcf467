"""Statistics of feature maps as differentiable ops; part of ``ops``, whose words and forms hold here.

Gram matrices and moments, and what makes distances of distributions from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...backend import Array, array_module
from ...errors import require
from .. import kernels
from ..autodiff import Adding, Var, Vjp, differentiable

ValueAndVjps = tuple[Array, tuple[Vjp, ...]]
_AGAIN = 1 << 23  # values of a map that are computed again at a time


# ---------------------------------------------------------------- moments


def gram(f: Any) -> Any:
    """Gram matrix G = F^T F of a feature map f (H, W, C), F = f as (H*W, C). -> (C, C).  Gatys et al. 2015, eq. 3.

    The adjoint of a symmetric product: dF = F (g + g^T). Keeps f, unless f can be computed again.
    """
    return _gram(f, factor=1.0, weights=None, again=f.again if isinstance(f, Var) else None)


def moments(f: Any, weights: Array | None = None) -> tuple[Any, Any]:
    """``weighted_mean`` (C,) and ``raw_moment`` (C, C): not central, so that those of pictures average."""
    return weighted_mean(f, weights), raw_moment(f, weights)


def weighted_mean(f: Any, weights: Array | None = None) -> Any:
    """sum of w_p f_p over the positions of a feature map f (H, W, C). -> (C,)

    ``weights`` w (H, W), constant, are non-negative numbers that sum to 1; without them every position counts 1/(H*W).
    Keeps the weights. Raises ShapeError for weights of another size than the map.
    """
    _check_weights(f, weights)
    return _mean(f, weights=weights)


def raw_moment(f: Any, weights: Array | None = None) -> Any:
    """sum of w_p f_p f_p^T over the positions of a feature map f (H, W, C). -> (C, C)

    Weights as in ``weighted_mean``. With T = sqrt(w) it is the guided Gram matrix of a region (Gatys et al. 2017,
    Controlling Perceptual Factors in Neural Style Transfer). Keeps what ``gram`` keeps, and the weights.
    """
    _check_weights(f, weights)
    again = f.again if isinstance(f, Var) else None
    factor = 1.0 / (f.shape[0] * f.shape[1]) if weights is None else 1.0
    return _gram(f, factor=factor, weights=weights, again=again)


def _check_weights(f: Any, weights: Array | None) -> None:
    if weights is not None:
        require(weights.shape == f.shape[:2], "moments: weights", f.shape[:2], weights.shape)


@differentiable
def _gram(f: Array, *, factor: float, weights: Array | None, again: Callable[[slice], Array] | None) -> ValueAndVjps:
    """factor * F^T diag(weights) F, and dF = factor * diag(weights) F (g + g^T)."""
    shape, dtype, xp = f.shape, f.dtype, array_module(f)
    weights = None if weights is None else weights.astype(dtype)
    value = kernels.gram(f.reshape(-1, shape[-1]), None if weights is None else weights.reshape(-1))
    value = value if factor == 1.0 else value * factor

    def symmetric(g: Array) -> Array:
        return (g + g.T) if factor == 1.0 else (g + g.T) * factor

    if again is None:
        return value, (Adding(lambda g, into: kernels.add_product(f, symmetric(g), into, weights)),)
    step = max(1, _AGAIN // math.prod(shape[1:]))

    def vjp(g: Array, into: Array | None) -> Array:
        into = xp.zeros(shape, dtype=dtype) if into is None else into
        for top in range(0, shape[0], step):
            rows = slice(top, min(top + step, shape[0]))
            kernels.add_product(again(rows), symmetric(g), into[rows], None if weights is None else weights[rows])
        return into

    return value, (Adding(vjp),)


@differentiable
def _mean(f: Array, *, weights: Array | None) -> ValueAndVjps:
    """sum of w_p f_p over the positions. -> (C,). The adjoint w_p g is a product of a column and a row."""
    (height, width, channels), dtype = f.shape, f.dtype
    factor = 1 / (height * width) if weights is None else 1.0
    weights = array_module(f).ones((height, width), dtype=dtype) if weights is None else weights.astype(dtype)
    value = kernels.weighted_sum(f.reshape(-1, channels), weights.reshape(-1)) * factor
    column = weights[:, :, None]
    return value.astype(dtype), (Adding(lambda g, into: kernels.add_product(column, g[None] * factor, into)),)


# ---------------------------------------------------------------- matrices


@differentiable
def outer(a: Array) -> ValueAndVjps:
    """a a^T of a vector a (C,). -> (C, C). Keeps a: da = (g + g^T) a."""
    return a[:, None] * a, (lambda g: (g + g.T) @ a,)


@differentiable
def diagonal(s: Array) -> ValueAndVjps:
    """The diagonal (C,) of a matrix (C, C). Keeps nothing."""
    xp = array_module(s)
    return xp.diagonal(s).copy(), (xp.diag,)


@differentiable
def matrix_sqrt(s: Array) -> ValueAndVjps:
    """The square root X of a symmetric positive definite S (C, C), X X = S, by its eigenvectors. -> (C, C)

    Computed in float64, returned in S's type. The adjoint solves dS X + X dS = (g + g^T) / 2, a Sylvester equation:
    with S = U diag(x^2) U^T, dS = U ((U^T g U) / (x_i + x_j)) U^T, g symmetric. Of S only the symmetric part counts.
    Eigenvalues that are below 0 or not above it by more than rounding count as 0, and the derivative between two of
    them is taken as 0. Keeps U and x.
    """
    dtype = s.dtype
    roots, vectors = _root_eigenvalues(s)

    def vjp(g: Array) -> Array:
        inside = vectors.T @ (0.5 * (g + g.T)) @ vectors
        inside *= _inverse(roots[:, None] + roots)
        return (vectors @ inside @ vectors.T).astype(dtype)

    return ((vectors * roots) @ vectors.T).astype(dtype), (vjp,)


@differentiable
def trace_sqrt(s: Array, *, root: Array | None = None, floor: float = 0.0) -> ValueAndVjps:
    """The trace of ``matrix_sqrt(R S R)``, R the constant symmetric ``root`` (None: 1): a float64 scalar.

    The Wasserstein-2 distance of Gaussians with covariances A and S is made of it: it is |mean - mean'|^2 + trace(A)
    + trace(S) - 2 trace sqrt(R S R), R = A^(1/2) (Olkin and Pukelsheim 1982). It is the sum of the singular values x of
    R S^(1/2) = U diag(x) V^T, which keep the digits that R S R, of squares, loses; dS = g R U diag(1 / x) U^T R / 2.
    Eigenvalues of S below ``floor`` are rounding: they count as ``floor``. Else they count as in ``matrix_sqrt``; at 0
    the derivative is taken as 0. Keeps R U and x.
    """
    dtype, xp = s.dtype, array_module(s)
    roots, side = _root_eigenvalues(s)
    roots = xp.maximum(roots, math.sqrt(floor))
    if root is not None:
        r = root.astype(xp.float64)
        u, roots, _ = xp.linalg.svd((r @ side) * roots)
        side = r @ u
        roots = xp.where(roots > len(roots) * xp.finfo(xp.float64).eps * roots.max(), roots, 0)
    return roots.sum(), (lambda g: (side * (0.5 * g * _inverse(roots)) @ side.T).astype(dtype),)


def _root_eigenvalues(s: Array) -> tuple[Array, Array]:
    """(square roots (C,) of the eigenvalues of a symmetric matrix, 0 for those that are not positive, eigenvectors)."""
    require(s.ndim == 2 and s.shape[0] == s.shape[1], "matrix square root", "a square matrix (C, C)", s.shape)
    xp = array_module(s)
    double = s.astype(xp.float64)
    values, vectors = xp.linalg.eigh(0.5 * (double + double.T))
    rounding = len(values) * xp.finfo(xp.float64).eps * xp.abs(values).max()
    return xp.sqrt(xp.where(values > rounding, values, 0)), vectors


def _inverse(x: Array) -> Array:
    """1 / x, and 0 where x is 0."""
    xp = array_module(x)
    return xp.where(x > 0, 1 / xp.where(x > 0, x, 1), 0)
