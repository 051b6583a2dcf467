"""How a run fits into the memory there is: its large stages in bands of rows, and a shorter history if need be."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..memory import Room
from ..notices import IN_BANDS, Notice
from ..recipe.recipe import Recipe
from .estimate import SLOWER, Estimate, Estimator, gigabytes
from .minimise import shorter_histories


def fitted(
    estimator: Estimator,
    recipe: Recipe,
    there: Room | None,
    bands: int | Sequence[int] | None = None,
    *,
    shorter: bool = True,
) -> tuple[Recipe, Estimate, list[Notice]]:
    """The recipe and the estimate of a run that fits, as far as one does, and what there is to say of it.

    Stages that do not fit are cut into bands, as few as do; only then L-BFGS remembers less. ``bands`` cuts the last
    size into so many, or each stage into its own number; None leaves it to the room ``there`` is. ``shorter``: whether
    the history may be; that of a run that goes on is not.
    """
    if bands is not None:
        return recipe, estimator.estimate(recipe, bands), []
    whole = estimator.estimate(recipe)
    if there is None or whole.memory <= there.bytes:
        return recipe, whole, []
    for history in (recipe.history, *(shorter_histories(recipe) if shorter else ())):
        tried = dataclasses.replace(recipe, history=history)
        estimate = estimator.estimate(tried, most=there.bytes)
        if estimate.memory <= there.bytes:
            return tried, estimate, [_notice(tried, recipe, whole, estimate, there)]
    return recipe, whole, []


def _notice(tried: Recipe, recipe: Recipe, whole: Estimate, estimate: Estimate, there: Room) -> Notice:
    last = estimate.stages[-1]
    text = (f"{last.shape[1]} x {last.shape[0]} takes {gigabytes(whole.memory)}, there are {gigabytes(there.bytes)} "
            f"({there.limit}): painted ")  # fmt: skip
    text += f"in {last.bands} bands, {SLOWER:g} times as long" if last.bands else ""
    if tried.history != recipe.history:
        text += f"{', ' if last.bands else ''}with a --history of {tried.history}, not {recipe.history}"
    return Notice(IN_BANDS, text)
