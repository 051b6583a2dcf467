"""The one door to the convolution kernels: arrays in, arrays out, no differentiation.

Callers say what they want; which file computes it is decided here and nowhere else.
"""

from __future__ import annotations

import functools

import numpy as np

from ..backend import Array, is_cupy
from . import direct, strips, winograd
from .strips import use_threads

__all__ = ["Kernel", "convolve", "convolve_relu", "input_gradient", "kernel_gradient", "use_threads"]

# Below this many channels the transforms of Winograd's method cost more than it saves.
_FEWEST_CHANNELS = 16


class Kernel:
    """A constant kernel (k, k, Cin, Cout) whose transforms are computed once, when they are first needed."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.ndim = len(self.shape)

    @functools.cached_property
    def transformed(self) -> np.ndarray:
        return winograd.transform_kernel(self.array)

    @functools.cached_property
    def turned(self) -> Kernel:
        """Turned by 180 degrees, channel axes swapped: convolving with it is the gradient to the input."""
        return Kernel(self.array[::-1, ::-1].swapaxes(2, 3))


def convolve(x: Array, kernel: Array | Kernel, bias: Array | None) -> Array:
    """y[i, j] = bias + sum over (di, dj) of x[i + di - r, j + dj - r] @ kernel[di, dj], zeros outside. -> (H, W, Cout)

    x (H, W, Cin), kernel (2r+1, 2r+1, Cin, Cout), bias (Cout,) or None.
    """
    return _convolve(x, None, kernel, bias, relu=False)[0]


def convolve_relu(x: Array, kernel: Array | Kernel, bias: Array | None) -> tuple[Array, Array]:
    """(max(y, 0), where y > 0) of ``convolve``'s y, in one pass."""
    return _convolve(x, None, kernel, bias, relu=True)


def input_gradient(g: Array, kernel: Array | Kernel, keep: Array | None = None) -> Array:
    """Gradient of ``convolve`` with respect to x, given g (H, W, Cout). -> (H, W, Cin)

    It is itself a convolution: of g with the kernel turned by 180 degrees and its channel axes swapped. Of g only the
    entries where ``keep`` (None: all) holds count.
    """
    kernel = kernel if isinstance(kernel, Kernel) else Kernel(kernel)
    return _convolve(g, keep, kernel.turned, None, relu=False)[0]


def _convolve(
    x: Array, keep: Array | None, kernel: Array | Kernel, bias: Array | None, relu: bool
) -> tuple[Array, Array | None]:
    kernel = kernel if isinstance(kernel, Kernel) else Kernel(kernel)
    if not _suits_winograd(x, kernel):
        y = direct.convolve(x if keep is None else x * keep, kernel.array, bias)
        return (y.clip(0, None, out=y), y > 0) if relu else (y, None)
    (height, width, cin), cout = x.shape, kernel.shape[3]
    shape = (height, width, cout)
    y, positive = np.empty(shape, dtype=x.dtype), np.empty(shape, dtype=bool) if relu else None
    transformed = kernel.transformed

    def task(block: winograd.Block, work: winograd.Workspace) -> None:
        winograd.convolve_block(x, keep, transformed, bias, y, positive, block, work)

    strips.run(task, strips.cut(height, width, cin, cout))
    return y, positive


def _suits_winograd(x: Array, kernel: Kernel) -> bool:
    return (
        not is_cupy(x)
        and kernel.shape[:2] == (3, 3)
        and min(kernel.shape[2:]) >= _FEWEST_CHANNELS
        and x.dtype == kernel.array.dtype
        and x.dtype in (np.float32, np.float64)
    )


def kernel_gradient(x: Array, g: Array, size: int) -> Array:
    """Gradient of ``convolve`` with respect to a size x size kernel. -> (size, size, Cin, Cout)"""
    return direct.kernel_gradient(x, g, size)
