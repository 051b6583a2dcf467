"""Reading and writing parts of an array. It raises where a GPU's result is undefined: indices outside, ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import array
from .ledger import LEDGER
from .memory import QUIET, in_c_order, on_host, same_place
from .modules import NotInDouble, Undefined, cupy


def get(a: Any, where: Any) -> Any:
    """A view; or a copy, where the index is of arrays."""
    index, advanced = _index(where)
    if not advanced:
        return array.wrap(_view(a._a, index), a)
    try:
        found = in_c_order(a._a[index])
    except IndexError as error:
        raise Undefined(f"CuPy wraps indices around where NumPy says: {error}") from error
    masks = _note(index, found)
    LEDGER.note("index", 0, [*masks, found], [found])
    return array.wrap(found.copy() if found.base is a._a else found)


def put(a: Any, where: Any, value: Any) -> None:
    index, advanced = _index(where)
    of_device = isinstance(value, cupy.ndarray)
    given = value._a if of_device else on_host(value, a.dtype)
    if not advanced and not of_device and given.shape != ():  # such parts are filled with a number
        raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
    with np.errstate(**QUIET):
        if not advanced:
            place = _view(a._a, index)
            if not same_place(place, given):
                place[...] = given
                LEDGER.note("assign", 1, [given] if of_device else [], [place])
            return
        try:
            a._a[index] = given
        except IndexError as error:
            raise Undefined(f"CuPy wraps indices around where NumPy says: {error}") from error
        masks = _note(index, a._a)
        if not masks:
            now = a._a[index]
            wanted = np.broadcast_to(given, now.shape).astype(a.dtype)
            if not np.array_equal(now, wanted, equal_nan=a.dtype.kind in "fc"):
                raise Undefined("different values are written to one place")
    LEDGER.note("index", 0, masks, [a._a])


def _view(a: np.ndarray, index: tuple[Any, ...]) -> Any:
    """An array, where NumPy would give a number."""
    return a[index if any(i is Ellipsis for i in index) else (*index, Ellipsis)]


def _note(index: tuple[Any, ...], moved: np.ndarray) -> list[np.ndarray]:
    """Write down what an index of arrays launches; with a mask, how many entries there are is waited for."""
    masks = [i for i in index if isinstance(i, np.ndarray) and i.dtype == bool]
    LEDGER.note("mask" if masks else "index", 6 if masks else 1 + len(index))
    if masks:
        LEDGER.wait("mask", to_host=4)
    return masks


def _index(where: Any) -> tuple[tuple[Any, ...], bool]:
    """The index for the memory, and whether it is one of arrays."""
    items, advanced = list(where) if isinstance(where, tuple) else [where], False
    for i, item in enumerate(items):
        if isinstance(item, slice):
            if any(isinstance(end, cupy.ndarray) for end in (item.start, item.stop, item.step)):
                raise TypeError("slice indices must be integers: CuPy's arrays have no __index__")
        elif isinstance(item, cupy.ndarray):
            if item.dtype.kind not in "biu":
                raise IndexError("arrays used as indices must be of integer or boolean type "
                                 f"(actual: {item.dtype.type})")  # fmt: skip
            items[i], advanced = item._a, True
        elif item is not None and item is not Ellipsis and not (np.isscalar(item) and not isinstance(item, bool)):
            items[i], advanced = np.asarray(item), True
            LEDGER.wait("index from host", to_device=items[i].nbytes)
    if sum(isinstance(i, np.ndarray) and i.dtype == bool for i in items) > 1:
        raise NotInDouble("an index of more than one boolean array")
    return tuple(items), advanced
