"""Observers of a run, and the plan and steps that they are told of. The run itself prints and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..notices import Notice
from ..recipe.recipe import Recipe
from ..recipe.terms import ROLES
from .result import Record
from .state import RunState


@dataclass(frozen=True)
class Plan:
    """What a run is going to do: the (height, width) of each stage, and about how many evaluations in all.

    ``budgets`` has about how many evaluations each stage takes, ``costs`` what one of each costs beside the others', in
    any unit; both are empty where nobody knows.
    """

    recipe: Recipe
    shapes: tuple[tuple[int, int], ...]
    evaluations: int
    budgets: tuple[int, ...] = ()
    costs: tuple[float, ...] = ()
    history: tuple[Record, ...] = ()  # of the evaluations made before, where a run goes on


@dataclass(frozen=True)
class Step:
    """What an observer is told after each evaluation, and once more, with ``ends_round``, when a round is over."""

    record: Record  # of the latest evaluation
    round: int  # from 1, over all stages
    seconds: float  # since the start of the run
    ends_round: bool
    image: Callable[[], np.ndarray]  # the best image so far, on the host; computed only if asked for


def role_of(name: str) -> str:
    """What a term of ``Record.terms`` serves, by its name: content, style or tv."""
    return ROLES.get(name.split(" ")[0], "other")


class Observer:
    """Watches a run. Override what you need; the methods here do nothing.

    An observer may raise: the run then ends, and its result has the best image so far and the error. Wrapped in
    ``watch.bystander.Bystander`` it cannot end the run.
    """

    def start(self, plan: Plan) -> None:
        """Called once, before the first evaluation."""

    def step(self, step: Step) -> bool | None:
        """Called after each evaluation and at the end of each round. Return True to end the run here."""
        return None

    def border(self, state: RunState) -> None:
        """Called after each iteration of L-BFGS (ours) or Adam, and after each round: the run can go on from ``state``.

        The run goes on writing into it: copy, or save, what you keep.
        """

    def saved(self) -> RunState | None:
        """The latest state of this run that it has saved and can read again; None: none. Asked where one was lost."""
        return None

    def notice(self, notice: Notice) -> None:
        """Called when the run has something to say that ends nothing."""

    def close(self, error: BaseException | None = None) -> None:
        """Called once, at the end, unless ``start`` raised; ``error`` is what ended the run early."""
