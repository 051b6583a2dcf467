"""A run whose loss does not fall in its first steps is told so, with what to try."""

from __future__ import annotations

from ..notices import NOT_FALLING, Notice
from ..recipe.recipe import Recipe
from .observer import Step

PATIENCE = 12  # evaluations: a line search that fails takes more, a good one a few


class FirstSteps:
    """Looks at the first evaluations of a run, until the loss falls below the first one's."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._over = recipe, False
        self._first: float | None = None

    def look(self, step: Step) -> Notice | None:
        """What is to be said after this step, if anything; a second time nothing is."""
        count, loss = step.record.evaluation, step.record.loss
        if count == 1:
            self._first = loss
        if self._over or count == 1 or self._first is None:  # None: a run that goes on
            return None
        self._over = loss < self._first or self._first == 0
        if self._over or not (count >= PATIENCE or step.ends_round):
            return None
        self._over = True
        advice = "try --dtype float64, another --init, or weights that differ less"
        if self._recipe.optimizer == "adam":
            advice = f"try a smaller --learning-rate than {self._recipe.learning_rate:g}"
        return Notice(NOT_FALLING, f"the loss has not fallen in the first {count} evaluations: {advice}")
