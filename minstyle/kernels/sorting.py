"""Sorting a map's channels, one after the other, on the threads."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module, is_cupy
from . import threads
from .threads import Workspace


def sort_columns(flat: Array) -> tuple[Array, Array]:
    """(each column of F (M, C) in ascending order (M, C), where its entries came from (C, M) in int32)."""
    xp = array_module(flat)
    if is_cupy(flat):
        order = xp.argsort(flat.T, axis=1).astype(xp.int32)
        return xp.take_along_axis(flat.T, order, axis=1).T, order
    rows, columns = flat.shape
    values, order = np.empty((columns, rows), dtype=flat.dtype), np.empty((columns, rows), dtype=np.int32)

    def column_of(c: int, work: Workspace) -> None:
        column = np.ascontiguousarray(flat[:, c])
        order[c] = np.argsort(column)
        np.take(column, order[c], out=values[c], mode="clip")  # the only mode that needs no buffer

    threads.run(column_of, range(columns))
    return values.T, order


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
    return np.ascontiguousarray(planes.T)
