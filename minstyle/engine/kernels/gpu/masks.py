"""What ReLU and max pooling keep on a device for the backward pass; see ``sources/masks.cu`` for the bits' order."""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module
from ..cpu.masks import ArgMax, BitReluMask, MapReluMask, ReluMask
from .compiled import blocks, contiguous, kernel, launch

_THREADS = 256


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
        return adjoint(g, self, rounded=False)


Mask = WordReluMask | ReluMask | ArgMax


def adjoint(g: Array, mask: Mask, rounded: bool) -> Array:
    """The gradient with respect to the map before ReLU (and pooling), from that after; ``rounded`` to TF32.

    g float32, of a multiple of 4 channels. -> an array of its own, of the mask's shape
    """
    if isinstance(mask, BitReluMask):
        return mask.backward(g)
    g, (height, width, channels) = contiguous(g), mask.shape
    out = array_module(g).empty(mask.shape, dtype=g.dtype)
    if isinstance(mask, WordReluMask):
        words = mask.words.size
        arguments = [g, mask.words, out, np.int64(words), channels, rounded]
        launch(kernel("masks.cu", "mask_by_bits"), (blocks(words, _THREADS),), _THREADS, arguments)
    elif isinstance(mask, MapReluMask):
        fours = out.size // 4
        arguments = [g, contiguous(mask.map), out, np.int64(fours), rounded]
        launch(kernel("masks.cu", "mask_by_map"), (blocks(fours, _THREADS),), _THREADS, arguments)
    else:
        count = blocks(height, 2) * blocks(width, 2) * channels // 4
        arguments = [g, contiguous(mask.index), out, height, width, channels, rounded]
        launch(kernel("masks.cu", "unpool"), (blocks(count, _THREADS),), _THREADS, arguments)
    return out
