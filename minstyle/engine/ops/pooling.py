"""Every differentiable op, its value and its adjoint side by side. With its parts it is the mathematics.

The parts are ``arithmetic.py``, ``convolution.py`` and ``statistics.py``; what they define is found here too. An op is
a function of arrays (positional) and settings (keyword) that returns ``(value, vjps)``: see ``autodiff``. Feature maps
are (H, W, C); ``g`` is the gradient of the loss with respect to the op's result. Sums to a scalar are accumulated and
returned in float64 whatever the arrays' type: a loss adds a million squares, and L-BFGS looks at its last digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...backend import Array, array_module
from ...errors import require
from .. import kernels
from ..autodiff import Var, Vjp, differentiable
from .arithmetic import add, matmul, mean, multiply, reshape, scale, sqrt, sum
from .convolution import conv2d, conv_relu, conv_relu_pool2
from .moments import diagonal, gram, matrix_sqrt, moments, outer, raw_moment, trace_sqrt, weighted_mean

ValueAndVjps = tuple[Array, tuple[Vjp, ...]]
_PADDINGS = {"zero": "constant", "replicate": "edge", "reflect": "reflect"}  # as NumPy calls them

__all__ = [
    "absolute_variation", "add", "avg_pool2", "conv2d", "conv_relu", "conv_relu_pool2", "diagonal", "gram",
    "l2_pool2", "matmul", "matrix_sqrt", "max_pool2", "mean", "moments", "multiply", "nine_point_variation",
    "outer", "pad", "raw_moment", "relu", "reshape", "scale", "sqrt", "squared_error", "squared_variation", "sum",
    "summed_variation", "total_variation", "trace_sqrt", "unit_gradient", "weighted_mean",
]  # fmt: skip


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
    """A frame of ``width`` pixels around x (H, W, C). Keeps nothing.

    It is of zeros, or copies of the edge ("replicate"), or the picture mirrored at its outermost pixels ("reflect", for
    which H and W must be larger than ``width``). The adjoint cuts the frame off, and adds it to what it is a copy of.
    """
    xp = array_module(x)
    require(mode in _PADDINGS, "pad: mode", " or ".join(map(repr, _PADDINGS)), repr(mode))
    require(width >= 0, "pad: width", "0 or more", width)
    if mode == "reflect":
        require(min(x.shape[:2]) > width, f"pad: x to reflect {width} pixels", f"more than {width} x {width}", x.shape)

    def fold(g: Array) -> Array:  # along the first axis
        before, inside, after = g[:width], g[width : len(g) - width].copy(), g[len(g) - width :]
        if mode == "replicate":
            inside[0] += before.sum(axis=0)
            inside[-1] += after.sum(axis=0)
        elif mode == "reflect":
            inside[1 : 1 + width] += before[::-1]
            inside[len(inside) - 1 - width : len(inside) - 1] += after[::-1]
        return inside

    padded = xp.pad(x, ((width, width), (width, width), (0, 0)), mode=_PADDINGS[mode])
    return padded, (lambda g: fold(fold(g).swapaxes(0, 1)).swapaxes(0, 1),)


def unit_gradient(f: Any, *, strength: float = 1.0) -> Any:
    """f itself; its adjoint scales g to the 1-norm ``strength``: strength g / (sum |g| + 1e-8). Keeps nothing.

    What reads f gives it a gradient of that size, whatever factor stands before it (``normalize_gradients`` of
    jcjohnson/neural-style). It is not the gradient of any loss.
    """
    y = _unit_gradient(f, strength=strength)
    if isinstance(f, Var):
        y.again = f.again
    return y


@differentiable
def _unit_gradient(f: Array, *, strength: float) -> ValueAndVjps:
    xp = array_module(f)
    return f, (lambda g: g * (strength / (xp.sum(xp.abs(g), dtype=xp.float64) + 1e-8)).astype(g.dtype),)


# ---------------------------------------------------------------- losses


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


def absolute_variation(x: Any) -> Any:
    """sum |dx| + sum |dy| over all horizontal and all vertical neighbours of x (H, W, C), a float64 scalar. Keeps x."""
    return _variation(x, steps=(((0, 1), 1.0), ((1, 0), 1.0)), squared=False)


def squared_variation(x: Any) -> Any:
    """mean dx^2 + mean dy^2, each over its own pairs: all horizontal, all vertical neighbours of x (H, W, C). Keeps x.

    A float64 scalar (Athalye's program). A direction without a pair counts as 0.
    """
    height, width, channels = x.shape
    horizontal, vertical = height * (width - 1) * channels, (height - 1) * width * channels
    return _variation(x, steps=(((0, 1), 1 / max(1, horizontal)), ((1, 0), 1 / max(1, vertical))), squared=True)


def summed_variation(x: Any) -> Any:
    """1/2 (sum dx^2 + sum dy^2) over all horizontal and all vertical neighbours of x (H, W, C). Keeps x.

    A float64 scalar. Unlike ``total_variation`` it sees the last row's and the last column's own neighbours.
    """
    return _variation(x, steps=(((0, 1), 0.5), ((1, 0), 0.5)), squared=True)


def nine_point_variation(x: Any) -> Any:
    """2 (mean dx^2 / 3 + mean dy^2 / 3 + mean of the squares along each of the two diagonals / 12). Keeps x.

    A float64 scalar; the Laplace operator that is its gradient weighs all eight neighbours (Crowson's program). x
    (H, W, C) is continued by copies of its edge: dx and dy are at each of its pixels, the diagonals at each of the
    (H + 1) x (W + 1) corners of its pixels.
    """
    height, width, channels = x.shape
    straight, corners = 2 / 3 / (height * width * channels), 2 / 12 / ((height + 1) * (width + 1) * channels)
    return add(
        _variation(x, steps=(((0, 1), straight), ((1, 0), straight)), squared=True),
        _variation(pad(x, width=1, mode="replicate"), steps=(((1, 1), corners), ((1, -1), corners)), squared=True),
    )


@differentiable
def _variation(x: Array, *, steps: Sequence[tuple[tuple[int, int], float]], squared: bool) -> ValueAndVjps:
    """sum over steps ((down, along), factor) of factor * sum of |d| or d^2, d between all pixels a step apart."""
    xp = array_module(x)
    total = xp.zeros((), dtype=xp.float64)
    for step, factor in steps:
        here, there = _apart(x, *step)
        d = there - here
        total = total + factor * xp.sum(d * d if squared else xp.abs(d), dtype=xp.float64)

    def vjp(g: Array) -> Array:
        dx = xp.zeros_like(x)
        for step, factor in steps:
            here, there = _apart(x, *step)
            d = there - here
            slope = (2 * factor * g).astype(x.dtype) * d if squared else (factor * g).astype(x.dtype) * xp.sign(d)
            to_here, to_there = _apart(dx, *step)
            to_here -= slope
            to_there += slope
        return dx

    return total, (vjp,)


def _apart(x: Array, down: int, along: int) -> tuple[Array, Array]:
    """Views of x (H, W, C): all pixels that have one ``down`` rows below and ``along`` columns to the right, and it."""
    height, width = x.shape[:2]
    left, right = max(0, -along), width - max(0, along)
    return x[: height - down, left:right], x[down:, left + along : right + along]
