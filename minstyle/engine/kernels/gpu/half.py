"""Maps in half precision, which only convolutions read: arrays of uint16, so that nobody takes them for numbers.

They are divided by 16 (HALF_UNIT in ``sources/hardware.cuh``), since the activations of VGG come near to the largest
number of half precision; the kernels that they meet are multiplied by it.
"""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module
from .compiled import blocks, contiguous, kernel, launch, product
from .precision import precision

_UNIT = 16
TF32, HALF = 1, 2  # how results are stored: ``Rounding`` in ``sources/hardware.cuh``
_THREADS = 256


def is_half(x: Array) -> bool:
    """Whether x is such a map, or a gradient in bfloat16."""
    return bool(x.dtype == np.uint16)


def multiplies_narrow(inner: int, taps: int = 9) -> bool:
    """Whether a convolution from so many channels multiplies factors of 16 bits, on the current card and precision."""
    return precision() == "fp16" and product() > 0 and inner % 8 == 0 and taps == 9


def to_half(x: Array) -> Array:
    """A map (H, W, C), C a multiple of 4, as a map in half precision."""
    out, fours = array_module(x).empty(x.shape, dtype=np.uint16), np.int64(x.size // 4)
    launch(kernel("masks.cu", "to_half_map"), (blocks(int(fours), _THREADS),), _THREADS, [contiguous(x), out, fours])
    return out


def widened(x: Array) -> Array:
    """The map in float32 of one in half precision."""
    return x.view(np.float16).astype(np.float32) * np.float32(_UNIT)
