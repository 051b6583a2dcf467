"""Content, styles, recipe and network become one function of the image: ``objective(image) -> (loss, gradient)``."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..backend import Array, array_module, device_errors, to_host
from ..engine import kernels, ops
from ..engine.autodiff import Var, gradient
from ..errors import ShapeError, require
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.terms import IMAGE, Term
from .bands import Banded, Losses, Work
from .features import Areas, read_features, unit_of
from .losses import LOSSES
from .regions import Regions
from .targets import StyleTargets, content_targets, style_targets
from .weighted import WeightedTerm

# The terms at layers of the network: an image -> (each one's loss by name, the total's gradient).
InBands = Callable[[Array], tuple[Losses, Array]]


@dataclass(frozen=True)
class Elsewhere:
    """Who computes the terms at layers of the network, on other machines say.

    ``minimise``, if all of the objective can be had there, is ``run.minimise.minimise`` without its first argument: of
    the optimiser, too, each machine then has its part.
    """

    evaluate: InBands
    minimise: Callable[..., Any] | None = None


# (what is to be done, the content, the network here) -> who does it; None: it is done here, the picture is small.
Spread = Callable[[Work, Array, Network], Elsewhere | None]


class Evaluation:
    """One forward and one backward pass: total loss, its gradient (H, W, 3), and each term's part of it by name.

    ``largest`` is the largest absolute value in the gradient, NaN if one is NaN. Whoever asks for a number first waits
    for the device, unless he who copied ``numbers`` (loss, largest, terms; float64) together with others ``tell``s it.
    """

    def __init__(self, gradient: Array, numbers: Array, names: Sequence[str]) -> None:
        self.gradient, self.numbers, self._names = gradient, numbers, names
        self._told: list[float] = []

    def tell(self, numbers: np.ndarray) -> None:
        """What ``numbers`` are, on the host."""
        self._told = numbers.tolist()

    def _known(self) -> list[float]:
        if not self._told:
            with device_errors():
                self.tell(to_host(self.numbers))
        return self._told

    @property
    def loss(self) -> float:
        return self._known()[0]

    @property
    def largest(self) -> float:
        return self._known()[1]

    @property
    def terms(self) -> dict[str, float]:
        return dict(zip(self._names, self._known()[2:], strict=True))


class Objective:
    """The total loss of a recipe for images of one size, and its gradient. Made by ``build_objective``.

    Calling it returns ``(loss, gradient)``, ``evaluate`` the loss of each term too. Between calls no features are kept,
    only memory (``kernels.Arena``) for the next call to work in. ``banded`` computes the terms at layers of the network
    strip by strip, ``elsewhere`` somewhere else; where there is neither, they are computed with the picture as a whole.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        terms: Sequence[WeightedTerm],
        recipe: Recipe,
        network: Network,
        areas: Areas | None,
        banded: Banded | None = None,
        replayed: bool = True,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.shape = (*shape, 3)
        self.recipe, self.network = recipe, network
        self._arena, self._replay = kernels.Arena(), kernels.Replay("" if replayed else "not wanted")
        self._terms, self._areas = tuple(terms), areas
        self._shares = [1.0] if areas is None else areas.shares
        self._banded, self._elsewhere = banded, elsewhere
        self._in_bands = banded.evaluate if banded else elsewhere.evaluate if elsewhere else None
        self.vectors = banded.vectors if banded else None  # as the optimiser, here, is to take them
        self.minimise = elsewhere.minimise if elsewhere else None  # in the place of an optimiser here
        here = [term for term in self._terms if self._in_bands is None or term.term.layer == IMAGE]
        self._layers = [weighted.term.layer for weighted in here]

    def __repr__(self) -> str:
        height, width, _ = self.shape
        return f"Objective({width} x {height}, recipe {self.recipe.name}, {len(self._terms)} terms, {self.network})"

    def __call__(self, image: Array) -> tuple[float, Array]:
        """``image`` (H, W, 3), RGB, 0..255 -> (loss, gradient (H, W, 3)), on the network's device."""
        evaluation = self.evaluate(image)
        return evaluation.loss, evaluation.gradient

    @device_errors()
    def evaluate(self, image: Array, precision: str | None = None) -> Evaluation:
        """As calling it, with the loss by term; ``precision`` in place of the network's.

        Raises ShapeError for an image of another shape, DeviceError.
        """
        require(tuple(image.shape) == self.shape, "image", self.shape, tuple(image.shape))
        array = self.network.device.asarray(image, self.network.dtype)
        with self._arena.use(), kernels.use_precision(precision or self.network.precision):
            found, dx = self._evaluate(array) if self._in_bands else self._replay(self._evaluate, array)
        return Evaluation(dx, found, self._names())

    def _evaluate(self, array: Array) -> tuple[Array, Array]:
        """(total loss, the gradient's largest entry, the loss of each of ``_names``, in float64; the gradient)"""
        xp = array_module(array)
        in_bands = self._in_bands(array) if self._in_bands else None  # first: what it needs is more than the rest
        x = Var(array)
        losses = self._losses(x)
        total = functools.reduce(ops.add, losses.values()) if losses else None
        (dx,) = gradient(total, [x]) if total is not None else (xp.zeros_like(array),)
        values = {name: loss.value for name, loss in losses.items()}
        if in_bands is not None:
            values |= in_bands[0]
            dx += self.network.device.asarray(in_bands[1])
        in_order = [values[name] for name in self._names()]
        scalars = [functools.reduce(xp.add, in_order), kernels.largest_entry(dx), *in_order]
        result = xp.empty(len(scalars), dtype=xp.float64)
        for i, scalar in enumerate(scalars):
            result[i] = scalar
        return result, dx

    def _names(self) -> list[str]:
        """Of the terms of the total, each once, in their order."""
        return list(_names(self._terms, self.recipe))

    def culprit(self, image: Array) -> str | None:
        """The name of the first term whose loss or gradient, at ``image``, is no finite number; None where none is.

        Of terms that are computed elsewhere, whose loss is none.
        """
        if self._elsewhere is not None:
            return next((name for name, loss in self.evaluate(image).terms.items() if not math.isfinite(loss)), None)
        for weighted in self._terms:
            banded = self._banded.only(weighted.term) if self._banded and weighted.term.layer != IMAGE else None
            alone = Objective(self.shape[:2], [weighted], self.recipe, self.network, self._areas, banded)
            evaluation = alone.evaluate(image)
            if not (math.isfinite(evaluation.loss) and math.isfinite(evaluation.largest)):
                return weighted.term.name
        return None

    @property
    def rounds(self) -> bool:
        """Whether evaluations multiply factors of fewer digits than float32 has, as far as it can be changed here."""
        network = self.network
        if self._elsewhere is not None:
            return False
        with kernels.use_precision(network.precision):
            return network.device.name == "gpu" and network.dtype == "float32" and kernels.rounds()

    @property
    def halves(self) -> bool:
        """Whether evaluations keep maps in half precision, whose numbers end sooner."""
        return self.rounds and self.network.precision == "fp16"

    def workspaces(self) -> tuple[int, int]:
        """Bytes kept for the next call to work in: each thread's, summed, and what they share."""
        return self._arena.nbytes()

    @property
    def replays(self) -> bool:
        """Whether evaluations on a device are recorded, or will be."""
        return self._banded is None and self.network.device.name == "gpu" and not self._replay.refused

    def own_memory(self) -> Any:
        """The pool of memory on a device in which evaluations are replayed; None where they are not."""
        return self._replay.pool

    def _losses(self, x: Var) -> dict[str, Var]:
        """The loss of each term by name, in the terms' order; a map is read as soon as it is computed, then freed."""
        losses: dict[str, Var] = {}
        for here in read_features(self.network, x, self._layers, self.recipe, self._areas):
            for weighted in self._terms:
                if weighted.term.layer == here.layer:
                    loss = weighted.loss(here, self.recipe, self._shares, (self.shape[0], self.shape[1]))
                    name = weighted.term.name
                    losses[name] = losses[name] + loss if name in losses else loss
            del here
        in_order = {name: losses[name] for name in self._names() if name in losses}
        if self.recipe.range_weight > 0:
            in_order["out_of_range"] = self.recipe.range_weight * ops.squared_excess(x)
        return in_order


def build_objective(
    content: Array,
    styles: Sequence[Array],
    recipe: Recipe,
    network: Network,
    regions: Regions | None = None,
    targets_of: StyleTargets = style_targets,
    *,
    bands: int = 0,
    replayed: bool = True,
    spread: Spread | None = None,
) -> Objective:
    """The objective of ``recipe`` for images of the content's size.

    ``content`` (H, W, 3) and each of ``styles`` (H', W', 3) are images, RGB, 0..255, used at the size they have.
    Statistics of several styles are averaged, weighted by ``recipe.blend`` (equally where it is empty). ``regions``, of
    any resolution, say which part of the image takes its style from which parts of the style pictures. Terms whose
    weight is 0 are left out, and layers that no term reads are not computed. ``bands``: the picture is cut into so many
    bands of rows, with which an evaluation takes less memory and 1.7 times as long; 0: it is not cut.
    ``replayed``: a GPU records an evaluation and repeats it, which keeps its memory between them. ``targets_of``
    computes the styles' targets, or has them already: see ``SharedTargets``. ``spread`` has the terms at layers
    computed elsewhere, on other machines say. Raises LayerError for a layer that the
    network does not have, ShapeError for arrays that are no images, RecipeError for a blend of another number of
    styles, ImageError for a region that vanishes at a layer.
    """
    for name, image in (("content", content), *(("style", style) for style in styles)):
        require(image.ndim == 3 and image.shape[2] == 3, name, "an image (H, W, 3)", image.shape)
    wanted = [(term, recipe.effective_weight(term)) for term in recipe.terms]
    wanted = [(term, weight) for term, weight in wanted if weight > 0]
    if not styles and any(term.role == "style" for term, _ in wanted):
        raise ShapeError(f"recipe {recipe.name} has style terms: expected a style picture, got none")
    named = [  # by the canonical name of the layer
        (term if term.layer == IMAGE else Term(term.kind, network.check_loss_layer(term.layer), term.weight), weight)
        for term, weight in wanted
    ]
    terms = [term for term, _ in named]
    rows = -(-content.shape[0] // bands) if bands else 0
    with kernels.use_precision(network.precision):
        of_styles = targets_of(styles, [t for t in terms if t.role == "style"], recipe, network, regions, rows)
    areas = None if regions is None else Areas(regions.content, regions.names, network)
    weighted = [WeightedTerm(t, w * _scale(t, network, recipe), of_styles.get(t, ())) for t, w in named]
    size = (content.shape[0], content.shape[1])
    at_layers = tuple(w for w in weighted if w.term.layer != IMAGE)
    at_image = tuple(w for w in weighted if w.term.layer == IMAGE)
    work = Work(size, at_layers, recipe, rows, regions, at_image, _names(weighted, recipe))
    elsewhere = spread(work, content, network) if spread is not None and at_layers else None
    weighted = _compared(content, weighted, recipe, network, rows, in_bands=bool(rows or elsewhere))
    banded = None
    if rows and at_layers and elsewhere is None:
        banded = Banded(size, [w for w in weighted if w.term.layer != IMAGE], recipe, network, areas, rows)
        with kernels.use_precision(network.precision):
            banded.compare_with(network.device.asarray(content, network.dtype))
    return Objective(size, weighted, recipe, network, areas, banded, replayed, elsewhere)


def _compared(
    content: Array, weighted: Sequence[WeightedTerm], recipe: Recipe, network: Network, rows: int, in_bands: bool
) -> list[WeightedTerm]:
    """The terms with their targets of the content; in bands, sums over rows of a layer have them computed there."""

    def waits(w: WeightedTerm) -> bool:
        return in_bands and w.term.layer != IMAGE and not w.reads(recipe)

    wanted = [w.term for w in weighted if w.term.role != "style" and not waits(w)]
    with kernels.use_precision(network.precision):
        found = content_targets(content, wanted, recipe, network, rows)
    return [replace(w, targets=found.get(w.term, w.targets)) for w in weighted]


def _names(weighted: Sequence[WeightedTerm], recipe: Recipe) -> tuple[str, ...]:
    names = dict.fromkeys(w.term.name for w in weighted)
    return *names, *(["out_of_range"] if recipe.range_weight > 0 else [])


def _scale(term: Term, network: Network, recipe: Recipe) -> float:
    """What makes a weight mean the same on any network: see ``losses``."""
    loss = LOSSES[term.kind]
    share = 1.0 if term.layer == IMAGE else network.channel_share(term.layer)
    return float(unit_of(term.layer, network, recipe) ** loss.degree * share**loss.per_channel)
