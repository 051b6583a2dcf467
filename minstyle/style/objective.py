"""Content, styles, recipe and network become one function of the image: ``objective(image) -> (loss, gradient)``."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..backend import Array
from ..engine import kernels, ops
from ..engine.autodiff import Var, gradient
from ..errors import ShapeError, require
from ..network.projection import normalize_gradient
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.terms import IMAGE, Term
from .losses import LOSSES, Features
from .regions import Regions
from .targets import Areas, content_targets, features_of, style_targets, unit_of


@dataclass(frozen=True)
class Evaluation:
    """One forward and one backward pass: total loss, gradient (H, W, 3), and each term's share of the loss by name."""

    loss: float
    gradient: Array
    terms: dict[str, float]


@dataclass(frozen=True)
class Goal:
    """A term, the factor of its loss, and what is compared with: for style terms in each region of the picture."""

    term: Term
    weight: float
    targets: tuple[Any, ...]


class Objective:
    """The total loss of a recipe for images of one size, and its gradient. Made by ``build_objective``.

    Calling it returns ``(loss, gradient)``; ``evaluate`` tells the loss by term too. Between calls it keeps nothing but
    memory to work in.
    """

    def __init__(
        self, shape: tuple[int, int], goals: Sequence[Goal], recipe: Recipe, network: Network, areas: Areas | None
    ) -> None:
        self.shape = (*shape, 3)
        self.recipe, self.network = recipe, network
        self._arena = kernels.Arena()
        self._goals, self._areas = tuple(goals), areas
        self._layers = tuple(dict.fromkeys(goal.term.layer for goal in goals if goal.term.layer != IMAGE))

    def __call__(self, image: Array) -> tuple[float, Array]:
        """``image`` (H, W, 3), RGB, 0..255 -> (loss, gradient (H, W, 3)), on the network's device."""
        evaluation = self.evaluate(image)
        return evaluation.loss, evaluation.gradient

    def evaluate(self, image: Array) -> Evaluation:
        """As calling it, with the loss by term. Raises ShapeError for an image of another shape."""
        require(tuple(image.shape) == self.shape, "image", self.shape, tuple(image.shape))
        x = Var(self.network.device.asarray(image, self.network.dtype))
        with self._arena.use():
            losses = self._losses(x)
            total = functools.reduce(ops.add, losses.values())
            (dx,) = gradient(total, [x])
        return Evaluation(float(total.value), dx, {name: float(v.value) for name, v in losses.items()})

    def _losses(self, x: Var) -> dict[str, Var]:
        """The loss of each term by name, in the terms' order; each map is read as soon as it is there, and let go."""
        losses: dict[str, Var] = {}
        for name, f in features_of(self.network, x, self._layers, self.recipe):
            for goal, loss in self._losses_at(name, f):
                key = goal.term.name
                losses[key] = ops.add(losses[key], loss) if key in losses else loss
            del f
        return {goal.term.name: losses[goal.term.name] for goal in self._goals}

    def _losses_at(self, name: str, f: Any) -> Iterator[tuple[Goal, Any]]:
        """The losses of the terms that read f (H, W, C), the map of that layer."""
        unit = unit_of(name, self.network, self.recipe)
        whole = [(1.0, Features(f, None, unit))]
        parts = whole
        if self._areas is not None:
            weights = self._areas.at(f.shape[:2])
            parts = [(s, Features(f, w, unit)) for s, w in zip(self._areas.shares, weights, strict=True)]
        for goal in self._goals:
            if goal.term.layer != name:
                continue
            pieces = parts if goal.term.role == "style" else whole
            if self.recipe.gradients == "unit" and goal.term.role != "tv":
                # The term's own gradient with respect to the map, in the recipe's units, is brought to one size.
                own = normalize_gradient(f, unit * self.recipe.effective_weight(goal.term))
                pieces = [(part, Features(own, features.weights, unit)) for part, features in pieces]
            loss, size = LOSSES[goal.term.kind].loss, self.shape[:2]
            losses = [
                ops.scale(loss(features, target, size), factor=part * goal.weight)
                for (part, features), target in zip(pieces, goal.targets, strict=True)
            ]
            yield goal, functools.reduce(ops.add, losses)


def build_objective(
    content: Array, styles: Sequence[Array], recipe: Recipe, network: Network, regions: Regions | None = None
) -> Objective:
    """The objective of ``recipe`` for images of the content's size.

    ``content`` (H, W, 3) and each of ``styles`` (H', W', 3) are images, RGB, 0..255, used at the size they have.
    Several styles count as ``recipe.blend`` says, alike if it says nothing: their statistics are averaged. ``regions``,
    of any resolution, say which part of the image takes its style from which parts of the style pictures. Terms whose
    weight is 0 are left out, and layers that no term reads are not computed. Raises LayerError for a layer that the
    network does not have, ShapeError for arrays that are no images, RecipeError for a blend of other pictures,
    ImageError for a region that vanishes at a layer.
    """
    for name, image in (("content", content), *(("style", style) for style in styles)):
        require(image.ndim == 3 and image.shape[2] == 3, name, "an image (H, W, 3)", image.shape)
    wanted = [(term, recipe.effective_weight(term)) for term in recipe.terms]
    wanted = [(term, weight) for term, weight in wanted if weight > 0]
    if not styles and any(term.role == "style" for term, _ in wanted):
        raise ShapeError(f"recipe {recipe.name} has style terms: expected a style picture, got none")
    canonical = [
        (term if term.layer == IMAGE else Term(term.kind, network.check_loss_layer(term.layer), term.weight), weight)
        for term, weight in wanted
    ]
    terms = [term for term, _ in canonical]
    of_styles = style_targets(styles, [t for t in terms if t.role == "style"], recipe, network, regions)
    of_content = content_targets(content, [t for t in terms if t.role != "style"], recipe, network)
    goals = [Goal(t, w * _scale(t, network, recipe), (of_styles | of_content)[t]) for t, w in canonical]
    areas = None if regions is None else Areas(regions.content, regions.names, network)
    return Objective(content.shape[:2], goals, recipe, network, areas)


def _scale(term: Term, network: Network, recipe: Recipe) -> float:
    """What makes a weight mean the same on any network: see ``losses``."""
    loss = LOSSES[term.kind]
    share = 1.0 if term.layer == IMAGE else network.channel_share(term.layer)
    return float(unit_of(term.layer, network, recipe) ** loss.degree * share**loss.per_channel)
