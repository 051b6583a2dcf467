"""The ufuncs: CuPy's loops, found as CuPy finds them; the operators of arrays are made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import array
from .ledger import LEDGER
from .memory import QUIET, checked, is_number, memory_of
from .modules import cupy

_INTS = "bBhHiIlLqQ"
_F1, _F2 = "e->e f->f d->d", "ee->e ff->f dd->d"
_I1, _I2 = " ".join(f"{c}->{c}" for c in _INTS), " ".join(f"{c}{c}->{c}" for c in _INTS)
_COMPARED = "??->? qq->? QQ->? qQ->? Qq->? ee->? ff->? dd->?"
_ALL = f"?{_INTS}efd"
_LOOPS = {
    _F1: "arccos arcsin arctan cbrt cos exp log sin sqrt tan tanh",
    f"?->? {_I1} {_F1}": "abs absolute negative positive",
    f"??->? {_I2} {_F2}": "add maximum minimum multiply subtract",
    _COMPARED: "greater greater_equal less less_equal equal not_equal logical_and logical_or",
    f"??->? {_I2}": "bitwise_and bitwise_or bitwise_xor",
    f"{_I1} {_F1}": "sign square reciprocal",
    f"{_I2} {_F2}": "floor_divide remainder",
    "e->? f->? d->?": "isfinite isnan",
    f"?->? {_I1}": "invert",
    f"qq->d qQ->d Qq->d QQ->d {_F2}": "divide true_divide",
    f"??->b {_I2} {_F2}": "power",
}


class ufunc:  # noqa: N801
    def __init__(self, name: str, loops: str, host: Any = None) -> None:
        self.name, self.__name__, self.types = f"cupy_{name}", name, loops.split()
        self._loops = [tuple(loop.split("->")) for loop in self.types]
        self.nin = len(self._loops[0][0])
        self._host = host or getattr(np, name)

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind") -> Any:
        if not self.nin <= len(args) <= self.nin + 1:
            raise TypeError(f"Wrong number of arguments for {self.name!r}.")
        inputs, out = args[: self.nin], args[self.nin] if len(args) > self.nin else out
        for x in (*inputs, *([] if out is None else [out])):
            if not isinstance(x, cupy.ndarray) and not is_number(x):
                raise TypeError(f"Unsupported type {type(x)}")
        types, made = self._loop(inputs, None if dtype is None else checked(dtype))
        # An integer that does not fit raises OverflowError, as in CuPy.
        given = [x._a.astype(t, copy=False) if isinstance(x, cupy.ndarray) else np.asarray(x, dtype=t)
                 for x, t in zip(inputs, types, strict=True)]  # fmt: skip
        shape = np.broadcast_shapes(*(x.shape for x in given))
        with np.errstate(**QUIET):
            result = np.broadcast_to(np.asarray(self._host(*given)).astype(made, copy=False), shape)
        read = [x._a for x in inputs if isinstance(x, cupy.ndarray)]
        if out is None:
            return array.noted("elementwise", np.array(result, order="C"), *read)
        if np.broadcast_shapes(shape, out.shape) != out.shape:
            raise ValueError("Out shape is mismatched")
        if not np.can_cast(made, out.dtype, casting):
            raise TypeError(f"Cannot cast ufunc {self.name} output from {np.dtype(made)!r} to {out.dtype!r}")
        memory_of(out)[...] = result
        LEDGER.note("elementwise", 1, read, [out._a])
        return out

    def _loop(self, inputs: Any, dtype: Any) -> Any:
        """The first loop that takes the inputs; Python's numbers are weak, NumPy's are not (NEP 50)."""
        if dtype is not None:
            found = [loop for loop in self._loops if np.dtype(loop[1]) == dtype]
        else:
            kinds = [(x.dtype, None) if hasattr(x, "dtype") else (np.result_type(x), type(x)) for x in inputs]
            strong = [_rank(t) for t, weak in kinds if weak is None]
            loose = [_rank(t) for t, weak in kinds if weak is not None]
            if not (strong and loose and max(strong) >= max(loose)):
                kinds = [(t, None) for t, _ in kinds]
            found = [loop for loop in self._loops if all(map(_fits, kinds, loop[0]))]
        if not found:
            raise TypeError(f"Wrong types of arguments for {self.name}")
        return found[0]


def _rank(t: np.dtype) -> int:
    return "biuf".index(t.kind) if t.kind != "u" else 1


def _fits(kind: Any, loop: str) -> bool:
    t, weak = kind
    if np.can_cast(t, loop):
        return True
    return weak is not None and np.result_type(weak(0), np.dtype(loop)) == np.dtype(loop)


for _loops, _names in _LOOPS.items():
    for _name in _names.split():
        setattr(cupy, _name, ufunc(_name, _loops))


def _clip(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """As CuPy's kernel: where the bounds cross, the higher counts."""
    return np.where(low > high, high, np.where(x < low, low, np.where(x > high, high, x)))


where = ufunc("where", " ".join(f"?{c}{c}->{c}" for c in _ALL), np.where)
clip = ufunc("clip", " ".join(f"{c}{c}{c}->{c}" for c in _ALL), _clip)
