"""Products of a tall map with itself and with a small matrix, on the threads."""

from __future__ import annotations

import numpy as np

from . import products, threads
from .threads import Workspace

# Rows of a map that are multiplied at a time, and at most so many sums of such products side by side.
_VALUES, _SUMS = 1 << 18, 16


def gram(flat: np.ndarray) -> np.ndarray:
    """F^T F of F (M, C), summed in an order that the shape alone decides. -> (C, C)"""
    rows, channels = flat.shape
    pieces = max(1, min(_SUMS, rows * channels // _VALUES))
    bounds = np.linspace(0, rows, pieces + 1).astype(int)
    sums = np.empty((pieces, channels, channels), dtype=flat.dtype)

    def product(i: int, work: Workspace) -> None:
        part = flat[bounds[i] : bounds[i + 1]]
        np.matmul(part.T, part, out=sums[i])

    threads.run(product, range(pieces))
    total: np.ndarray = sums.sum(axis=0)
    return total


def add_product(f: np.ndarray, matrix: np.ndarray, into: np.ndarray | None) -> np.ndarray:
    """f @ S at every pixel of f (H, W, C), S (C, K). -> (H, W, K): ``into``, to which it is added, if that is given."""
    if into is not None and not into.flags.c_contiguous:
        into += add_product(f, matrix, None)
        return into
    result = np.empty((*f.shape[:2], matrix.shape[1]), dtype=f.dtype) if into is None else into
    flat, total = f.reshape(-1, f.shape[2]), result.reshape(-1, matrix.shape[1])
    rows = max(1, _VALUES // max(matrix.shape))

    def strip_of(start: int, work: Workspace) -> None:
        strip = slice(start, start + rows)
        if into is None:
            products.multiply(flat[strip], matrix, total[strip])
        else:
            product = work.array("product", total[strip].shape, total.dtype)
            products.multiply(flat[strip], matrix, product)
            total[strip] += product

    threads.run(strip_of, range(0, len(flat), rows))
    return result
