"""What every method of minimisation is given, hands back, and refuses. Knows no images, no files, no recipes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..backend import Array, array_module
from ..engine.kernels import by_rows
from ..errors import OptimizeError

Function = Callable[[Array], tuple[float, Array]]  # x -> (loss, gradient)
OnEvaluation = Callable[[Array, float], Any]  # (x, loss) -> true to stop


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended: ``x`` and its loss, ``stopped`` if it was asked to stop.

    That need not be the best x: who wants it keeps it from ``on_evaluation``.
    """

    x: Array
    loss: float
    evaluations: int
    iterations: int
    message: str
    stopped: bool


def check_evaluation(loss: float, g: Array, evaluation: int, largest: float = math.inf) -> None:
    """Raise OptimizeError unless the loss and its gradient g are finite numbers, and those of g below ``largest``."""
    xp, advice = array_module(g), "try smaller weights, or --dtype float64"
    g = xp.atleast_1d(g)
    sizes = by_rows(lambda rows: float(xp.maximum(g[rows].max(), -g[rows].min())), g)  # NaN, if there is one
    if not (math.isfinite(loss) and all(map(math.isfinite, sizes))):
        raise OptimizeError(f"the loss ({loss}) or its gradient is no number at evaluation {evaluation}: {advice}")
    if not max(sizes, default=0.0) < largest:
        raise OptimizeError(f"the gradient ({max(sizes):.3g}) is too large at evaluation {evaluation}: {advice}")
