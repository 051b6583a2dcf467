"""A round of the optimiser that a recipe names.

It moves the image itself or, for smooth bounds, an array u without bounds from which the image is computed pixel by
pixel: see ``optimize.bounds``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ..backend import Array, Device
from ..errors import CheckpointError, require
from ..optimize.adam import AdamState, adam
from ..optimize.bounds import bounded
from ..optimize.lbfgs import lbfgs
from ..optimize.lbfgs_state import LbfgsState
from ..optimize.minimum import Found, Function, Minimum, OnEvaluation, Renewed, never
from ..optimize.pyramid import PYRAMID
from ..optimize.scipy_lbfgs import scipy_lbfgs
from ..recipe.recipe import Recipe
from ..style.vectors import BandVectors

State = TypeVar("State", bound="AdamState | LbfgsState")

HISTORIES = (10, 5, 3)  # pairs of L-BFGS, two images each; below 3 it is little better than steepest descent


def shorter_histories(recipe: Recipe) -> tuple[int, ...]:
    """The numbers of pairs that a run by the recipe does with, where more of them leave no room."""
    return tuple(n for n in HISTORIES if n < recipe.history) if recipe.optimizer == "lbfgs" else ()


def optimizer_bytes(recipe: Recipe, evaluations: int, itemsize: int = 4) -> int:
    """Bytes a pixel that the optimiser has during an evaluation, in a round of so many, at most.

    ``itemsize`` is that of the image's numbers. L-BFGS has x, the next x, the gradient, a direction, and two for each
    pair that it remembers, one an evaluation. scipy's are float64: x, its gradient, the bounds that it does not have
    and its work arrays, seventeen vectors in all, and its pairs, once the first few evaluations have found how long a
    step is. Adam has the image, its two moments and an average.
    """
    smooth = 2 * itemsize if recipe.bounds == "smooth" else 0
    if recipe.optimizer == "adam":
        return 3 * (itemsize * (5 if recipe.averaging else 4) + smooth)
    if recipe.optimizer == "lbfgs":
        return 3 * (itemsize * (2 * min(recipe.history, evaluations) + 4) + smooth)
    pairs = min(recipe.history, max(evaluations // 2, evaluations - 6))
    return 3 * (8 * (2 * pairs + 17) + smooth)


@dataclass(frozen=True)
class Midway:
    """Where a round stands after an iteration of L-BFGS (ours) or Adam: given to ``minimise``, it goes on from there.

    ``x`` is what the optimiser moves, the image or u; ``evaluations`` and ``iterations`` are those of the round so far.
    The arrays are the optimiser's own, which it goes on writing into.
    """

    x: Array
    state: AdamState | LbfgsState
    evaluations: int
    iterations: int

    def on(self, device: Device) -> Midway:
        """With its arrays on that device; copied only if they are elsewhere."""
        return self.mapped(lambda _, array: device.asarray(array))

    def mapped(self, to: Callable[[str, Array], Any]) -> Midway:
        """With what ``to`` makes of each array, whose name it is told."""
        return dataclasses.replace(self, x=to("x", self.x), state=mapped(self.state, to))

    def check(self, recipe: Recipe, evaluations: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Raise CheckpointError unless it can be of a round of ``recipe``, for images (H, W, 3) of ``shape``."""

        def good(what: str, expected: object, actual: object) -> None:
            require(expected == actual, f"state of a run: {what}", expected, actual, CheckpointError)

        state, kinds = self.state, {"lbfgs": LbfgsState, "adam": AdamState}
        good("optimizer", recipe.optimizer, next((name for name, kind in kinds.items() if type(state) is kind), "none"))
        good("image", (shape, dtype), (self.x.shape, self.x.dtype))
        within = 0 < self.evaluations < evaluations and 0 <= self.iterations < recipe.iterations
        good("evaluations fewer than the round's", True, within or isinstance(state, LbfgsState))
        if isinstance(state, LbfgsState):
            # There may be room for fewer pairs than the recipe has: where a device's memory did not suffice.
            good("pairs", (recipe.history, math.prod(shape)), (len(state.slopes), state.steps.shape[1]))
        else:
            good("mean of images", recipe.averages, state.average is not None)


def mapped(state: State, to: Callable[[str, Array], Any]) -> State:
    """The state of an optimiser with what ``to(name, array)`` makes of each of its arrays."""
    names = ("x", "gradient", "steps", "changes") if isinstance(state, LbfgsState) else ("first", "second", "average")
    arrays = {name: getattr(state, name) for name in names}
    moved: dict[str, Any] = {name: None if array is None else to(name, array) for name, array in arrays.items()}
    return dataclasses.replace(state, **moved)


OnMidway = Callable[[Midway], Any]


@dataclass(frozen=True)
class Round:
    """Where a round ended: the image to go on from, Adam's state (None: L-BFGS), whether it was asked to stop."""

    last: Array
    adam_state: AdamState | None
    stopped: bool


def minimise(
    objective: Function,
    image: Array,
    recipe: Recipe,
    evaluations: int,
    state: AdamState | None,
    on_evaluation: OnEvaluation,
    midway: Midway | None = None,
    on_midway: OnMidway = lambda midway: None,
    renewed: Renewed = never,
    pairs: int | None = None,
    vectors: BandVectors | None = None,
) -> Round:
    """Minimise ``objective`` from ``image`` (H, W, 3), as the recipe says. ``state`` is what the round before left.

    ``midway`` goes on in the middle of a round, of which ``on_midway`` is told wherever it can be gone on from: the
    end is bit for bit the same. scipy's L-BFGS-B keeps its state to itself, and tells nothing.

    ``on_evaluation(image, loss)`` is called after each evaluation, with the mean of the images so far where the recipe
    averages; when it returns true, the round ends. ``renewed(evaluations of the round)`` is asked where the objective
    may become a slightly different one: true, where it just has. ``pairs``: as many of L-BFGS (ours) have room, None:
    all. ``vectors``: of a picture in bands, of which ``image`` may be a part. Raises OptimizeError.
    """
    told: dict[str, Any] = {"midway": midway, "on_midway": on_midway, "renewed": renewed}
    told |= {"pairs": pairs, "vectors": vectors}
    if recipe.bounds != "smooth":
        return _minimise(objective, image, recipe, evaluations, state, on_evaluation, **told)
    evaluated = image

    def of_image(image: Array) -> Found:
        nonlocal evaluated
        evaluated = image
        return objective(image)

    def on_evaluation_of_u(u: Array, loss: float) -> bool:
        # u is what was just evaluated, as ``evaluated``; or, where the recipe averages, the mean of such u.
        return bool(on_evaluation(to_image(u) if recipe.averages else evaluated, loss))

    of_u, to_u, to_image = bounded(of_image)
    found = _minimise(of_u, to_u(image), recipe, evaluations, state, on_evaluation_of_u, **told)
    return Round(to_image(found.last), found.adam_state, found.stopped)


def _minimise(
    objective: Function, x: Array, recipe: Recipe, evaluations: int, state: AdamState | None,
    on_evaluation: OnEvaluation, midway: Midway | None, on_midway: OnMidway, renewed: Renewed, pairs: int | None,
    vectors: BandVectors | None,
) -> Round:  # fmt: skip
    spent, done = (0, 0) if midway is None else (midway.evaluations, midway.iterations)

    def on_iteration(x: Array, state: AdamState | LbfgsState, evaluations: int, iterations: int) -> None:
        on_midway(Midway(x, state, spent + evaluations, done + iterations))

    given: dict[str, Any] = {"on_evaluation": on_evaluation, "renewed": lambda count: renewed(spent + count)}
    if recipe.optimizer != "scipy":
        given |= {"on_iteration": on_iteration, "state": midway.state if midway else state}
    x, evaluations, iterations = midway.x if midway else x, evaluations - spent, recipe.iterations - done
    if recipe.optimizer == "adam":
        first, second = recipe.betas
        found = adam(
            objective,
            x,
            learning_rate=recipe.learning_rate,
            betas=(first, second),
            epsilon=recipe.epsilon,
            averaging=recipe.averaging,
            bounds=(0, 255) if recipe.bounds == "step" else None,
            iterations=min(evaluations, iterations),
            **given,
        )
        return Round(found.last, found.state, found.stopped)
    given.update(history=recipe.history, factr=recipe.factr, pgtol=recipe.pgtol)
    given |= {"evaluations": evaluations, "iterations": iterations}
    if recipe.optimizer == "scipy":
        minimum: Minimum = scipy_lbfgs(objective, x, **given)
    else:
        in_bands: dict[str, Any] = {"preconditioner": PYRAMID}
        if vectors is not None:
            in_bands = {"preconditioner": vectors.preconditioner, "vectors": vectors}
        minimum = lbfgs(objective, x, tolerance=recipe.tolerance, slots=pairs, **in_bands, **given)
    return Round(minimum.x, None, minimum.stopped)
