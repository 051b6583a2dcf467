"""Sorting a map's channels, one after the other, on the threads."""

from __future__ import annotations

import numpy as np

from ....backend import Array, array_module, is_cupy
from . import threads
from .threads import Workspace

_SQUARE = 128  # rows and columns that are transposed at a time


def sort_columns(flat: Array) -> tuple[Array, Array]:
    """(each column of F (M, C) in ascending order (M, C), where its entries came from (C, M) in int32)."""
    xp = array_module(flat)
    if is_cupy(flat):
        order = xp.argsort(flat.T, axis=1).astype(xp.int32)
        return xp.take_along_axis(flat.T, order, axis=1).T, order
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

    Single numbers are sorted several times as fast as indices by what they point to. Therefore each float32 and its
    index make one integer of 64 bits; as integers, the bits of floats are in the floats' order once those behind the
    sign of the negative ones are turned.
    """
    if column.dtype != np.float32:
        order[...] = np.argsort(column, kind="stable")
        values[...] = column[order]
        return
    keys = _turned(column.view(np.int32)).astype(np.int64) << 32
    keys |= np.arange(len(keys))
    keys.sort()
    order[...] = keys & 0x7FFFFFFF
    values[...] = _turned((keys >> 32).astype(np.int32)).view(np.float32)


def _turned(bits: np.ndarray) -> np.ndarray:
    turned: np.ndarray = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    return turned


def unsort_columns(g: Array, order: Array) -> Array:
    """The adjoint: g (M, C) given back to where the entries came from. -> (M, C)"""
    xp = array_module(g)
    planes = xp.empty(order.shape, dtype=g.dtype)
    if is_cupy(g):
        planes[xp.arange(len(order))[:, None], order] = g.T
        return xp.ascontiguousarray(planes.T)

    def column_of(c: int, work: Workspace) -> None:
        planes[c, order[c]] = g[:, c]

    threads.run(column_of, range(len(order)))
    return _transposed(planes)
