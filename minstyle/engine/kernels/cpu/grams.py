"""Gram matrices, weighted sums, and products of a tall map (M, C) with a small matrix, on the threads."""

from __future__ import annotations

import numpy as np

from . import products, threads
from .threads import Workspace

_VALUES = 1 << 18  # entries of a map that are multiplied at a time, if it is large
_WORTH = 1 << 24  # multiplications that are worth a task of their own
_FEWEST_ROWS = 64  # of a piece: thinner ones waste the arithmetic units
_SUMS = 16  # partial sums of a Gram matrix, at most
_ROWS = 1024  # rows that are summed in the map's own type: float32 loses a digit or so


def gram(flat: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """F^T diag(weights) F of F (M, C), weights (M,) (None: ones). -> (C, C)

    The order of summation depends on M and C only, not on the number of threads.
    """
    # As (sqrt(w) F)^T (sqrt(w) F): BLAS computes a symmetric product in half the time.
    root = None if weights is None else np.sqrt(weights)[:, None]
    rows, channels = flat.shape
    few = min(2, rows * channels**2 // _WORTH, rows // _FEWEST_ROWS)  # of a small map: each thread should get some
    pieces = max(1, few, min(_SUMS, rows * channels // _VALUES))
    bounds = np.linspace(0, rows, pieces + 1).astype(int)
    sums = np.empty((pieces, channels, channels), dtype=flat.dtype)

    def product(i: int, work: Workspace) -> None:
        rows_of_part = slice(bounds[i], bounds[i + 1])
        part = flat[rows_of_part]
        if root is not None:
            part = np.multiply(part, root[rows_of_part], out=work.array("weighted", part.shape, part.dtype))
        np.matmul(part.T, part, out=sums[i])

    threads.run(product, range(pieces))
    total: np.ndarray = sums.sum(axis=0)
    return total


def plus_transpose(g: np.ndarray) -> np.ndarray:
    """g + g^T of g (C, C).

    Columns of a matrix whose rows are a power of two apart compete for the same lines of the cache, so the columns are
    read from a copy with longer rows: 3 times as fast at 512 x 512.
    """
    apart = np.empty((len(g), len(g) + 16), dtype=g.dtype)[:, : len(g)]
    apart[...] = g
    total: np.ndarray = apart.T + g
    return np.ascontiguousarray(total)


def weighted_sum(flat: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sum of the rows of F (M, C), each times its weight (M,). -> (C,) in float64, in which strips are added."""
    sums = np.empty((-(-len(flat) // _ROWS), flat.shape[1]), dtype=flat.dtype)

    def strip_of(i: int, work: Workspace) -> None:
        strip = slice(i * _ROWS, (i + 1) * _ROWS)
        np.matmul(weights[strip], flat[strip], out=sums[i])

    threads.run(strip_of, range(len(sums)))
    total: np.ndarray = sums.sum(axis=0, dtype=np.float64)
    return total


def add_product(
    f: np.ndarray, matrix: np.ndarray, into: np.ndarray | None, weights: np.ndarray | None = None
) -> np.ndarray:
    """f @ S at every pixel of f (H, W, C), S (C, K), times the pixel's weight (H, W) if there are weights. -> (H, W, K)

    ``into``, if given, is an array that the result is added to in place; it is returned.
    """
    if into is not None and not into.flags.c_contiguous:
        into += add_product(f, matrix, None, weights)
        return into
    column = None if weights is None else weights.reshape(-1, 1)
    result = np.empty((*f.shape[:2], matrix.shape[1]), dtype=f.dtype) if into is None else into
    flat, total = f.reshape(-1, f.shape[2]), result.reshape(-1, matrix.shape[1])
    quarter = max(-(-len(flat) // 4), _FEWEST_ROWS)  # of a small map: each thread should get some
    rows = max(1, min(quarter, _VALUES // max(matrix.shape)))

    def strip_of(start: int, work: Workspace) -> None:
        strip = slice(start, start + rows)
        product = total[strip] if into is None else work.array("product", total[strip].shape, total.dtype)
        products.multiply(flat[strip], matrix, product)
        if column is not None:
            product *= column[strip]
        if into is not None:
            total[strip] += product

    threads.run(strip_of, range(0, len(flat), rows))
    return result
