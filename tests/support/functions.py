"""Functions to minimise, with their gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    a, b = x[:-1], x[1:]
    g = np.zeros_like(x)
    g[:-1] = -400 * a * (b - a**2) - 2 * (1 - a)
    g[1:] += 200 * (b - a**2)
    return float((100 * (b - a**2) ** 2 + (1 - a) ** 2).sum()), g


def bowl(x: np.ndarray) -> tuple[float, np.ndarray]:
    weights = np.arange(1, x.size + 1, dtype=x.dtype).reshape(x.shape)
    return float((weights * (x - 2) ** 2).sum()), 2 * weights * (x - 2)


def deconvolution(
    height: int, width: int, dtype: type
) -> tuple[Callable[[np.ndarray], tuple[float, np.ndarray]], np.ndarray]:
    """(objective, start): find an image of large shapes and detail by its slopes, which bend most along detail."""
    random = np.random.default_rng(1)
    shapes = random.standard_normal((height, width, 3)).cumsum(0).cumsum(1)
    goal = ((shapes - shapes.mean()) / shapes.std() * 50 + random.standard_normal(shapes.shape)).astype(dtype)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        away = x - goal
        down, right = np.diff(away, axis=0), np.diff(away, axis=1)
        g = 0.01 * away
        g[1:] += down
        g[:-1] -= down
        g[:, 1:] += right
        g[:, :-1] -= right
        loss = 0.01 * np.vdot(away, away) + np.vdot(down, down) + np.vdot(right, right)
        return 0.5 * float(loss), g

    return objective, np.zeros_like(goal)
