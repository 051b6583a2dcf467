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
# (x, state, evaluations, iterations) of this call, where it can be ended and gone on from: neither is a copy.
OnIteration = Callable[[Array, Any, int, int], Any]


def nothing(*told: Any) -> None:
    """Watches nothing."""


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


class StopRequestedError(Exception):
    """Ends a minimisation from within: ``on_evaluation`` said stop."""


class Evaluations:
    """An objective whose evaluations are counted, checked and told; ``x`` and ``loss`` are those of the latest."""

    def __init__(self, objective: Function, on_evaluation: OnEvaluation) -> None:
        self._objective, self._on_evaluation = objective, on_evaluation
        self.count, self.x, self.loss = 0, None, math.inf

    def __call__(self, x: Array) -> tuple[float, Array]:
        """(loss, gradient); raises OptimizeError where they are no numbers, StopRequestedError where told to stop."""
        loss, g = self._objective(x)
        self.count, self.x, self.loss = self.count + 1, x, loss
        check_evaluation(loss, g, self.count)
        if self._on_evaluation(x, loss):
            raise StopRequestedError
        return loss, g


def check_evaluation(loss: float, g: Array, evaluation: int, largest: float = math.inf) -> None:
    """Raise OptimizeError unless the loss and its gradient g are finite numbers, and those of g below ``largest``."""
    size, advice = largest_entry(g), "try smaller weights, or --dtype float64"
    if not (math.isfinite(loss) and math.isfinite(size)):
        raise OptimizeError(f"the loss ({loss}) or its gradient is no number at evaluation {evaluation}: {advice}")
    if not size < largest:
        raise OptimizeError(f"the gradient ({size:.3g}) is too large at evaluation {evaluation}: {advice}")


def largest_entry(g: Array) -> float:
    """The largest absolute value in g, 0 if it is empty, NaN if one is NaN."""
    xp = array_module(g)
    g = xp.atleast_1d(g)
    sizes = by_rows(lambda rows: float(xp.maximum(g[rows].max(), -g[rows].min())), g)
    return math.nan if any(map(math.isnan, sizes)) else max(sizes, default=0.0)
