"""Sorting a map's channels, one after the other, on the threads."""

from __future__ import annotations

import numpy as np

from . import threads
from .threads import Workspace

_SQUARE = 128  # rows and columns that are transposed at a time


def sort_columns(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``kernels.sort_columns``, equal values in the order in which they came."""
    rows, columns = flat.shape
    planes, values = _transposed(flat), np.empty((columns, rows), dtype=flat.dtype)
    order = np.empty((columns, rows), dtype=np.int32)

    def column_of(c: int, work: Workspace) -> None:
        _sort(planes[c], values[c], order[c])

    threads.run(column_of, range(columns))
    return values.T, order


def _transposed(a: np.ndarray) -> np.ndarray:
    """A copy of a's transpose, made in squares that a core's cache holds."""
    result = np.empty(a.shape[::-1], dtype=a.dtype)

    def part_of(corner: tuple[int, int], work: Workspace) -> None:
        rows, columns = (slice(start, start + _SQUARE) for start in corner)
        result[columns, rows] = a[rows, columns].T

    threads.run(part_of, [(i, j) for i in range(0, len(a), _SQUARE) for j in range(0, a.shape[1], _SQUARE)])
    return result


def _sort(column: np.ndarray, values: np.ndarray, order: np.ndarray) -> None:
    """Write a column in ascending order and where its entries came from, the first of equals first.

    Sorting plain numbers is several times as fast as sorting indices by the values they point to. Therefore each
    float32 and its index are packed into one 64-bit integer. The bits of floats, read as integers, are in the floats'
    order once all bits but the sign are inverted in the negative ones.
    """
    if column.dtype != np.float32:
        order[...] = np.argsort(column, kind="stable")
        values[...] = column[order]
        return
    keys = _ordered_bits(column.view(np.int32)).astype(np.int64) << 32
    keys |= np.arange(len(keys))
    keys.sort()
    order[...] = keys & 0x7FFFFFFF
    values[...] = _ordered_bits((keys >> 32).astype(np.int32)).view(np.float32)


def _ordered_bits(bits: np.ndarray) -> np.ndarray:
    """The bits of float32 values as int32 of the same order, and back: the function is its own inverse."""
    ordered: np.ndarray = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    return ordered


def unsort_columns(g: np.ndarray, order: np.ndarray) -> np.ndarray:
    """``kernels.unsort_columns``."""
    planes = np.empty(order.shape, dtype=g.dtype)

    def column_of(c: int, work: Workspace) -> None:
        planes[c, order[c]] = g[:, c]

    threads.run(column_of, range(len(order)))
    return _transposed(planes)
