"""What every method of minimisation is given, hands back, and refuses. Knows no images, no files, no recipes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..backend import Array
from ..engine import kernels
from ..errors import OptimizeError

# Loss, gradient, and from who knows it, since a device would have to be waited for, what its entries are at most.
Found = tuple[float, Array] | tuple[float, Array, float]
Function = Callable[[Array], Found]
OnEvaluation = Callable[[Array, float], Any]  # (x, loss) -> true to stop
# (x, state, evaluations, iterations) of this call, where it can be ended and gone on from: neither is a copy.
OnIteration = Callable[[Array, Any, int, int], Any]


# (evaluations of this call) -> whether the objective has just become another one, slightly: what it gave before is then
# not compared with what it gives from now on. At the end of a call it is asked with infinity.
Renewed = Callable[[float], bool]


def never(evaluations: float) -> bool:
    """The objective stays the same."""
    return False


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
        found = self._objective(x)
        self.count, self.x, self.loss = self.count + 1, x, found[0]
        loss, g = checked(found, self.count)
        if self._on_evaluation(x, loss):
            raise StopRequestedError
        return loss, g


def checked(found: Found, evaluation: int, limit: float = math.inf) -> tuple[float, Array]:
    """The loss and its gradient g; OptimizeError unless they are finite numbers, and those of g below ``limit``."""
    loss, g = found[:2]
    size, advice = found[2] if len(found) == 3 else largest_entry(g), "try smaller weights, or --dtype float64"
    if not (math.isfinite(loss) and math.isfinite(size)):
        raise OptimizeError(f"the loss ({loss}) or its gradient is no number at evaluation {evaluation}: {advice}")
    if not size < limit:
        raise OptimizeError(f"the gradient ({size:.3g}) is too large at evaluation {evaluation}: {advice}")
    return loss, g


def largest_entry(g: Array) -> float:
    """The largest absolute value in g, 0 if it is empty, NaN if one is NaN."""
    return float(kernels.largest_entry(g))
