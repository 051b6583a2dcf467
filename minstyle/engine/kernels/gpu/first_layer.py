"""Convolution 3x3 from a picture's three channels, and its adjoint, by the kernels of ``sources/first_layer.cu``."""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module
from .compiled import blocks, check, contiguous, kernel, launch, product
from .half import HALF, TF32, is_half, multiplies_narrow
from .masks import WordReluMask

_THREADS, _SPAN, _ROWS, _COLUMNS, _AT_ONCE = 256, 4, 16, 32, 16  # as in the source
_SHARED = _AT_ONCE * (9 * 4 + (_ROWS + 2) * (_COLUMNS + 4) + 4) * 4  # bytes that many_to_few works in


def few_to_many(
    x: Array, array: Array, bias: Array | None, relu: bool, bits: bool, valid: bool, half: bool = False
) -> tuple[Array, WordReluMask | None]:
    """``kernels.convolve``, or with ``relu`` ``convolve_relu``, of x (H, W, 3) and a kernel (3, 3, 3, Cout).

    ``half``: the result is a map in half precision, where convolutions now take that.
    """
    height, width = (n - 2 * valid for n in x.shape[:2])
    channels = array.shape[3]
    check("bias", bias, (channels,))
    bias = None if bias is None else contiguous(bias)
    dtype = np.uint16 if half and multiplies_narrow(channels) else x.dtype
    y = array_module(x).empty((height, width, channels), dtype=dtype)
    mask = WordReluMask.empty(y.shape, x) if bits else None
    grid = blocks(height * blocks(width, _SPAN) * 4, _THREADS), blocks(channels, 64)
    rounding = HALF if is_half(y) else TF32 if relu and product() > 0 else 0
    target = (None, y) if is_half(y) else (y, None)
    arguments = [contiguous(x), contiguous(array), bias, *target, mask and mask.words, *x.shape[:2], height, width,
                 channels, 0 if valid else -1, relu, rounding]  # fmt: skip
    launch(kernel("first_layer.cu", "few_to_many"), grid, _THREADS, arguments, 27 * 64 * 4)
    return y, mask


def many_to_few(g: Array, array: Array, mask: WordReluMask | None, into: Array | None, valid: bool) -> Array:
    """The gradient with respect to x, from g (H, W, Cout); ``mask`` of bits. Added to ``into`` if that is given."""
    height, width = (n + 2 * valid for n in g.shape[:2])
    dx = array_module(g).empty((height, width, 3), dtype=g.dtype) if into is None else into
    check("g", g, (*g.shape[:2], array.shape[3]))
    check("result", dx, (height, width, 3))
    check("mask", mask and mask.words, (*g.shape[:2], blocks(g.shape[2], 64), 4), np.uint16)
    target = contiguous(dx)
    arguments = [contiguous(g), contiguous(array), mask and mask.words, target, *g.shape[:2], height, width, g.shape[2],
                 0 if valid else -1, into is not None]  # fmt: skip
    grid = blocks(width, _COLUMNS), blocks(height, _ROWS)
    launch(kernel("first_layer.cu", "many_to_few"), grid, _ROWS * _COLUMNS // _SPAN, arguments, _SHARED)
    if target is not dx:
        dx[...] = target
    return dx
