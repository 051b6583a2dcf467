"""Functions of an array's shape and order: views where CuPy gives views, else copies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import ufuncs
from .array import noted, wrap
from .memory import in_c_order, memory_of
from .modules import NotInDouble, Undefined, cupy, public, stride_tricks

public("diagonal")(lambda a, offset=0, axis1=0, axis2=1: a.diagonal(offset, axis1, axis2))


@public("expand_dims")
def expand_dims(a: Any, axis: Any) -> Any:
    return wrap(np.expand_dims(memory_of(a), axis), a)


@public("atleast_1d")
def atleast_1d(*arys: Any) -> Any:
    made = [a.reshape(1) if memory_of(a).ndim == 0 else a for a in arys]
    return made[0] if len(made) == 1 else made


@public("broadcast_to")
def broadcast_to(array: Any, shape: Any) -> Any:
    made = np.broadcast_to(memory_of(array), shape)
    return array if array.shape == made.shape else wrap(made, array)


@public("repeat")
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    if not isinstance(repeats, (int, np.integer)):
        raise NotInDouble("repeat by arrays")
    return noted("repeat", np.repeat(memory_of(a), repeats, axis), a._a)


@public("stack")
def stack(tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    if isinstance(tup, cupy.ndarray) or out is not None:
        raise NotInDouble("stacking the rows of one array, or with out")
    given = [memory_of(x) for x in tup]
    return noted("join", in_c_order(np.stack(given, axis, dtype=dtype, casting=casting)), *given)


@public("concatenate")
def concatenate(tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    if isinstance(tup, cupy.ndarray) or axis is None or out is not None:
        raise NotInDouble("joining the rows of one array, or flat, or with out")
    given = [memory_of(x) for x in tup]
    return noted("join", in_c_order(np.concatenate(given, axis, dtype=dtype, casting=casting)), *given)


@public("pad")
def pad(array: Any, pad_width: Any, mode: str = "constant", **kwargs: Any) -> Any:
    allowed = {"constant": {"constant_values"}, "edge": set(), "reflect": {"reflect_type"}}
    if mode not in allowed:
        raise NotInDouble(f"pad, mode {mode!r}")
    if set(kwargs) - allowed[mode]:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {set(kwargs) - allowed[mode]}")
    made = in_c_order(np.pad(memory_of(array), pad_width, mode, **kwargs))
    return noted("pad", made, array._a, made, launches=2 + 2 * array.ndim * (mode != "constant"))


@public("as_strided", stride_tricks)
def as_strided(x: Any, shape: Any = None, strides: Any = None) -> Any:
    given = memory_of(x)
    shape = given.shape if shape is None else tuple(shape)
    strides = given.strides if strides is None else tuple(strides)
    whole = given
    while type(whole.base) is np.ndarray:
        whole = whole.base
    start, end = np.lib.array_utils.byte_bounds(whole)
    here = given.__array_interface__["data"][0]
    ends = [s * (n - 1) for s, n in zip(strides, shape, strict=True)]
    first, last = (here + sum(pick(0, e) for e in ends) for pick in (min, max))
    if math.prod(shape) and not (start <= first and last + given.itemsize <= end):
        raise Undefined("as_strided reaches outside of the array's memory")
    return wrap(np.lib.stride_tricks.as_strided(given, shape, strides), x)


# Choosing and sorting

public("clip")(lambda a, a_min, a_max, out=None: a.clip(a_min, a_max, out=out))
public("argsort")(lambda a, axis=-1, kind=None: a.argsort(axis=axis, kind=kind))


@public("where")
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise NotInDouble("where of one argument: it waits")
    return ufuncs.where(condition.astype("?", copy=False), x, y)


@public("take_along_axis")
def take_along_axis(a: Any, indices: Any, axis: Any) -> Any:
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    made = in_c_order(np.take_along_axis(memory_of(a), memory_of(indices), axis))
    return noted("index", made, made, indices._a, launches=3 * a.ndim)


@public("interp")
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    if period is not None:
        raise NotInDouble("interp with a period")
    points, knots, values = memory_of(x), memory_of(xp), memory_of(fp)
    if knots.ndim != 1 or values.ndim != 1:
        raise ValueError("xp and fp must be 1D arrays")
    if knots.size != values.size:
        raise ValueError("fp and xp are not of the same length")
    if knots.size == 0:
        raise ValueError("array of sample points is empty")
    if not points.flags.c_contiguous:
        raise NotImplementedError("Non-C-contiguous x is currently not supported")
    made = np.asarray(np.interp(points, knots, values, left, right), np.float64)
    return noted("interp", made, points, knots, values, launches=2)
