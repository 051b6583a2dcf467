"""Small runs side by side, what they are of, and an observer that breaks one of them."""

from __future__ import annotations

import dataclasses

from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import Term
from minstyle.run.compare import SmallRun, compare
from minstyle.run.observer import Observer, Plan, Step
from tests.support.small import picture, random_weights

CONTENT, STYLES = picture(60, 80, 1), [picture(40, 40, 2)]
DOCUMENT, GATYS = RECIPES["document"], RECIPES["gatys"]
LOST = dataclasses.replace(GATYS, terms=(Term("gram_paper", "block9_conv1"),))
NETWORK = Network(random_weights("vgg19", (2, 2, 2, 2, 2)))


class Breaker(Observer):
    """Raises in one of the runs it watches: before the first evaluation, or at one."""

    def __init__(self, run: int, evaluation: int, error: BaseException) -> None:
        self.runs, self.run, self.evaluation, self.error = 0, run, evaluation, error

    def start(self, plan: Plan) -> None:
        self.runs += 1
        self._at(0)

    def step(self, step: Step) -> None:
        self._at(step.record.evaluation)

    def _at(self, evaluation: int) -> None:
        if (self.runs, evaluation) == (self.run, self.evaluation):
            raise self.error


def run(recipes: dict[str, Recipe], *observers: Observer) -> list[SmallRun]:
    return compare(CONTENT, STYLES, recipes, network=NETWORK, size=48, evaluations=4, observers=observers)
