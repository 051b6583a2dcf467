"""Total variation of an image on a device, with its gradient, by the kernels of ``sources/variation.cu``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....backend import Array, array_module
from .compiled import blocks, contiguous, kernel, launch, multiprocessors
from .dots import summed

_THREADS = 256


def coupled_variation(x: Array, exponent: float) -> tuple[Array, Array]:
    """(sum of (d_along^2 + d_down^2)^exponent, float64; its gradient): see ``ops.total_variation``. x (H, W, C)"""
    return _launched("coupled", x, [np.float32(exponent)])


def variation_apart(x: Array, steps: Sequence[tuple[tuple[int, int], float]], squared: bool) -> tuple[Array, Array]:
    """(sum over two steps ((down, along), factor) of factor d^2 or factor |d|, float64; its gradient). x (H, W, C)"""
    arguments = [number for (down, along), factor in steps for number in (down, along, np.float64(factor))]
    return _launched("apart", x, [*arguments, squared])


def _launched(name: str, x: Array, arguments: list[Any]) -> tuple[Array, Array]:
    """The same bits each time: parts of the sum are added in a fixed order, in float64."""
    xp, grid = array_module(x), max(1, min(blocks(x.size, 4 * _THREADS), 8 * multiprocessors()))
    gradient, parts = xp.empty(x.shape, dtype=np.float32), xp.empty((1, grid), dtype=np.float64)
    given = [contiguous(x), gradient, parts, *x.shape, *arguments]
    launch(kernel("variation.cu", name), (grid,), _THREADS, given, _THREADS * 8)
    return summed(parts)[0], gradient
