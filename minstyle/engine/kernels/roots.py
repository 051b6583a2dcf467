"""The trace of a matrix's square root, and its slope, by products of matrices alone, for NumPy and CuPy arrays alike.

On a device factorisations take long, wait for the host and cannot be recorded (``gpu/replay.py``).
"""

from __future__ import annotations

import functools
import math

from ...backend import Array, array_module, is_cupy
from . import gpu

# Down to this part of the norm a singular value counts in full, one below it the less the smaller it is. A square root
# is half as far away from 1 as its square, in steps.
_LEAST, _LEAST_ROOT = 1e-10, 1e-6
_STABLE = 1.69770248526  # with longer steps than this, rounding grows: Chen and Chow 2014


def trace_sqrt(s: Array, root: Array | None, floor: float) -> tuple[Array, Array]:
    """``ops.trace_sqrt`` for a ``floor`` above 0: (the trace, a float64 scalar; its gradient with respect to S (C, C)).

    With S = T T, eigenvalues below ``floor`` raised to it, and the polar factor Q of M = R T (its singular values made
    1), the trace of (R S R)^(1/2) = (M M^T)^(1/2) is that of Q^T M, and its gradient R (R S R)^(-1/2) R / 2 =
    R Q T^(-1) / 2. R S R itself would lose half of the digits.
    """
    xp = array_module(s)
    s, ground = s.astype(xp.float64), floor * xp.eye(len(s))
    t, inverse = _roots(_positive_part(0.5 * (s + s.T) - ground) + ground)
    r = xp.eye(len(s)) if root is None else root.astype(xp.float64)
    m = _product(r, t)
    q = _polar(m)
    slope = _product(_product(r, q), inverse)
    return (q * m).sum(), 0.25 * (slope + slope.T)


def _polar(x: Array) -> Array:
    """The orthogonal Q of x = Q H, H symmetric and positive semidefinite. Of a symmetric x: its eigenvalues' signs.

    Newton and Schulz's iteration, x <- (3 x - x x^T x) / 2, which brings the singular values of x / |x| to 1.
    """
    x = x / _norm(x)
    for step in _steps(_LEAST):
        x = _product(_product(x, x.T), x, -0.5 * step**3, x, 1.5 * step)
    return x


def _positive_part(s: Array) -> Array:
    """A symmetric matrix with 0 for its negative eigenvalues; those too small to tell give none that is negative."""
    sign = _polar(s)
    sizes = _product(sign, s)
    part = _product(sign, sizes, 0.5, sizes, 0.5)
    return 0.5 * (part + part.T)


def _roots(s: Array) -> tuple[Array, Array]:
    """(S^(1/2), S^(-1/2)) of a positive definite S: both by one iteration, see Higham, Functions of Matrices, 6.7."""
    norm = _norm(s)
    y, z = s / norm, array_module(s).eye(len(s))
    for step in _steps(_LEAST_ROOT):
        w = _product(z, y)
        y, z = (_product(a, b, -0.5 * step**3, c, 1.5 * step) for a, b, c in ((y, w, y), (w, z, z)))
    norm = array_module(s).sqrt(norm)
    return y * norm, z / norm


@functools.cache
def _steps(least: float) -> tuple[float, ...]:
    """By what to multiply x before each iteration, so that values from ``least`` to 1 become 1 in the fewest.

    An iteration brings the interval [l, 1] to [l', 1], l' being what becomes of the nearer of its ends: J. Chen and
    E. Chow, A stable scaling of Newton-Schulz for improving the sign function computation of a Hermitian matrix, 2014.
    """
    steps = []
    while least < 1 - 1e-9:
        step = min(_STABLE, math.sqrt(3 / (1 + least + least * least)))
        steps.append(step)
        least = min(step * x * (3 - (step * x) ** 2) / 2 for x in (least, 1.0))
    return *steps, 1.0


def _norm(s: Array) -> Array:
    """The Frobenius norm, which no singular value exceeds; above 0, so that it may divide."""
    xp = array_module(s)
    return xp.maximum(xp.sqrt((s * s).sum()), xp.finfo(xp.float64).tiny)


def _product(a: Array, b: Array, factor: float = 1.0, c: Array | None = None, of_c: float = 0.0) -> Array:
    """factor * a b + of_c * c, of float64 matrices."""
    if is_cupy(a):
        return gpu.matmul(a, b, factor, c, of_c)
    product = factor * (a @ b)
    return product if c is None else product + of_c * c
