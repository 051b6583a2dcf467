"""``cupy.ndarray``: it wraps a NumPy array, and is none."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import indexing, pools, reductions, ufuncs
from .ledger import LEDGER
from .memory import QUIET, checked, in_c_order, is_number, used
from .modules import NotInDouble, Undefined, cupy, public


def wrap(a: Any, owner: Any = None) -> ndarray:
    """The device array with this memory; ``owner``: whose memory it is, if another's."""
    made: ndarray = object.__new__(ndarray)
    made._a = a if type(a) is np.ndarray else np.array(a)
    made._owner = owner
    made._block = pools.allocate(made._a.nbytes) if owner is None else None
    return made


def noted(kind: str, made: Any, *read: np.ndarray, launches: int = 1) -> ndarray:
    """``wrap(made)``, its making written down."""
    LEDGER.note(kind, launches, read, [made])
    return wrap(made)


@public("ndarray")
class ndarray:  # noqa: N801
    __slots__ = ("__weakref__", "_a", "_block", "_owner")
    __array_priority__ = 100
    __hash__ = None
    _a: np.ndarray
    _owner: Any

    def __new__(cls, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C") -> Any:
        if memptr is not None or strides is not None:
            raise NotInDouble("ndarray() with memory or strides")
        return wrap(used(np.empty(shape, checked(dtype), order=order)))

    # What it is

    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    itemsize = property(lambda self: self._a.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    shape = property(lambda self: self._a.shape)
    strides = property(lambda self: self._a.strides)
    base = property(lambda self: self._owner)
    T = property(lambda self: self.transpose())
    data = property(lambda self: SimpleNamespace(ptr=self._a.__array_interface__["data"][0]))
    device = property(lambda self: cupy.cuda.Device(0))

    @property
    def flags(self) -> Any:
        """Nothing about writing, as in CuPy."""
        c, f = self._a.flags.c_contiguous, self._a.flags.f_contiguous
        return SimpleNamespace(c_contiguous=c, f_contiguous=f, forc=c or f, owndata=self._owner is None)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of unsized object")
        return int(self.shape[0])

    def __iter__(self) -> Any:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        return repr(self._a)

    # To the host

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        if out is not None:
            raise NotInDouble("get with out")
        LEDGER.wait("get", to_host=self.nbytes)
        return np.array(self._a, order=order)

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self._number("item")

    def _number(self, kind: str) -> Any:
        LEDGER.wait(kind, to_host=self.nbytes)
        return self._a.item()

    def __int__(self) -> int:
        return int(self._number("int"))

    def __float__(self) -> float:
        return float(self._number("float"))

    def __bool__(self) -> bool:
        if self.size == 0:
            raise Undefined("the truth value of an empty array")
        if self.size > 1:
            raise ValueError("The truth value of an array with more than one element is ambiguous.")
        return bool(self._number("bool"))

    def __array__(self, dtype: Any = None) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. "
                        "Please use `.get()` to construct a NumPy array explicitly.")  # fmt: skip

    def __reduce__(self) -> Any:
        return cupy.array, (self.get(),)

    # NumPy's functions that are called with it

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = getattr(cupy, ufunc.__name__, None)
        if method != "__call__" or function is None:
            return NotImplemented
        if "out" in kwargs:
            (kwargs["out"],) = kwargs["out"]
        if not all(is_number(x) or isinstance(x, (ndarray, np.ndarray)) for x in inputs):
            return NotImplemented
        if ufunc.__name__ in ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"):
            inputs = tuple(x.item() if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in inputs)
        return function(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        try:
            module = functools.reduce(getattr, func.__module__.split(".")[1:], cupy)
            ours = getattr(module, func.__name__)
        except AttributeError:
            return NotImplemented
        return NotImplemented if ours is func else ours(*args, **kwargs)

    # Parts, views, copies

    def __getitem__(self, where: Any) -> ndarray:
        return indexing.get(self, where)

    def __setitem__(self, where: Any, value: Any) -> None:
        indexing.put(self, where, value)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True
    ) -> ndarray:
        if casting is not None or subok is not None:
            raise TypeError("casting and subok are not supported yet")
        same_order = order in (None, "K") or self._a.flags[f"{order}_CONTIGUOUS"]
        if checked(dtype) == self.dtype and not copy and same_order:
            return self
        with np.errstate(**QUIET):
            return noted("astype", self._a.astype(checked(dtype), order=order or "K"), self._a)

    def copy(self, order: str = "C") -> ndarray:
        return self.astype(self.dtype, order=order)

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        return wrap(self._a.view() if dtype is None else self._a.view(checked(dtype)), self)

    def fill(self, value: Any) -> None:
        self[...] = value

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> ndarray:
        shape = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        made = np.reshape(self._a, shape, order=order, copy=copy)
        if not made.size or np.shares_memory(made, self._a, max_work=1):
            return wrap(made, self)
        return noted("copy by reshape", made, self._a)

    def ravel(self, order: str = "C") -> ndarray:
        if self.flags.c_contiguous:
            return wrap(self._a.reshape(-1), self)
        return noted("copy by ravel", in_c_order(self._a.ravel(order)), self._a)

    def transpose(self, *axes: Any) -> ndarray:
        return wrap(self._a.transpose(*axes), self)

    def swapaxes(self, axis1: int, axis2: int) -> ndarray:
        return wrap(self._a.swapaxes(axis1, axis2), self)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ndarray:
        made = self._a.diagonal(offset, axis1, axis2)
        made.flags.writeable = True  # a view that may be written to, unlike NumPy's
        return wrap(made, self)

    def argsort(self, axis: Any = -1, kind: Any = None) -> ndarray:
        if kind is not None and kind != "stable":
            raise ValueError("kind can only be None or 'stable'")
        if LEDGER.recording is not None:
            LEDGER.recording.spoil("sorting")
        return noted("sort", in_c_order(self._a.argsort(axis=axis, kind="stable")), self._a, launches=20)

    # Reductions give 0-d arrays, never numbers

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return reductions.reduced("max", self, axis, out, keepdims)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return reductions.reduced("min", self, axis, out, keepdims)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return reductions.reduced("any", self, axis, out, keepdims)

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return reductions.reduced("sum", self, axis, out, keepdims, dtype)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return reductions.reduced("mean", self, axis, out, keepdims, dtype)

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
        return reductions.accumulated("cumsum", self, axis, dtype, out)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> ndarray:
        return self.diagonal(offset, axis1, axis2).sum(-1, dtype, out, False)

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> ndarray:
        low = self.dtype.type("-inf") if min is None and self.dtype.kind == "f" else min
        high = self.dtype.type("inf") if max is None and self.dtype.kind == "f" else max
        return ufuncs.clip(self, low, high, out=out)
