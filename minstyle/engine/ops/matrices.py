"""Functions of small matrices (C, C): outer product, diagonal, square root. Notation as in the index, ``ops/__init__``.

Losses that compare distributions by their moments are made of them.
"""

from __future__ import annotations

import math

from ...backend import Array, array_module, is_cupy
from ...errors import require
from .. import kernels
from ..autodiff import ValueAndVjps, differentiable


@differentiable
def outer(a: Array) -> ValueAndVjps:
    """a a^T of a vector a (C,). -> (C, C). Keeps a: da = (g + g^T) a."""
    return a[:, None] * a, (lambda g: kernels.matmul(g + g.T, a),)


@differentiable
def diagonal(s: Array) -> ValueAndVjps:
    """The diagonal (C,) of a matrix (C, C). Keeps nothing."""
    xp = array_module(s)
    return xp.diagonal(s).copy(), (xp.diag,)


@differentiable
def matrix_sqrt(s: Array) -> ValueAndVjps:
    """The square root X of a symmetric positive definite S (C, C), X X = S, by its eigenvectors. -> (C, C)

    Computed in float64, returned in S's type. The adjoint solves dS X + X dS = (g + g^T) / 2, a Sylvester equation:
    with S = U diag(x^2) U^T, dS = U ((U^T g U) / (x_i + x_j)) U^T, g made symmetric. Only S's symmetric part is used.
    Eigenvalues that are negative, or zero within rounding, are taken as 0; for a pair of them, x_i + x_j = 0, the
    quotient is taken as 0. An S with NaN or infinite entries gives NaN. Keeps U and x. Raises ShapeError unless S is
    square.
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
    """The trace of ``matrix_sqrt(R S R)``, R the constant symmetric ``root`` (None: identity): a float64 scalar.

    It is the cross term of the squared Wasserstein-2 distance of two Gaussians with covariances A and S, which is
    |mean - mean'|^2 + trace(A) + trace(S) - 2 trace sqrt(R S R) with R = A^(1/2) (Olkin and Pukelsheim 1982).

    Computed as the sum of the singular values x of R S^(1/2) = U diag(x) V^T: the eigenvalues of R S R are their
    squares, and lose half of the digits. dS = g R U diag(1 / x) U^T R / 2, with 1 / x taken as 0 where x is 0.
    Eigenvalues of S below ``floor`` are taken for rounding and raised to it; beyond that as in ``matrix_sqrt``.
    Keeps R U and x. Raises ShapeError unless S is square. On a device, with a ``floor``, by products of matrices, see
    ``kernels/roots.py``: to 1e-9 the same where eigenvalues lie within 1e6 of each other; keeps dS / g.
    """
    dtype, xp = s.dtype, array_module(s)
    if is_cupy(s) and floor > 0:
        _require_square(s)
        value, slope = kernels.trace_sqrt(s, root, floor)
        return value, (lambda g: (g * slope).astype(dtype),)
    roots, side = _root_eigenvalues(s)
    roots = xp.maximum(roots, math.sqrt(floor))
    if root is not None:
        r = root.astype(xp.float64)
        product, nan = _finite((r @ side) * roots)
        u, roots, _ = xp.linalg.svd(product)
        side = r @ u
        roots = xp.where(roots > len(roots) * xp.finfo(xp.float64).eps * roots.max(), roots, 0) + nan
    return roots.sum(), (lambda g: (side * (0.5 * g * _inverse(roots)) @ side.T).astype(dtype),)


def _root_eigenvalues(s: Array) -> tuple[Array, Array]:
    """(square roots (C,) of a symmetric matrix's eigenvalues, eigenvectors (C, C)) in float64.

    Eigenvalues that are negative, or zero within rounding, give 0; of a matrix that is not finite all are NaN.
    """
    _require_square(s)
    xp = array_module(s)
    double, nan = _finite(s.astype(xp.float64))
    values, vectors = xp.linalg.eigh(0.5 * (double + double.T))
    rounding = len(values) * xp.finfo(xp.float64).eps * xp.abs(values).max()
    return xp.sqrt(xp.where(values > rounding, values, 0)) + nan, vectors


def _require_square(s: Array) -> None:
    require(s.ndim == 2 and s.shape[0] == s.shape[1], "matrix square root", "a square matrix (C, C)", s.shape)


def _finite(s: Array) -> tuple[Array, Array]:
    """(s with 0 for what is NaN or infinite; NaN if there is any of that, else 0): it is not to be factorised.

    NumPy would raise an error, and of cuSOLVER it is not known what it gives.
    """
    xp = array_module(s)
    good = xp.isfinite(s)
    return xp.where(good, s, 0), xp.where(good, 0.0, xp.nan).sum()


def _inverse(x: Array) -> Array:
    """1 / x, 0 where x is 0, NaN where it is NaN."""
    xp = array_module(x)
    return xp.where(x == 0, 0, 1 / xp.where(x == 0, 1, x))
