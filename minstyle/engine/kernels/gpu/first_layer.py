"""Convolution 3x3 from a picture's three channels, and its adjoint, by the kernels of ``sources/first_layer.cu``."""

from __future__ import annotations

from ....backend import Array, array_module
from .compiled import blocks, contiguous, kernel, launch, product
from .masks import WordReluMask

_THREADS, _SPAN, _ROWS, _COLUMNS, _AT_ONCE = 256, 4, 16, 32, 16  # as in the source
_SHARED = _AT_ONCE * (9 * 4 + (_ROWS + 2) * (_COLUMNS + 4) + 4) * 4  # bytes that many_to_few works in


def few_to_many(
    x: Array, array: Array, bias: Array | None, relu: bool, bits: bool, valid: bool
) -> tuple[Array, WordReluMask | None]:
    """``kernels.convolve``, or with ``relu`` ``convolve_relu``, of x (H, W, 3) and a kernel (3, 3, 3, Cout)."""
    height, width = (n - 2 * valid for n in x.shape[:2])
    channels = array.shape[3]
    y = array_module(x).empty((height, width, channels), dtype=x.dtype)
    mask = WordReluMask.empty(y.shape, x) if bits else None
    grid = blocks(height * blocks(width, _SPAN) * 4, _THREADS), blocks(channels, 64)
    arguments = [contiguous(x), contiguous(array), bias, y, mask and mask.words, *x.shape[:2], height, width, channels,
                 0 if valid else -1, relu, relu and product() > 0]  # fmt: skip
    launch(kernel("first_layer.cu", "few_to_many"), grid, _THREADS, arguments, 27 * 64 * 4)
    return y, mask


def many_to_few(g: Array, array: Array, mask: WordReluMask | None, into: Array | None, valid: bool) -> Array:
    """The gradient with respect to x, from g (H, W, Cout); ``mask`` of bits. Added to ``into`` if that is given."""
    height, width = (n + 2 * valid for n in g.shape[:2])
    dx = array_module(g).empty((height, width, 3), dtype=g.dtype) if into is None else into
    target = contiguous(dx)
    arguments = [contiguous(g), contiguous(array), mask and mask.words, target, *g.shape[:2], height, width, g.shape[2],
                 0 if valid else -1, into is not None]  # fmt: skip
    grid = blocks(width, _COLUMNS), blocks(height, _ROWS)
    launch(kernel("first_layer.cu", "many_to_few"), grid, _ROWS * _COLUMNS // _SPAN, arguments, _SHARED)
    if target is not dx:
        dx[...] = target
    return dx
