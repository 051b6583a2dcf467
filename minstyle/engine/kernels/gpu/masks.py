"""What ReLU and max pooling keep on a device for the backward pass; see ``sources/masks.cu`` for the bits' order."""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module
from ..cpu.masks import ArgMax, BitReluMask, MapReluMask, ReluMask
from .compiled import blocks, check, contiguous, kernel, launch

_THREADS = 256
AS_IT_IS, OF_TF32, BFLOAT = range(3)  # ``Factors`` in the source


class WordReluMask:
    """Where a map (H, W, C) on a device is above zero, one bit per entry, in words (H, W, groups of 64 channels, 4)."""

    def __init__(self, shape: tuple[int, ...], words: Array) -> None:
        self.shape, self.words = tuple(shape), words

    @classmethod
    def empty(cls, shape: tuple[int, ...], like: Array) -> WordReluMask:
        """A mask to be written by a kernel, on the device of ``like``."""
        words = array_module(like).empty((*shape[:2], blocks(shape[2], 64), 4), dtype=np.uint16)
        return cls(shape, words)

    def backward(self, g: Array) -> Array:
        """g where the map is above zero, else 0."""
        return adjoint(g, self)


Mask = WordReluMask | ReluMask | ArgMax


def adjoint(g: Array, mask: Mask | None, factors: int = AS_IT_IS) -> Array:
    """The gradient with respect to the map before ReLU (and pooling), from that after: as ``factors`` says.

    g float32, of a multiple of 4 channels. -> an array of its own, of the mask's shape; BFLOAT: of uint16
    """
    if isinstance(mask, BitReluMask):
        g, mask = mask.backward(g), None
        if factors != BFLOAT:
            return g
    shape = g.shape if mask is None else mask.shape
    g, (height, width, channels) = contiguous(g), shape
    of_pooled = isinstance(mask, ArgMax)
    check("g", g, (height // 2, width // 2, channels) if of_pooled else (height, width, channels))
    made = array_module(g).empty(shape, dtype=np.uint16 if factors == BFLOAT else g.dtype)
    out = (None, made) if factors == BFLOAT else (made, None)
    if isinstance(mask, WordReluMask):
        words = mask.words.size
        arguments = [g, mask.words, *out, np.int64(words), channels, factors]
        launch(kernel("masks.cu", "mask_by_bits"), (blocks(words, _THREADS),), _THREADS, arguments)
    elif mask is None or isinstance(mask, MapReluMask):
        fours = made.size // 4
        arguments = [g, mask and contiguous(mask.map), *out, np.int64(fours), factors]
        launch(kernel("masks.cu", "mask_by_map"), (blocks(fours, _THREADS),), _THREADS, arguments)
    else:
        count = blocks(height, 2) * blocks(width, 2) * channels // 4
        arguments = [g, contiguous(mask.index), *out, height, width, channels, factors]
        launch(kernel("masks.cu", "unpool"), (blocks(count, _THREADS),), _THREADS, arguments)
    return made
