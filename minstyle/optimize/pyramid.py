"""A preconditioner for images: large shapes may move as fast as single pixels.

A loss on a network's features bends far more along fine detail than along large shapes: by 20 to 40 times, measured, in
between about as the frequency. Steps of equal length for both must suit the detail, and large shapes then take many.
The remedy is to see the image as a sum of a pyramid's levels, each of which moves by itself, as N. Kolkin et al. (Style
Transfer by Relaxed Optimal Transport and Self-Similarity, 2019, section 2) optimise it; for a quasi-Newton method
this is its first guess of the inverse Hessian.
"""

from __future__ import annotations

from ..backend import Array, array_module, is_cupy
from .lbfgs import Preconditioner

# Found on six pairs: from 1.5 to 2, and with four levels or more, all do as well.
_WEIGHT = 1.6
_LEVELS = 5
_NEAR, _FAR = 0.75 * 0.5**0.5, 0.25 * 0.5**0.5  # linear interpolation, so scaled that U^T U is about the identity


def precondition(v: Array) -> Array:
    """P v for v (H, W, C), in place: v is written to, and returned. P is symmetric and positive definite.

    P = I + c U P' U^T: U enlarges twofold, linearly; P' is the same for the next level.
    """
    return _apply(v, _LEVELS)


def squared_norm(v: Array) -> float:
    """v . P v for v (H, W, C), which is cheaper than P v: no level is enlarged again. v is left as it is."""
    total, share = 0.0, 1.0
    for level in range(_LEVELS + 1):
        flat = v.reshape(-1)
        total += share * float(flat @ flat)
        if level == _LEVELS or min(v.shape[:2]) < 2:
            break
        v, share = _shrunk(_shrunk(v, 0), 1), share * _WEIGHT
    return total


def _apply(v: Array, levels: int) -> Array:
    if levels == 0 or min(v.shape[:2]) < 2:
        return v
    coarse = _apply(_shrunk(_shrunk(v, 0), 1), levels - 1)
    coarse *= _WEIGHT
    wide = array_module(v).zeros((len(coarse), *v.shape[1:]), dtype=v.dtype)
    _add_enlarged(coarse, wide, 1)
    _add_enlarged(wide, v, 0)
    return v


def _shrunk(v: Array, axis: int) -> Array:
    """U^T v along an axis: (n + 1) // 2 values of n, each from the two that it covers and their neighbours."""
    shape = list(v.shape)
    shape[axis] = (shape[axis] + 1) // 2
    shrunk = array_module(v).empty(shape, dtype=v.dtype)
    for fine, out in zip(_planes(v, axis), _planes(shrunk, axis), strict=True):
        even, odd, others = fine[0::2], fine[1::2], len(out) - 1
        array_module(v).multiply(even, _NEAR, out=out)
        out[: len(odd)] += odd * _NEAR
        out[1:] += odd[:others] * _FAR
        out[:others] += even[1:] * _FAR
    return shrunk


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


PYRAMID = Preconditioner(precondition, squared_norm)
