"""Sums of the pairs that L-BFGS remembers, and the second of its loops, which says of how much of each."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module, is_cupy
from ..engine.kernels import by_rows


def add_combination(into: Array, rows: Array, factors: Array) -> None:
    """Add the sum of ``rows`` (m, n), each times its factor, to ``into``, of n entries. Factors may be on the host."""
    flat = into.reshape(-1)
    weights = array_module(into).asarray(factors, dtype=into.dtype)

    def add(band: slice) -> None:
        flat[band] += weights @ rows[:, band]

    by_rows(add, flat)


def second_loop(used: list[int], products: np.ndarray, alpha: np.ndarray, bends: Array) -> Array:
    """The factors of the steps (m,), from those of the first loop, ``alpha`` (m,), and Y r, ``bends`` (m,).

    ``used`` are the pairs, oldest first, ``products`` (at least m, m) has s_i . y_j where pair i is as old as j or
    older. Where ``bends`` are on a device, so are the factors, and the host does not wait for them: the loop solves a
    triangular system, whose inverse is known before.
    """
    if is_cupy(bends):
        return _solved_on_device(used, products, alpha, bends)
    delta = np.zeros(len(alpha))
    for n, i in enumerate(used):
        older = used[:n]
        delta[i] = alpha[i] - (bends[i] + products[older, i] @ delta[older]) / products[i, i]
    return delta


def _solved_on_device(used: list[int], products: np.ndarray, alpha: np.ndarray, bends: Array) -> Array:
    inverse = np.linalg.inv(np.tril(products[np.ix_(used, used)].T))
    table = np.zeros((len(alpha), len(alpha) + 1))  # the factors are table @ (bends, 1)
    table[np.ix_(used, used)] = -inverse
    table[used, -1] = inverse @ (products[used, used] * alpha[used])
    there = array_module(bends).asarray(table)
    return there[:, :-1] @ bends + there[:, -1]
