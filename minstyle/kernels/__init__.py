"""The one door to the convolution kernels: arrays in, arrays out, no differentiation.

Callers say what they want; which file computes it is decided here and nowhere else.
"""

from __future__ import annotations

from ..backend import Array
from . import direct

__all__ = ["convolve", "input_gradient", "kernel_gradient"]


def convolve(x: Array, kernel: Array, bias: Array | None) -> Array:
    """y[i, j] = bias + sum over (di, dj) of x[i + di - r, j + dj - r] @ kernel[di, dj], zeros outside. -> (H, W, Cout)

    x (H, W, Cin), kernel (2r+1, 2r+1, Cin, Cout), bias (Cout,) or None.
    """
    return direct.convolve(x, kernel, bias)


def input_gradient(g: Array, kernel: Array) -> Array:
    """Gradient of ``convolve`` with respect to x, given g (H, W, Cout). -> (H, W, Cin)

    It is itself a convolution: of g with the kernel turned by 180 degrees and its channel axes swapped.
    """
    return convolve(g, kernel[::-1, ::-1].swapaxes(2, 3), None)


def kernel_gradient(x: Array, g: Array, size: int) -> Array:
    """Gradient of ``convolve`` with respect to a size x size kernel. -> (size, size, Cin, Cout)"""
    return direct.kernel_gradient(x, g, size)
