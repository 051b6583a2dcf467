"""The operators of arrays: each a ufunc, or the other operand's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import ufuncs  # noqa: F401 - the ufuncs are there first
from .modules import NotInDouble, cupy

_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "matmul": "matmul",
}  # fmt: skip
_COMPARISONS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
                "ge": "greater_equal"}  # fmt: skip
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _theirs(y: Any) -> bool:
    """Whether y's reflected operator is to be asked: CuPy's ``_should_use_rop``."""
    if hasattr(y, "__array_ufunc__"):
        return y.__array_ufunc__ is None
    return bool(getattr(y, "__array_priority__", 0) > cupy.ndarray.__array_priority__)


def _install(symbol: str, name: str) -> None:
    def forward(x: Any, y: Any) -> Any:
        if isinstance(y, cupy.ndarray):
            return getattr(cupy, name)(x, y)
        return NotImplemented if _theirs(y) else getattr(np, name)(x, y)

    setattr(cupy.ndarray, f"__{symbol}__", forward)
    if symbol not in _COMPARISONS:
        setattr(cupy.ndarray, f"__r{symbol}__", lambda y, x: getattr(cupy, name)(x, y))
        if symbol != "matmul":
            setattr(cupy.ndarray, f"__i{symbol}__", lambda x, y: getattr(cupy, name)(x, y, x))


def _power(x: Any, y: Any, modulo: Any = None) -> Any:
    """CuPy takes a quicker kernel for some exponents."""
    quicker = {2: "square", 0.5: "sqrt", -1.0: "reciprocal"}.get(y) if type(y) in (int, float) else None
    if quicker is not None and x.dtype.kind == "f" and (type(y) is float or y == 2):
        return getattr(cupy, quicker)(x)
    if x.dtype.kind != "f":
        raise NotInDouble("powers of integers")
    return cupy.power(x, y)


for _symbol, _name in (_BINARY | _COMPARISONS).items():
    _install(_symbol, _name)
for _symbol, _name in _UNARY.items():
    setattr(cupy.ndarray, f"__{_symbol}__", lambda x, _name=_name: getattr(cupy, _name)(x))
cupy.ndarray.__pow__ = _power
