"""A short run, an observer that remembers what it was told of it, and one that breaks it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.observer import Observer, Plan, Step
from minstyle.run.result import Record, Result
from minstyle.run.stylize import stylize
from tests.support.small import picture

SHORT = dataclasses.replace(RECIPES["document"], sizes=(32,), rounds=2, evaluations=4)


def run(network: Network, observers: Sequence[Observer], recipe: Recipe = SHORT) -> Result:
    return stylize(picture(40, 50, 1), [picture(40, 40, 2)], recipe, network=network, observers=observers)


class Watcher(Observer):
    """Remembers all that it was told, and the best image as it was at each step."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.steps: list[Step] = []
        self.images: list[np.ndarray] = []
        self.closed: list[BaseException | None] = []

    def start(self, plan: Plan) -> None:
        self.plans.append(plan)

    def step(self, step: Step) -> bool | None:
        self.steps.append(step)
        self.images.append(step.image())
        return None

    def close(self, error: BaseException | None = None) -> None:
        self.closed.append(error)

    def best(self) -> np.ndarray:
        """The image of the lowest loss that was told, by the watcher's own account."""
        return self.images[int(np.argmin([step.record.loss for step in self.steps]))]


class Breaker(Observer):
    """Raises at one evaluation, or at the start, or at the end."""

    def __init__(self, error: BaseException, when: int | str) -> None:
        self.error, self.when = error, when
        self.told: list[int | str] = []

    def start(self, plan: Plan) -> None:
        self._at("start")

    def step(self, step: Step) -> None:
        self._at(step.record.evaluation)

    def close(self, error: BaseException | None = None) -> None:
        self._at("close")

    def _at(self, when: int | str) -> None:
        self.told.append(when)
        if when == self.when:
            raise self.error


def step_at(evaluation: int, image: Callable[[], np.ndarray]) -> Step:
    return Step(Record(evaluation, (4, 4), 1.0, {}), 1, 0.0, False, image)
