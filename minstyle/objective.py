"""Content, styles, recipe and network become one function of the image: ``objective(image) -> (loss, gradient)``."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import kernels, ops
from .autodiff import Var, gradient
from .backend import Array
from .errors import ShapeError, require
from .losses import LOSSES
from .recipes import IMAGE, Recipe, Term
from .vgg import Network


@dataclass(frozen=True)
class Evaluation:
    """One forward and one backward pass: total loss, gradient (H, W, 3), and each term's share of the loss by name."""

    loss: float
    gradient: Array
    terms: dict[str, float]


class Objective:
    """The total loss of a recipe for images of one size, and its gradient. Made by ``build_objective``.

    Calling it returns ``(loss, gradient)``; ``evaluate`` tells the loss by term too. Between calls it keeps nothing but
    memory to work in.
    """

    def __init__(
        self, shape: tuple[int, int], terms: Sequence[tuple[Term, float, Any]], recipe: Recipe, network: Network
    ) -> None:
        self.shape = (*shape, 3)
        self.recipe, self.network = recipe, network
        self._arena = kernels.Arena()
        self._terms = tuple(terms)  # (term, effective weight, target)
        self._layers = tuple(dict.fromkeys(term.layer for term, _, _ in terms if term.layer != IMAGE))

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
        for name, f in _features(self.network, x, self._layers, self.recipe):
            for term, weight, target in self._terms:
                if term.layer == name:
                    loss = ops.scale(LOSSES[term.kind].loss(f, target, self.shape[:2]), factor=weight)
                    losses[term.name] = ops.add(losses[term.name], loss) if term.name in losses else loss
            del f
        return {term.name: losses[term.name] for term, _, _ in self._terms}


def build_objective(content: Array, styles: Sequence[Array], recipe: Recipe, network: Network) -> Objective:
    """The objective of ``recipe`` for images of the content's size.

    ``content`` (H, W, 3) and each of ``styles`` (H', W', 3) are images, RGB, 0..255, used at the size they have.
    Several styles count alike: the target is the mean of theirs. Terms whose weight is 0 are left out, and layers
    that no term reads are not computed. Raises LayerError for a layer that the network does not have, ShapeError for
    arrays that are no images.
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
    targets: dict[Term, Any] = {}
    for role, pictures in (("content", [content]), ("style", styles), ("tv", [content])):
        terms = [term for term, _ in canonical if term.role == role]
        for picture in pictures:
            for term, target in _targets(network, picture, terms, recipe).items():
                share = None if target is None else target / len(pictures)
                targets[term] = targets[term] + share if term in targets else share
    scaled = [(t, w * _scale(t, network), targets[t]) for t, w in canonical]
    return Objective(content.shape[:2], scaled, recipe, network)


def _scale(term: Term, network: Network) -> float:
    """What makes a weight mean the same on any network: see ``losses``. The image is in grey levels itself."""
    if term.layer == IMAGE:
        return 1.0
    loss = LOSSES[term.kind]
    return float(network.unit**loss.degree * network.channel_share(term.layer) ** loss.per_channel)


def _targets(network: Network, picture: Array, terms: Sequence[Term], recipe: Recipe) -> dict[Term, Any]:
    layers = tuple(dict.fromkeys(term.layer for term in terms if term.layer != IMAGE))
    image = network.device.asarray(picture, network.dtype)
    targets = {}
    for name, f in _features(network, image, layers, recipe):
        targets.update({term: LOSSES[term.kind].target(f) for term in terms if term.layer == name})
        del f
    return targets


def _features(network: Network, image: Any, layers: Sequence[str], recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """The image itself under IMAGE, then the network's features with the recipe's pooling."""
    yield IMAGE, image
    yield from network.walk(image, layers, pooling=recipe.pooling, pooling_factor=recipe.pooling_factor)
