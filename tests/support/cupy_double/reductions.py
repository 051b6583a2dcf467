"""Sums and products: they give 0-d arrays where NumPy gives numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import array
from .memory import QUIET, checked, in_c_order, memory_of
from .modules import NotInDouble, cupy, public


def reduced(name: str, a: Any, axis: Any, out: Any, keepdims: bool, dtype: Any = None) -> Any:
    return _made("reduce", name, a, out, axis=axis, keepdims=keepdims, **({} if dtype is None else {"dtype": dtype}))


def accumulated(name: str, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    return _made("scan", name, a, out, axis=axis, dtype=dtype)


def _made(kind: str, name: str, a: Any, out: Any, **settings: Any) -> Any:
    if out is not None:
        raise NotInDouble(f"{name} with out")
    if settings.get("dtype") is not None:
        settings["dtype"] = checked(settings["dtype"])
    with np.errstate(**QUIET):
        made = in_c_order(getattr(np, name)(memory_of(a), **settings))
    return array.noted(kind, made, a._a, launches=3 if kind == "scan" else 2 if made.size == 1 else 1)


public("sum")(lambda a, axis=None, dtype=None, out=None, keepdims=False: a.sum(axis, dtype, out, keepdims))
public("mean")(lambda a, axis=None, dtype=None, out=None, keepdims=False: a.mean(axis, dtype, out, keepdims))
public("cumsum")(lambda a, axis=None, dtype=None, out=None: a.cumsum(axis, dtype, out))
public("trace")(lambda a, offset=0, axis1=0, axis2=1, dtype=None, out=None: a.trace(offset, axis1, axis2, dtype, out))


class _Matmul:
    """A product of matrices or vectors by cuBLAS. CuPy's is no function either: it has no signature."""

    __name__ = "matmul"

    def __call__(self, a: Any, b: Any, out: Any = None) -> Any:
        x, y = memory_of(a), memory_of(b)
        if x.ndim == 0 or y.ndim == 0:
            raise ValueError("Scalar operands are not allowed, use '*' instead")
        with np.errstate(**QUIET):
            made = array.noted("product", in_c_order(x @ y), x, y)
        if out is None:
            return made
        memory_of(out)[...] = made._a
        return out


cupy.matmul = _Matmul()
