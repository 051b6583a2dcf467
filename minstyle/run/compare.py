"""Small runs of several recipes, to choose a recipe or a weight by eye instead of guessing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import MinstyleError, RecipeError, require
from ..images import Picture
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, side_of, sizes_of, value_at_scale
from .observer import Observer
from .pictures import image_of
from .result import Result
from .stages import paints_twice
from .stylize import stylize


@dataclass(frozen=True)
class SmallRun:
    """One of the runs: its label, its small recipe, and the result, or the error that left none."""

    label: str
    recipe: Recipe
    result: Result | None = None
    error: BaseException | None = None


def compare(
    content: np.ndarray | Picture,
    styles: Sequence[np.ndarray | Picture],
    recipes: Mapping[str, Recipe],
    *,
    network: Network,
    draft: Network | None = None,
    size: int = 256,
    evaluations: int = 60,
    observers: Sequence[Observer] = (),
) -> list[SmallRun]:
    """Run each of ``recipes`` (label to recipe) small, one after the other: see ``small_recipe``.

    Images are as for ``stylize``; the observers are told of each run in turn. An error ends its own run only and
    stands in ``SmallRun.error``, or in the result's where a picture was made before. An interrupt ends all: what
    was made until then is returned; where that is nothing it is raised.
    """
    require(len(recipes) > 0, "comparison", "at least one recipe", "none", RecipeError)
    runs: list[SmallRun] = []
    for label, recipe in recipes.items():
        small = small_recipe(recipe, image_of(content).shape, network, size=size, evaluations=evaluations)
        try:
            result = stylize(content, styles, small, network=network, draft=draft, observers=observers)
        except (MinstyleError, OSError, MemoryError) as error:
            runs.append(SmallRun(label, small, error=error))
            continue
        except KeyboardInterrupt:
            if not any(run.result for run in runs):
                raise
            return runs
        runs.append(SmallRun(label, small, result))
        if isinstance(result.error, KeyboardInterrupt):
            return runs
    return runs


def small_recipe(
    recipe: Recipe, content: tuple[int, ...], network: Network, *, size: int = 256, evaluations: int = 60
) -> Recipe:
    """The recipe with its last size made ``size`` pixels of the long side, the others in proportion.

    What its sizes are of stays: style pictures go by that side. Sizes below what the network takes for a ``content``
    of shape (H, W, 3) are left out; the last is made that large. The budget falls to about ``evaluations`` in all, in
    as many rounds of the recipe's own length as that allows, at each size in proportion.
    """
    require(evaluations >= 1, "evaluations of a comparison", "1 or more", evaluations, RecipeError)
    side, own = side_of(content, recipe), sizes_of(recipe)
    smallest = math.ceil(SMALLEST * side / max(1, min(content[:2])))
    last = max(round(size * side / max(content[:2])), smallest)
    scaled = {max(1, round(last * s / own[-1])): value_at_scale(recipe.evaluations, i) for i, s in enumerate(own)}
    budget = {s: n for s, n in sorted(scaled.items()) if s >= smallest}
    stages = [*budget.values()] + [budget[last]] * paints_twice(recipe, network)
    rounds = min(recipe.rounds, max(1, round(evaluations / sum(stages))))
    part = min(1.0, evaluations / (rounds * sum(stages)))
    return dataclasses.replace(
        recipe,
        sizes=tuple(budget),
        scales=1,
        rounds=rounds,
        evaluations=tuple(max(1, round(part * n)) for n in budget.values()),
    )
