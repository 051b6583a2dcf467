"""Who watches a run: the plan and the steps that observers are told of. The run prints nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..recipe.recipe import Recipe
from ..recipe.terms import ROLES

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Plan:
    """What a run is going to do: the (height, width) of each size, and about how many evaluations in all."""

    recipe: Recipe
    shapes: tuple[tuple[int, int], ...]
    evaluations: int


@dataclass(frozen=True)
class Step:
    """The state after an evaluation, or, with ``ends_round``, after the last one of a round (told once more)."""

    shape: tuple[int, int]
    round: int  # from 1, over all sizes
    evaluation: int  # from 1, over all sizes
    loss: float
    terms: dict[str, float]
    seconds: float  # since the start of the run
    ends_round: bool
    image: Callable[[], np.ndarray]  # the best image so far, on the host; computed only if asked for
    stage: int = 1  # a size with a network; losses of different stages do not compare


def role_of(name: str) -> str:
    """What a term of ``Step.terms`` serves, by its name: content, style or tv."""
    return ROLES.get(name.split(" ")[0], "other")


class Observer:
    """Watches a run. Override what you need; the methods given here do nothing.

    An observer may raise: the run then ends and its result holds the best image so far and the error.
    """

    def start(self, plan: Plan) -> None:
        """Called once, before the first evaluation."""

    def step(self, step: Step) -> bool | None:
        """Called after each evaluation and at the end of each round. Return True to end the run here."""
        return None

    def close(self, error: BaseException | None = None) -> None:
        """Called once, at the end; ``error`` is what ended the run early."""
