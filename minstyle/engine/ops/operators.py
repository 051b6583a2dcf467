"""``+ - * @`` and unary minus on Vars, as the ops that they stand for.

The other operand, on either side, is a Var, an array or a real number. A number, NumPy's scalars and arrays without
axes included, never changes the Var's type: ``2 * x`` is ``scale``, and ``x + 1`` adds a 1 of x's type. ``x - y`` is
``add(x, scale(y, factor=-1))``, which is the same to the last bit. Shapes have to fit as ``add``, ``multiply`` and
``matmul`` say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend import array_module
from ..autodiff import Var
from .arithmetic import add, matmul, multiply, scale


def install_operators() -> None:
    """Give Var its operators. They are not defined there because the ops stand above it."""
    Var.__add__ = Var.__radd__ = _operator(add)
    Var.__sub__ = _operator(lambda x, y: add(x, -y))
    Var.__rsub__ = _operator(lambda x, y: add(y, -x))
    Var.__mul__ = Var.__rmul__ = _times
    Var.__matmul__ = _operator(matmul)
    Var.__rmatmul__ = _operator(lambda x, y: matmul(y, x))
    Var.__neg__ = _negative


def _operator(op: Callable[[Any, Any], Any]) -> Callable[[Var, Any], Var]:
    """``op(x, y)`` as a method of the Var x. What is no operand is a TypeError, from Python."""

    def method(x: Var, y: Any) -> Any:
        if _is_number(y):
            y = array_module(x.value).asarray(y, dtype=x.value.dtype)
        return op(x, y) if isinstance(y, Var) or hasattr(y, "dtype") else NotImplemented

    return method


_product = _operator(multiply)


def _times(x: Var, y: Any) -> Any:
    return scale(x, factor=y) if _is_number(y) else _product(x, y)


def _is_number(y: Any) -> bool:
    """A real number: Python's, NumPy's, or an array without axes on the host; on the device it is an array."""
    if isinstance(y, (np.generic, np.ndarray)):
        return y.ndim == 0 and y.dtype.kind in "biuf"
    return isinstance(y, (int, float))


def _negative(x: Var) -> Any:
    return scale(x, factor=-1.0)
