"""Arrays that ops are tried on."""

from __future__ import annotations

import numpy as np


def normal(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def distinct(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Entries at least 0.1 apart and off 0, so that no step of a finite difference crosses a kink."""
    order = np.random.default_rng(seed).permutation(int(np.prod(shape)))
    return (0.1 * order - 0.05 * order.size + 0.03).reshape(shape)


def positive_definite(n: int) -> np.ndarray:
    a = normal((n, n), 3)
    return a @ a.T + 0.2 * np.eye(n)


def shares(shape: tuple[int, ...]) -> np.ndarray:
    """Weights that sum to 1, some of them 0."""
    w = np.random.default_rng(4).random(shape)
    w *= w >= min(0.3, w.max())
    return np.asarray(w / w.sum())
