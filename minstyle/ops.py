"""Every differentiable op, its value and its adjoint side by side. With its parts it is the mathematics.

The parts are ``arithmetic.py``, ``convolution.py`` and ``statistics.py``; what they define is found here too. An op is
a function of arrays (positional) and settings (keyword) that returns ``(value, vjps)``: see ``autodiff``. Feature maps
are (H, W, C); ``g`` is the gradient of the loss with respect to the op's result. Sums to a scalar are accumulated and
returned in float64 whatever the arrays' type: a loss adds a million squares, and L-BFGS looks at its last digits.
"""

from __future__ import annotations

from . import kernels
from .arithmetic import add, matmul, mean, multiply, reshape, scale, sqrt, sum
from .autodiff import Vjp, differentiable
from .backend import Array, array_module
from .convolution import conv2d, conv_relu, conv_relu_pool2
from .errors import require
from .statistics import diagonal, gram, matrix_sqrt, moments, outer, sort_columns, trace_sqrt

ValueAndVjps = tuple[Array, tuple[Vjp, ...]]

__all__ = [
    "add", "avg_pool2", "conv2d", "conv_relu", "conv_relu_pool2", "diagonal", "gram", "l2_pool2", "matmul",
    "matrix_sqrt", "max_pool2", "mean", "moments", "multiply", "outer", "pad", "relu", "reshape", "scale",
    "sort_columns", "sqrt", "squared_error", "sum", "total_variation", "trace_sqrt",
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
