"""The loss of one term of a recipe, with its weight in the total."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engine import ops
from ..network.projection import normalize_gradient
from ..recipe.recipe import Recipe
from ..recipe.sizes import Shape
from ..recipe.terms import Term
from .features import Features, LayerFeatures
from .losses import LOSSES


@dataclass(frozen=True)
class WeightedTerm:
    """A term, the factor of its loss in the total, and its targets: of a style term one a region, of others one."""

    term: Term
    weight: float
    targets: tuple[Any, ...]

    def loss(self, here: LayerFeatures, recipe: Recipe, all_shares: Sequence[float], size: Shape) -> Any:
        """Its weighted loss at its layer: for style, the sum over the regions by their shares of the picture."""
        term, unit = self.term, here.whole.unit
        shares, parts = (all_shares, here.parts) if term.role == "style" else ([1.0], [here.whole])
        pieces = [(share, part, target) for share, part, target in zip(shares, parts, self.targets, strict=True)
                  if part is not None]  # fmt: skip
        if recipe.gradients == "unit" and term.role != "tv":
            # The gradient that this term sends to the map gets the term's weight as its 1-norm, in the recipe's units.
            own = normalize_gradient(here.whole.f, unit * recipe.effective_weight(term))
            pieces = [(share, Features(own, part.weights, unit), target) for share, part, target in pieces]
        loss = LOSSES[term.kind].loss
        losses = [(share * self.weight) * loss(part, target, size) for share, part, target in pieces]
        return functools.reduce(ops.add, losses)

    def reads(self, recipe: Recipe) -> tuple[str, ...]:
        """What of ``Features`` it looks at; nothing where it is a sum over rows, and each strip has its own part."""
        loss = LOSSES[self.term.kind]
        if recipe.gradients == "unit" and self.term.role != "tv":
            return ("map",)  # a norm over all of the map
        return loss.reads if loss.rows is None else ()
