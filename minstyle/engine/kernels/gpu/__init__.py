"""Kernels for CuPy arrays of float32, by our own CUDA sources; what they cannot take goes the way of ``direct``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....backend import Array, is_cupy
from .compiled import check_precision, on_compiling, product
from .convolution import Packed, convolve, convolve_relu, convolve_relu_pool, fits, input_gradient, rounded
from .dots import dots
from .first_layer import few_to_many, many_to_few
from .grams import gram
from .half import is_half, multiplies_narrow, widened
from .masks import Mask, WordReluMask, adjoint
from .matrices import matmul, weighted_sum
from .memory import free_memory, peak_memory
from .precision import use_precision
from .pyramid import add_enlarged, shrink
from .replay import Replay
from .variation import coupled_variation, variation_apart

__all__ = [
    "Mask", "Packed", "Replay", "WordReluMask", "add_enlarged", "adjoint", "check_precision", "convolve",
    "convolve_relu", "convolve_relu_pool", "coupled_variation", "dots", "few_to_many", "free_memory", "gram",
    "input_gradient", "is_half", "many_to_few", "matmul", "on_compiling", "peak_memory", "product", "rounded",
    "shrink", "suits", "suits_few", "suits_map", "use_precision", "variation_apart", "weighted_sum", "widened",
]  # fmt: skip

_PICTURE = 3  # channels


def suits(x: Array, kernel: Any) -> bool:
    """Whether ``convolve`` takes maps of x's kind and this kernel: 3x3 or 1x1, channels a multiple of 4 each.

    ``kernel``: an array, or ``kernels.Kernel``.
    """
    cin, cout = kernel.shape[2:]
    of_a_kind = _takes_half(kernel) if is_half(x) else _float32(x)
    whole = kernel.shape[:2] in ((1, 1), (3, 3)) and cin % 4 == cout % 4 == 0
    return of_a_kind and _float32(kernel) and whole and fits()


def _takes_half(kernel: Any) -> bool:
    """Whether ``convolve`` takes a map in half precision with this kernel."""
    return kernel.shape[3] % 4 == 0 and multiplies_narrow(kernel.shape[2], kernel.shape[0] ** 2)


def suits_few(x: Array, kernel: Any) -> bool:
    """Whether ``few_to_many`` and ``many_to_few`` do."""
    cin, cout = kernel.shape[2:]
    return _float32(x) and _float32(kernel) and kernel.shape[:2] == (3, 3) and cin == _PICTURE and cout % 4 == 0


def suits_map(x: Array, multiple: int = 4) -> bool:
    """Whether x is a map in float32 on a device, its channels a multiple of that, as ``gram`` takes."""
    return _float32(x) and x.shape[-1] % multiple == 0


def _float32(x: Any) -> bool:
    return bool(x.dtype == np.float32 and getattr(x, "on_device", is_cupy(x)))
