"""Every differentiable op, its value and its adjoint side by side. With ``convolution.py`` it is the mathematics.

An op is a function of arrays (positional) and settings (keyword) that returns ``(value, vjps)``: see ``autodiff``.
Feature maps are (H, W, C); ``g`` is the gradient of the loss with respect to the op's result. Sums to a scalar are
accumulated and returned in float64 whatever the arrays' type: a loss adds a million squares, and L-BFGS looks at its
last digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import kernels
from .autodiff import Adding, Var, Vjp, differentiable
from .backend import Array, array_module
from .convolution import conv2d, conv_relu, conv_relu_pool2
from .errors import require

ValueAndVjps = tuple[Array, tuple[Vjp, ...]]
_AGAIN = 1 << 23  # values of a map that are computed again at a time

__all__ = [
    "add", "avg_pool2", "conv2d", "conv_relu", "conv_relu_pool2", "gram", "l2_pool2", "matmul", "max_pool2", "mean",
    "moments", "multiply", "pad", "relu", "reshape", "scale", "squared_error", "sum", "total_variation",
]  # fmt: skip


# ---------------------------------------------------------------- arithmetic


@differentiable
def add(x: Array, y: Array) -> ValueAndVjps:
    """x + y, with broadcasting. Keeps nothing."""
    return x + y, (_summed_like(x), _summed_like(y))


@differentiable
def multiply(x: Array, y: Array) -> ValueAndVjps:
    """x * y, entry by entry, with broadcasting. Keeps the factor of whichever is differentiated."""
    to_x, to_y = _summed_like(x), _summed_like(y)
    return x * y, (lambda g: to_x(g * y), lambda g: to_y(g * x))


@differentiable
def scale(x: Array, *, factor: float) -> ValueAndVjps:
    """factor * x for a constant number. Keeps nothing."""
    factor = float(factor)
    return x * factor, (lambda g: g * factor,)


@differentiable
def matmul(a: Array, b: Array) -> ValueAndVjps:
    """Matrix product of a (n, k) and b (k, m). -> (n, m). Keeps the other factor: da = g b^T, db = a^T g."""
    require(a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[0], "matmul",
            "(n, k) and (k, m)", f"{a.shape} and {b.shape}")  # fmt: skip
    return a @ b, (lambda g: g @ b.T, lambda g: a.T @ g)


@differentiable
def reshape(x: Array, *, shape: tuple[int, ...]) -> ValueAndVjps:
    """The same entries, in the same order, in another shape. Keeps nothing."""
    old = x.shape
    return x.reshape(shape), (lambda g: g.reshape(old),)


@differentiable
def sum(x: Array, *, axis: int | tuple[int, ...] | None = None) -> ValueAndVjps:
    """Sum over ``axis``, or over everything (then a float64 scalar). Keeps nothing: the gradient is spread evenly."""
    return _reduced(x, axis, 1.0)


@differentiable
def mean(x: Array, *, axis: int | tuple[int, ...] | None = None) -> ValueAndVjps:
    """Mean over ``axis``, or over everything (then a float64 scalar). Keeps nothing."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return _reduced(x, axis, 1.0 / math.prod(x.shape[a] for a in axes))


# ---------------------------------------------------------------- layers


@differentiable
def relu(x: Array) -> ValueAndVjps:
    """max(x, 0). Keeps where x > 0, a byte an entry; the derivative at 0 is taken as 0."""
    positive = x > 0
    return array_module(x).maximum(x, 0), (lambda g: g * positive,)


@differentiable
def max_pool2(x: Array) -> ValueAndVjps:
    """Largest entry of each 2x2 window, stride 2, an odd last row or column dropped. (H, W, C) -> (H//2, W//2, C)

    Keeps which of the four was largest (the first one of equals), a byte an output entry.
    """
    y, winner = kernels.max_pool(x)
    return y, (winner.apply,)


@differentiable
def avg_pool2(x: Array) -> ValueAndVjps:
    """Mean of each 2x2 window, stride 2, an odd last row or column dropped. Keeps nothing."""
    xp, shape = array_module(x), x.shape
    height, width = shape[0] // 2 * 2, shape[1] // 2 * 2
    # Rows first: they are long runs of memory, pixels short ones.
    rows = x[0:height:2, :width] + x[1:height:2, :width]

    def vjp(g: Array) -> Array:
        row = xp.repeat(0.25 * g, 2, axis=1)
        dx = xp.zeros(shape, dtype=g.dtype)
        dx[0:height:2, :width] = row
        dx[1:height:2, :width] = row
        return dx

    return 0.25 * (rows[:, 0::2] + rows[:, 1::2]), (vjp,)


@differentiable
def l2_pool2(x: Array) -> ValueAndVjps:
    """sqrt(a^2 + b^2 + c^2 + d^2) of each 2x2 window, stride 2, an odd last row or column dropped.

    Keeps x and the result: da = g a / y, taken as 0 where the whole window is 0.
    """
    xp = array_module(x)
    a, b, c, d = kernels.window_corners(x)
    y = xp.sqrt(a * a + b * b + c * c + d * d)

    def vjp(g: Array) -> Array:
        ratio = g / xp.where(y > 0, y, 1)
        dx = xp.zeros_like(x)
        for source, corner in zip(kernels.window_corners(x), kernels.window_corners(dx), strict=True):
            corner[...] = ratio * source
        return dx

    return y, (vjp,)


@differentiable
def pad(x: Array, *, width: int, mode: str = "zero") -> ValueAndVjps:
    """A frame of ``width`` pixels around x (H, W, C): zeros, or copies of the edge ("replicate"). Keeps nothing.

    The adjoint cuts the frame off ("zero"), or adds it back onto the edge it was copied from ("replicate").
    """
    xp = array_module(x)
    require(mode in ("zero", "replicate"), "pad: mode", "'zero' or 'replicate'", repr(mode))
    require(width >= 0, "pad: width", "0 or more", width)
    frame = ((width, width), (width, width), (0, 0))

    def fold(g: Array) -> Array:  # along the first axis
        inside = g[width : g.shape[0] - width].copy()
        inside[0] += g[:width].sum(axis=0)
        inside[-1] += g[g.shape[0] - width :].sum(axis=0)
        return inside

    if mode == "replicate":
        return xp.pad(x, frame, mode="edge"), (lambda g: fold(fold(g).swapaxes(0, 1)).swapaxes(0, 1),)
    return xp.pad(x, frame), (lambda g: g[width : g.shape[0] - width, width : g.shape[1] - width],)


# ---------------------------------------------------------------- statistics and losses


def gram(f: Any) -> Any:
    """Gram matrix G = F^T F of a feature map f (H, W, C), F = f as (H*W, C). -> (C, C).  Gatys et al. 2015, eq. 3.

    The adjoint of a symmetric product: dF = F (g + g^T). Keeps f, unless f can be computed again.
    """
    return _gram(f, again=f.again if isinstance(f, Var) else None)


@differentiable
def _gram(f: Array, *, again: Callable[[slice], Array] | None) -> ValueAndVjps:
    value = kernels.gram(f.reshape(-1, f.shape[-1]))
    if again is None:
        return value, (Adding(lambda g, into: kernels.add_product(f, g + g.T, into)),)
    shape, dtype, xp = f.shape, f.dtype, array_module(f)
    step = max(1, _AGAIN // math.prod(shape[1:]))

    def vjp(g: Array, into: Array | None) -> Array:
        into = xp.zeros(shape, dtype=dtype) if into is None else into
        for top in range(0, shape[0], step):
            rows = slice(top, min(top + step, shape[0]))
            kernels.add_product(again(rows), g + g.T, into[rows])
        return into

    return value, (Adding(vjp),)


def moments(f: Any) -> tuple[Any, Any]:
    """Mean (C,) and second raw moment F^T F / (H*W) (C, C) of a feature map f (H, W, C).

    Raw, not central, moments: those of several pictures can be averaged. Their adjoints are those of ``mean`` and
    ``gram``.
    """
    height, width, _ = f.shape
    return mean(f, axis=(0, 1)), scale(gram(f), factor=1.0 / (height * width))


@differentiable
def squared_error(x: Array, target: Array) -> ValueAndVjps:
    """sum (x - target)^2, a float64 scalar. Keeps the difference: dx = 2 g (x - target)."""
    require(x.shape == target.shape, "squared_error: target", x.shape, target.shape)
    xp = array_module(x, target)
    difference = x - target
    return xp.sum(difference * difference, dtype=xp.float64), (
        lambda g: (2 * g).astype(difference.dtype) * difference,
        lambda g: (-2 * g).astype(difference.dtype) * difference,
    )


@differentiable
def total_variation(x: Array, *, exponent: float = 1.25) -> ValueAndVjps:
    """sum over pixels and channels of (dx^2 + dy^2)^exponent, a float64 scalar; x (H, W, C).

    dx, dy are forward differences on the (H-1) x (W-1) interior; 1.25 is the exponent of the Keras program (Chollet
    2017, Deep Learning with Python, 8.3), 1 the squared, 0.5 the isotropic total variation (Rudin, Osher, Fatemi
    1992). Keeps x and (dx^2 + dy^2)^(exponent - 1); the derivative is taken as 0 where the picture is flat and the
    exponent below 1.
    """
    value, power = kernels.total_variation(x, exponent)

    def vjp(g: Array) -> Array:
        return kernels.total_variation_gradient(x, power, (2 * exponent * g).astype(power.dtype))

    return value, (vjp,)


# ---------------------------------------------------------------- helpers


def _summed_like(x: Array) -> Vjp:
    """The adjoint of broadcasting: sum g over the axes along which x was repeated, in x's shape and type."""
    shape, dtype = x.shape, x.dtype

    def vjp(g: Array) -> Array:
        extra = tuple(range(g.ndim - len(shape)))
        g = g.sum(axis=extra) if extra else g
        repeated = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
        g = g.sum(axis=repeated, keepdims=True) if repeated else g
        return g.astype(dtype, copy=False)

    return vjp


def _reduced(x: Array, axis: int | tuple[int, ...] | None, factor: float) -> ValueAndVjps:
    """factor * sum of x over axis, and its adjoint."""
    xp, shape, dtype = array_module(x), x.shape, x.dtype
    total = xp.sum(x, axis=axis, dtype=xp.float64) * factor

    def vjp(g: Array) -> Array:
        g = (g if axis is None else xp.expand_dims(g, axis)) * factor
        return xp.broadcast_to(g, shape).astype(dtype)

    return total if axis is None else total.astype(dtype), (vjp,)
