"""Functions that make arrays, of host data or of nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import noted, wrap
from .ledger import LEDGER
from .memory import checked, memory_of, on_host, used
from .modules import NotInDouble, cupy, public

_OF_NUMPY = ["bool_", "uint8", "int32", "int64", "float16", "float32", "float64", "finfo", "dtype", "inf", "nan"]
for _name in _OF_NUMPY:
    setattr(cupy, _name, getattr(np, _name))


@public("result_type")
def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    return np.result_type(*(a.dtype if isinstance(a, cupy.ndarray) else a for a in arrays_and_dtypes))


@public("array")
def array(
    obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", subok: bool = False, ndmin: int = 0, *,
    blocking: bool = False
) -> Any:  # fmt: skip
    if isinstance(obj, cupy.ndarray):
        return obj.astype(obj.dtype if dtype is None else dtype, order=order or "K", copy=bool(copy))
    host = on_host(obj, dtype)
    LEDGER.copied(to_device=host.nbytes)
    return wrap(np.array(host, order=order or "K", ndmin=ndmin))


@public("asarray")
def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False) -> Any:
    return array(a, dtype, bool(copy), order or "K")


@public("ascontiguousarray")
def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    if not isinstance(a, cupy.ndarray):
        return array(a, dtype, order="C", ndmin=1)
    made = a.astype(a.dtype if dtype is None else dtype, order="C", copy=False)
    return made.reshape(1) if made.ndim == 0 else made


@public("empty")
def empty(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    return wrap(used(np.empty(shape, checked(dtype), order=order)))


@public("zeros")
def zeros(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    return noted("fill", np.zeros(shape, checked(dtype), order=order))


@public("ones")
def ones(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    return noted("fill", np.ones(shape, checked(dtype), order=order))


@public("full")
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> Any:
    value = fill_value._a if isinstance(fill_value, cupy.ndarray) else np.asarray(fill_value)
    if value.shape != ():
        raise ValueError("non-scalar array cannot be used for fill")
    return noted("fill", np.full(shape, value[()], checked(value.dtype if dtype is None else dtype), order=order))


@public("empty_like")
def empty_like(prototype: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> Any:
    return wrap(used(_like(prototype, dtype, order, subok, shape)))


@public("zeros_like")
def zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> Any:
    made = _like(a, dtype, order, subok, shape)
    made.fill(0)
    return noted("fill", made)


@public("ones_like")
def ones_like(a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> Any:
    made = _like(a, dtype, order, subok, shape)
    made.fill(1)
    return noted("fill", made)


def _like(a: Any, dtype: Any, order: str, subok: Any, shape: Any) -> np.ndarray:
    if subok is not None:
        raise TypeError("subok is not supported yet")
    return np.empty_like(memory_of(a), None if dtype is None else checked(dtype), order, shape=shape)


@public("eye")
def eye(N: int, M: Any = None, k: int = 0, dtype: Any = float, order: str = "C") -> Any:  # noqa: N803
    return noted("fill", np.eye(N, M, k, checked(dtype), order=order))


@public("arange")
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    if any(isinstance(x, cupy.ndarray) for x in (start, stop, step)):
        raise NotInDouble("arange of arrays")
    first, last = (0, start) if stop is None else (start, stop)
    return noted("fill", np.arange(first, last, step, dtype))


@public("linspace")
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
    axis: int = 0
) -> Any:  # fmt: skip
    if retstep or isinstance(start, cupy.ndarray) or isinstance(stop, cupy.ndarray):
        raise NotInDouble("linspace of arrays, or with its step")
    return noted("fill", np.linspace(start, stop, num, endpoint, dtype=dtype))


@public("diag")
def diag(v: Any, k: int = 0) -> Any:
    return v.diagonal(k) if v.ndim == 2 else noted("fill", np.diag(memory_of(v), k))
