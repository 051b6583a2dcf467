"""What every method of minimisation is given, hands back, and refuses. Knows no images, no files, no recipes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import Array
from ..engine import kernels
from ..errors import OptimizeError


@dataclass(frozen=True)
class Pending:
    """An evaluation whose numbers a device has not told yet: with what else is asked for they come in one copy.

    ``numbers`` (n,) begins with the loss and the gradient's largest absolute entry; ``tell`` hears all of them (n,).
    """

    gradient: Array
    numbers: Array
    tell: Callable[[np.ndarray], Any]


# Loss, gradient, and from who knows it, since a device would have to be waited for, what its entries are at most.
Found = tuple[float, Array] | tuple[float, Array, float] | Pending
Function = Callable[[Array], Found]
OnEvaluation = Callable[[Array, float], Any]  # (x, loss) -> true to stop
Also = Callable[[Array], Sequence[Array]]  # gradient -> what is to be told too, on host or device
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


def nothing_else(gradient: Array) -> Sequence[Array]:
    """Asks for no other numbers."""
    return ()


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
        loss, g, _ = self.and_also(x, nothing_else)
        return loss, g

    def and_also(self, x: Array, also: Also) -> tuple[float, Array, list[np.ndarray]]:
        """As calling it, and what ``also`` gives of the gradient, on the host: a device is waited for once for all."""
        found = self._objective(x)
        self.count, self.x, self.loss = self.count + 1, x, math.nan
        self.loss, g, others = checked(found, self.count, also=also)
        if self._on_evaluation(x, self.loss):
            raise StopRequestedError
        return self.loss, g, others


def checked(
    found: Found, evaluation: int, limit: float = math.inf, also: Also = nothing_else
) -> tuple[float, Array, list[np.ndarray]]:
    """The loss, its gradient g, and what ``also`` gives of that, on the host.

    OptimizeError unless the numbers are finite, and those of g below ``limit``.
    """
    loss, g, size, others = _told(found, also)
    advice = "try smaller weights, or --dtype float64"
    if not (math.isfinite(loss) and math.isfinite(size)):
        raise OptimizeError(f"the loss ({loss}) or its gradient is no number at evaluation {evaluation}: {advice}")
    if not size < limit:
        raise OptimizeError(f"the gradient ({size:.3g}) is too large at evaluation {evaluation}: {advice}")
    return loss, g, others


def _told(found: Found, also: Also) -> tuple[float, Array, float, list[np.ndarray]]:
    """(loss, gradient, its largest entry, the others)"""
    if isinstance(found, Pending):
        numbers, *others = kernels.fetched(found.numbers, *also(found.gradient))
        found.tell(numbers)
        return float(numbers[0]), found.gradient, float(numbers[1]), others
    loss, g, *largest = found
    return loss, g, largest[0] if largest else largest_entry(g), kernels.fetched(*also(g))


def largest_entry(g: Array) -> float:
    """The largest absolute value in g, 0 if it is empty, NaN if one is NaN."""
    return float(kernels.largest_entry(g))
