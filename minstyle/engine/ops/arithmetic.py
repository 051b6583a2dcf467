"""Arithmetic: sums, products, square root, ReLU, reductions, squares. Notation as in the index, ``ops/__init__``."""

from __future__ import annotations

import math

from ...backend import Array, array_module
from ...errors import require
from .. import kernels
from ..autodiff import ValueAndVjps, Vjp, differentiable


@differentiable
def add(x: Array, y: Array) -> ValueAndVjps:
    """x + y, with broadcasting. Keeps nothing."""
    return x + y, (_unbroadcast(x), _unbroadcast(y))


@differentiable
def multiply(x: Array, y: Array) -> ValueAndVjps:
    """x * y, entry by entry, with broadcasting. Keeps for each differentiated factor the other one."""
    to_x, to_y = _unbroadcast(x), _unbroadcast(y)
    return x * y, (lambda g: to_x(g * y), lambda g: to_y(g * x))


@differentiable
def scale(x: Array, *, factor: float) -> ValueAndVjps:
    """factor * x for a constant number ``factor``. Keeps nothing."""
    factor = float(factor)
    return kernels.rounded(x * factor), (lambda g: g * factor,)


@differentiable
def sqrt(x: Array) -> ValueAndVjps:
    """y = sqrt(max(x, 0)), entry by entry: below 0 can only be rounding. Keeps y: dx = g / (2 y), and 0 at y = 0."""
    xp = array_module(x)
    y = xp.sqrt(xp.maximum(x, 0))
    return y, (lambda g: xp.where(y > 0, 0.5 * g / xp.where(y > 0, y, 1), 0).astype(y.dtype, copy=False),)


@differentiable
def matmul(a: Array, b: Array) -> ValueAndVjps:
    """Matrix product of a (n, k) and b (k, m). -> (n, m). Keeps the other factor: da = g b^T, db = a^T g.

    Raises ShapeError for shapes that do not match.
    """
    require(a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[0], "matmul",
            "(n, k) and (k, m)", f"{a.shape} and {b.shape}")  # fmt: skip
    return kernels.matmul(a, b), (lambda g: kernels.matmul(g, b.T), lambda g: kernels.matmul(a.T, g))


@differentiable
def reshape(x: Array, *, shape: tuple[int, ...]) -> ValueAndVjps:
    """x with the same entries in the same order, in another shape. Keeps nothing."""
    old = x.shape
    return x.reshape(shape), (lambda g: g.reshape(old),)


@differentiable
def reduce_sum(x: Array, *, axis: int | tuple[int, ...] | None = None) -> ValueAndVjps:
    """Sum over ``axis``, or over everything (then a float64 scalar). Keeps nothing: the gradient is spread evenly."""
    return _reduced(x, axis, 1.0)


@differentiable
def reduce_mean(x: Array, *, axis: int | tuple[int, ...] | None = None) -> ValueAndVjps:
    """Mean over ``axis``, or over everything (then a float64 scalar). Keeps nothing."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return _reduced(x, axis, 1.0 / math.prod(x.shape[a] for a in axes))


def _unbroadcast(x: Array) -> Vjp:
    """The adjoint of broadcasting x: g summed over the axes along which x was repeated, in x's shape and type."""
    shape, dtype = x.shape, x.dtype

    def vjp(g: Array) -> Array:
        extra = tuple(range(g.ndim - len(shape)))
        g = g.sum(axis=extra) if extra else g
        repeated = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
        g = g.sum(axis=repeated, keepdims=True) if repeated else g
        return g.astype(dtype, copy=False)

    return vjp


def _reduced(x: Array, axis: int | tuple[int, ...] | None, factor: float) -> ValueAndVjps:
    """factor * sum of x over axis, and its adjoint: dx = factor * g, repeated along the axis."""
    xp, shape, dtype = array_module(x), x.shape, x.dtype
    total = xp.sum(x, axis=axis, dtype=xp.float64) * factor

    def vjp(g: Array) -> Array:
        g = (g if axis is None else xp.expand_dims(g, axis)) * factor
        return xp.broadcast_to(g, shape).astype(dtype)

    return total if axis is None else total.astype(dtype), (vjp,)


@differentiable
def relu(x: Array) -> ValueAndVjps:
    """max(x, 0). Keeps the mask x > 0, a byte per entry; the derivative at 0 is taken as 0."""
    mask = x > 0
    return kernels.rounded(array_module(x).maximum(x, 0)), (lambda g: g * mask,)


@differentiable
def squared_excess(x: Array, *, low: float = 0.0, high: float = 255.0) -> ValueAndVjps:
    """mean of (x - x clipped to low..high)^2, a float64 scalar. Keeps that difference e: dx = 2 g e / x.size."""
    xp = array_module(x)
    excess = x - xp.minimum(xp.maximum(x, low), high)
    return xp.mean(excess * excess, dtype=xp.float64), (lambda g: (2 * g / x.size).astype(x.dtype) * excess,)


@differentiable
def squared_error(x: Array, target: Array) -> ValueAndVjps:
    """sum (x - target)^2, a float64 scalar. Keeps the difference: dx = 2 g (x - target).

    Raises ShapeError for different shapes.
    """
    require(x.shape == target.shape, "squared_error: target", x.shape, target.shape)
    xp = array_module(x, target)
    difference = x - target
    return xp.sum(difference * difference, dtype=xp.float64), (
        lambda g: (2 * g).astype(difference.dtype) * difference,
        lambda g: (-2 * g).astype(difference.dtype) * difference,
    )
