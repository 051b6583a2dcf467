"""Half a map's size and back on a device, by the kernels of ``sources/pyramid.cu``."""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module
from .compiled import blocks, check, contiguous, kernel, launch

_THREADS = 256


def shrink(v: Array, near: float, far: float, out: Array | None = None) -> Array:
    """(H, W, C) -> (ceil(H / 2), ceil(W / 2), C): see ``halving.shrunk``. ``out``: where to, contiguous."""
    height, width, channels = v.shape
    if out is None:
        out = array_module(v).empty((blocks(height, 2), blocks(width, 2), channels), dtype=v.dtype)
    check("out", out, (blocks(height, 2), blocks(width, 2), channels))
    arguments = [contiguous(v), out, height, width, channels, np.float32(near), np.float32(far)]
    launch(kernel("pyramid.cu", "shrink"), (blocks(out.size, _THREADS),), _THREADS, arguments)
    return out


def add_enlarged(coarse: Array, into: Array, near: float, far: float, factor: float) -> None:
    """``into`` (H, W, C) += factor times ``coarse`` (ceil(H / 2), ceil(W / 2), C), enlarged."""
    height, width, channels = into.shape
    check("coarse", coarse, (blocks(height, 2), blocks(width, 2), channels))
    target = contiguous(into)
    numbers = (np.float32(number) for number in (near, far, factor))
    arguments = [contiguous(coarse), target, *into.shape, *numbers]
    launch(kernel("pyramid.cu", "enlarge"), (blocks(into.size, _THREADS),), _THREADS, arguments)
    if target is not into:
        into[...] = target
