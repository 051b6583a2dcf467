"""Types that CuPy knows, device memory as it is found, and what CuPy makes of data on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from .modules import cupy

QUIET: dict[str, Any] = {"divide": "ignore", "over": "ignore", "under": "ignore", "invalid": "ignore"}


def checked(dtype: Any) -> np.dtype:
    """The type; ValueError for one that CuPy has not."""
    found = np.dtype(dtype)
    if found.kind not in "biufc" or found.char in "gG" or not found.isnative:
        raise ValueError(f"Unsupported dtype {found}")
    return found


def is_number(x: Any) -> bool:
    """Whether it is a number of Python's or NumPy's that CuPy takes as an operand."""
    if type(x) in (int, float, bool, complex):
        return True
    return isinstance(x, np.generic) and x.dtype.kind in "biufc" and x.dtype.char not in "gG"


def memory_of(x: Any) -> np.ndarray:
    """The memory of a device array; TypeError for anything else."""
    if not isinstance(x, cupy.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    return x._a


def on_host(value: Any, dtype: Any = None) -> np.ndarray:
    """What CuPy's array() makes of host data, still on the host."""
    if isinstance(value, (list, tuple)) and any(isinstance(v, cupy.ndarray) for v in value):
        value = np.stack([memory_of(v) if isinstance(v, cupy.ndarray) else np.asarray(v) for v in value])
    made = np.asarray(value) if dtype is None else np.asarray(value, dtype=checked(dtype))
    checked(made.dtype)
    return made


def in_c_order(a: Any) -> np.ndarray:
    """In C order, and 0-d where it was (ascontiguousarray makes those 1-d)."""
    return np.array(a, order="C", copy=None, ndmin=0)


def used(a: np.ndarray) -> np.ndarray:
    """Memory that was used for something else before: NaN, true, or a large number."""
    a.fill(np.nan if a.dtype.kind in "fc" else True if a.dtype.kind == "b" else np.iinfo(a.dtype).max - 41)
    return a


def same_place(a: np.ndarray, b: np.ndarray) -> bool:
    start, other = (x.__array_interface__["data"][0] for x in (a, b))
    return bool(start == other and a.shape == b.shape and a.strides == b.strides)
