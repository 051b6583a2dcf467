"""Half a map's size, and back: linear interpolation and its adjoint, for NumPy and CuPy arrays alike."""

from __future__ import annotations

import itertools
import math

from ...backend import Array, array_module, is_cupy
from . import gpu

_NEAR, _FAR = 0.75 * 0.5**0.5, 0.25 * 0.5**0.5  # linear interpolation, so scaled that U^T U is about the identity


def shrunk(v: Array) -> Array:
    """U^T v, U as in ``add_enlarged``. (H, W, C) -> (ceil(H / 2), ceil(W / 2), C)"""
    if gpu.suits_map(v, multiple=1):
        return gpu.shrink(v, _NEAR, _FAR)
    return _shrunk(_shrunk(v, 0), 1)


def add_enlarged(coarse: Array, into: Array, factor: float) -> None:
    """``into`` (H, W, C) += factor U coarse, U the linear interpolation of (ceil(H / 2), ceil(W / 2), C). In place."""
    if gpu.suits_map(into, multiple=1):
        gpu.add_enlarged(coarse, into, _NEAR, _FAR, factor)
        return
    coarse = coarse * factor
    wide = array_module(into).zeros((len(coarse), *into.shape[1:]), dtype=into.dtype)
    _add_enlarged(coarse, wide, 1)
    _add_enlarged(wide, into, 0)


def shrunk_norm(v: Array, weight: float, levels: int) -> Array:
    """The sum over level = 0..``levels`` of weight^level |v_level|^2, v_level (H, W, C) shrunk so many times.

    A number; of an array on a device one that lies there (1,), see ``fetched``. Levels end where a side has one entry.
    """
    shapes = [tuple(v.shape)]
    while len(shapes) <= levels and min(shapes[-1][:2]) >= 2:
        height, width, channels = shapes[-1]
        shapes.append(((height + 1) // 2, (width + 1) // 2, channels))
    if gpu.suits_map(v, multiple=1):
        return _norm_on_device(v, weight, shapes)
    total: Array = 0.0
    for level in range(len(shapes)):
        flat = v.reshape(-1)
        square = flat @ flat
        total += weight**level * (square if is_cupy(v) else float(square))
        v = shrunk(v) if level + 1 < len(shapes) else v
    return total


def _norm_on_device(v: Array, weight: float, shapes: list[tuple[int, ...]]) -> Array:
    """All levels, times the roots of their weights, in one array."""
    ends = list(itertools.accumulate(map(math.prod, shapes)))
    buffer = array_module(v).empty(ends[-1], dtype=v.dtype)
    parts = [buffer[end - math.prod(shape) : end].reshape(shape) for end, shape in zip(ends, shapes, strict=True)]
    parts[0][...] = v
    along = weight**0.25  # of each axis
    for fine, coarse in itertools.pairwise(parts):
        gpu.shrink(fine, along * _NEAR, along * _FAR, coarse)
    return gpu.dots([(buffer, buffer)])


def _shrunk(v: Array, axis: int) -> Array:
    """U^T v along an axis: (n + 1) // 2 values of n, each from the two that it covers and their neighbours."""
    shape = list(v.shape)
    shape[axis] = (shape[axis] + 1) // 2
    result = array_module(v).empty(shape, dtype=v.dtype)
    for fine, out in zip(_planes(v, axis), _planes(result, axis), strict=True):
        even, odd, others = fine[0::2], fine[1::2], len(out) - 1
        array_module(v).multiply(even, _NEAR, out=out)
        out[: len(odd)] += odd * _NEAR
        out[1:] += odd[:others] * _FAR
        out[:others] += even[1:] * _FAR
    return result


def _add_enlarged(coarse: Array, into: Array, axis: int) -> None:
    """Add U coarse along an axis to ``into``: the adjoint of ``_shrunk``."""
    for plane, out in zip(_planes(coarse, axis), _planes(into, axis), strict=True):
        even, odd, others = out[0::2], out[1::2], len(plane) - 1
        near, far = plane * _NEAR, plane * _FAR
        even += near
        odd += near[: len(odd)]
        odd[:others] += far[1:]
        even[1:] += far[:others]


def _planes(v: Array, axis: int) -> list[Array]:
    """Views of v with the axis in front; along a row one a channel, since NumPy is slow on pixels of three values."""
    if axis == 0 or is_cupy(v):
        return [v.swapaxes(0, axis)]
    return [v[..., channel].T for channel in range(v.shape[2])]
