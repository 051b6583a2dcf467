"""Max, average and L2 pooling of 2x2 windows. Notation as in the index, ``ops/__init__``."""

from __future__ import annotations

from ...backend import Array, array_module
from .. import kernels
from ..autodiff import ValueAndVjps, differentiable


@differentiable
def max_pool2(x: Array) -> ValueAndVjps:
    """Largest entry of each 2x2 window, stride 2, an odd last row or column dropped. (H, W, C) -> (H//2, W//2, C)

    The adjoint puts g at the largest entry of each window (the first of equals) and 0 at the others. Keeps the index of
    that entry, a byte per output entry.
    """
    y, argmax = kernels.max_pool(x)
    # The adjoint is in kernels/cpu/masks.py: ArgMax.backward; fused with a convolution on the CPU: tiles.Unpooled.
    return y, (argmax.backward,)


@differentiable
def avg_pool2(x: Array) -> ValueAndVjps:
    """Mean of each 2x2 window, stride 2, an odd last row or column dropped. (H, W, C) -> (H//2, W//2, C)

    The adjoint gives g / 4 to each of the four. Keeps nothing.
    """
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

    return kernels.rounded(0.25 * (rows[:, 0::2] + rows[:, 1::2])), (vjp,)


@differentiable
def l2_pool2(x: Array) -> ValueAndVjps:
    """y = sqrt(a^2 + b^2 + c^2 + d^2) of each 2x2 window, stride 2, an odd last row or column dropped.

    (H, W, C) -> (H//2, W//2, C). Keeps x and y: da = g a / y, taken as 0 where the whole window is 0.
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

    return kernels.rounded(y), (vjp,)
