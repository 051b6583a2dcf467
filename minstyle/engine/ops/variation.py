"""Total variation of an image in five forms. Notation as in the index, ``ops/__init__``.

d_along is the difference of a pixel and the next one of its row, d_down that of a pixel and the one below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...backend import Array, array_module
from .. import kernels
from ..autodiff import ValueAndVjps, differentiable
from .arithmetic import add
from .padding import pad


@differentiable
def total_variation(x: Array, *, exponent: float = 1.25) -> ValueAndVjps:
    """sum over pixels and channels of (d_along^2 + d_down^2)^exponent, a float64 scalar; x (H, W, C).

    The sum is over all pixels but the last row and column, (H-1) x (W-1). An exponent of 1.25 is the Keras program's
    (Chollet 2017, Deep Learning with Python, 8.3), 1 the squared, 0.5 the isotropic total variation (Rudin, Osher,
    Fatemi 1992). Keeps x and (d_along^2 + d_down^2)^(exponent - 1). For an exponent below 1 the derivative is taken as
    0 where the picture is flat. On a device in float32 it keeps the gradient, which one pass gives.
    """
    if (fused := kernels.variation_with_gradient(x, exponent)) is not None:
        return _of_pass(*fused)
    value, power = kernels.total_variation(x, exponent)

    def vjp(g: Array) -> Array:
        return kernels.total_variation_gradient(x, power, (2 * exponent * g).astype(power.dtype))

    return value, (vjp,)


def absolute_variation(x: Any) -> Any:
    """sum |d_along| + sum |d_down|, each over all its pairs of neighbours in x (H, W, C). Keeps x.

    A float64 scalar.
    """
    return _variation(x, steps=(((0, 1), 1.0), ((1, 0), 1.0)), squared=False)


def mean_variation(x: Any, *, height: int | None = None) -> Any:
    """mean d_along^2 + mean d_down^2, each over all its pairs of neighbours in x (H, W, C). Keeps x.

    A float64 scalar (Athalye's program). A direction without a pair counts as 0. ``height``: of the picture of which x
    are some rows; the sums are divided by its numbers of pairs.
    """
    height, (width, channels) = height or x.shape[0], x.shape[1:]
    horizontal, vertical = height * (width - 1) * channels, (height - 1) * width * channels
    return _variation(x, steps=(((0, 1), 1 / max(1, horizontal)), ((1, 0), 1 / max(1, vertical))), squared=True)


def summed_variation(x: Any) -> Any:
    """1/2 (sum d_along^2 + sum d_down^2), each over all its pairs of neighbours in x (H, W, C). Keeps x.

    A float64 scalar. Unlike ``total_variation`` it includes the differences within the last row and the last column.
    """
    return _variation(x, steps=(((0, 1), 0.5), ((1, 0), 0.5)), squared=True)


def nine_point_variation(x: Any, *, height: int | None = None) -> Any:
    """2 (mean d_along^2 / 3 + mean d_down^2 / 3 + mean of each diagonal's squares / 12), for x (H, W, C). Keeps x.

    A float64 scalar. Its gradient is a nine-point Laplacian of x (Crowson's program). x is padded by copies of its
    edge: there is a d_along and a d_down at each pixel, and both diagonals at each of the (H + 1) x (W + 1) corners of
    pixels. ``height`` as in ``mean_variation``.
    """
    height, (width, channels) = height or x.shape[0], x.shape[1:]
    straight, corners = 2 / 3 / (height * width * channels), 2 / 12 / ((height + 1) * (width + 1) * channels)
    return add(
        _variation(x, steps=(((0, 1), straight), ((1, 0), straight)), squared=True),
        _variation(pad(x, width=1, mode="replicate"), steps=(((1, 1), corners), ((1, -1), corners)), squared=True),
    )


@differentiable
def _variation(x: Array, *, steps: Sequence[tuple[tuple[int, int], float]], squared: bool) -> ValueAndVjps:
    """Sum over steps ((down, along), factor) of factor * sum |d| or d^2, d the difference of pixels a step apart."""
    if (fused := kernels.apart_with_gradient(x, steps, squared)) is not None:
        return _of_pass(*fused)
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


def _of_pass(value: Array, gradient: Array) -> ValueAndVjps:
    return value, (lambda g: g.astype(gradient.dtype) * gradient,)


def _apart(x: Array, down: int, along: int) -> tuple[Array, Array]:
    """Views of x (H, W, C): pixels with another one ``down`` rows below, ``along`` columns right; and the others."""
    height, width = x.shape[:2]
    left, right = max(0, -along), width - max(0, along)
    return x[: height - down, left:right], x[down:, left + along : right + along]
