"""A round of the optimiser that a recipe names.

It moves the image itself or, for smooth bounds, an array u without bounds from which the image is computed pixel by
pixel: see ``optimize.bounds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..backend import Array
from ..optimize.adam import AdamState, adam
from ..optimize.bounds import bounded
from ..optimize.lbfgs import lbfgs
from ..optimize.minimum import Function, Minimum, OnEvaluation
from ..optimize.pyramid import PYRAMID
from ..optimize.scipy_lbfgs import scipy_lbfgs
from ..recipe.recipe import Recipe


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
) -> Round:
    """Minimise ``objective`` from ``image`` (H, W, 3), as the recipe says. ``state`` is what the round before left.

    ``on_evaluation(image, loss)`` is called after each evaluation, with the mean of the images so far where the recipe
    averages; when it returns true, the round ends. Raises OptimizeError.
    """
    if recipe.bounds != "smooth":
        return _minimise(objective, image, recipe, evaluations, state, on_evaluation)
    evaluated = image

    def of_image(image: Array) -> tuple[float, Array]:
        nonlocal evaluated
        evaluated = image
        return objective(image)

    def on_evaluation_of_u(u: Array, loss: float) -> bool:
        # u is what was just evaluated, as ``evaluated``; or, where the recipe averages, the mean of such u.
        return bool(on_evaluation(to_image(u) if recipe.averages else evaluated, loss))

    of_u, to_u, to_image = bounded(of_image)
    found = _minimise(of_u, to_u(image), recipe, evaluations, state, on_evaluation_of_u)
    return Round(to_image(found.last), found.adam_state, found.stopped)


def _minimise(
    objective: Function,
    x: Array,
    recipe: Recipe,
    evaluations: int,
    state: AdamState | None,
    on_evaluation: OnEvaluation,
) -> Round:
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
            iterations=min(evaluations, recipe.iterations),
            state=state,
            on_evaluation=on_evaluation,
        )
        return Round(found.last, found.state, found.stopped)
    given: dict[str, Any] = dict(
        history=recipe.history, factr=recipe.factr, pgtol=recipe.pgtol, on_evaluation=on_evaluation
    )
    given.update(evaluations=evaluations, iterations=recipe.iterations)
    minimum: Minimum
    if recipe.optimizer == "scipy":
        minimum = scipy_lbfgs(objective, x, **given)
    else:
        minimum = lbfgs(objective, x, preconditioner=PYRAMID, tolerance=recipe.tolerance, **given)
    return Round(minimum.x, None, minimum.stopped)
