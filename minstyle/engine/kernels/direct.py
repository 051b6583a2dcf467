"""Convolution as one matrix product: the definition of correct, on NumPy and CuPy alike. It never needs to be fast.

Each output pixel is the product of its neighbourhood, laid out as one row of k*k*Cin values, with the kernel as a
(k*k*Cin, Cout) matrix ("im2col"). Rows of the image are taken a strip at a time to bound the memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...backend import Array, array_module, is_cupy


def convolve(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Same-size convolution with zero padding, shapes as in ``kernels.convolve``."""
    xp = array_module(x, kernel)
    size, _, _, cout = kernel.shape
    height, width, _ = x.shape
    matrix = kernel.reshape(-1, cout)  # (k*k*Cin, Cout)
    y = xp.empty((height, width, cout), dtype=xp.result_type(x, kernel))
    for rows, patches in _strips(x, size):
        y[rows] = (patches @ matrix).reshape(-1, width, cout)
    if bias is not None:
        y += bias
    return y


def kernel_gradient(x: Array, g: Array, size: int) -> Array:
    """dkernel = sum over pixels of (neighbourhood of x)^T g, shapes as in ``kernels.kernel_gradient``."""
    xp = array_module(x, g)
    cin, cout = x.shape[2], g.shape[2]
    total = xp.zeros((size * size * cin, cout), dtype=xp.result_type(x, g))
    for rows, patches in _strips(x, size):
        total += patches.T @ g[rows].reshape(-1, cout)
    return total.reshape(size, size, cin, cout)


def _strips(x: Array, size: int) -> Iterator[tuple[slice, Array]]:
    """(rows, patches) for strips of rows; patches (number of rows * W, size*size*Cin)."""
    xp = array_module(x)
    height, width, channels = x.shape
    r = size // 2
    padded = xp.zeros((height + 2 * r, width + 2 * r, channels), dtype=x.dtype)
    padded[r : r + height, r : r + width] = x
    down, along, channel = padded.strides
    # About what a core's cache holds; a GPU wants few, large products.
    values = 1 << 26 if is_cupy(x) else 1 << 19
    step = max(1, values // (size * size * channels * width))
    for top in range(0, height, step):
        rows = min(step, height - top)
        # Neighbours of one row lie one behind the other: each patch is ``size`` runs of size*Cin values.
        runs = xp.lib.stride_tricks.as_strided(
            padded[top:], (rows, width, size, size * channels), (down, along, down, channel)
        )
        yield slice(top, top + rows), runs.reshape(rows * width, size * size * channels)
