"""The terms of a network's layers for pictures of any size: loss and gradient of the picture in bands of rows.

    statistics of each strip of rows, there                  # small: matrices, not maps; they are added up
    losses, pulls = the terms of the sums                    # the gradients of the total with respect to them
    the gradient of each strip, back, by way of its statistics

The strips (``strips``) fit into a machine's memory. Where several machines share a picture, each has a part of its rows
and does their strips; what they exchange is in ``parts``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..backend import Array, array_module, to_host
from ..engine.autodiff import Var, gradient
from ..network.layers import halvings
from ..network.projection import as_map
from ..network.segments import Rows, segments
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import Shape
from ..recipe.terms import IMAGE, Term
from .features import Areas, Features, LayerFeatures, settings_of, unit_of
from .losses import LOSSES
from .parts import Alone, Parts
from .regions import Regions
from .statistics import Sums
from .strips import Strips, parts_of, total_of
from .vectors import BandVectors
from .weighted import WeightedTerm

Losses = dict[str, Any]  # by the terms' names


class Banded:
    """Weighted terms at layers of the network (not at the image), for images (H, W, 3) of ``size``, in bands.

    ``rows``: about how many rows of a map there are in a strip. ``parts``: of several machines, this one's part.
    """

    def __init__(
        self,
        size: Shape,
        terms: Sequence[WeightedTerm],
        recipe: Recipe,
        network: Network,
        areas: Areas | None,
        rows: int,
        parts: Parts | None = None,
    ) -> None:
        self.size, self.terms, self.recipe, self.network, self.areas = size, list(terms), recipe, network, areas
        self._rows = rows
        layers = [weighted.term.layer for weighted in terms]
        self.needs = {
            layer: {name for t in terms if t.term.layer == layer for name in t.reads(recipe)} for layer in layers
        }
        self._parts = Alone(size[0]) if parts is None else parts
        self._strips = Strips(network, recipe, layers, size, rows, self._parts)
        self.bands = self._strips.bands
        self.vectors = BandVectors(self._parts, self.bands)
        self._first = dict.fromkeys(layers, 0)  # row that targets of terms that are sums over rows begin with

    def evaluate(self, image: Array) -> tuple[Losses, Array]:
        """The part's own rows of an image -> (each term's loss for the whole picture, the total's gradient there)."""
        sums, losses = self._sums(), Losses()

        def visit(layer: str, f: Any, rows: Rows) -> None:
            sums.add(layer, f, rows)
            for name, loss in self._by_rows(layer, f, rows):
                losses[name] = losses.get(name, 0) + loss.astype("float64")

        def pull(layer: str, f: Any, rows: Rows) -> Any:
            found = [*sums.pull(pulls, layer, f, rows), *(loss for _, loss in self._by_rows(layer, f, rows))]
            return total_of(found) if found else None

        maps = self._strips.read(image, visit)
        found = self._parts.with_sums({**sums.found, **losses}, functools.partial(self._losses, sums))
        pulls = {key: array for key, array in found.items() if isinstance(key, tuple)}
        losses = {key: array for key, array in found.items() if isinstance(key, str)}
        sums.found.clear()
        return losses, self._strips.back(maps, pull)

    def only(self, term: Term) -> Banded:
        """The same for one of its terms alone."""
        terms = [weighted for weighted in self.terms if weighted.term == term]
        alone = Banded(self.size, terms, self.recipe, self.network, self.areas, self._rows, self._parts)
        alone._first.update(self._first)
        return alone

    def compare_with(self, content: Array) -> None:
        """Compute the targets of the terms that are sums over rows, from the part's own rows of the content.

        Of a target those rows are kept that strips see: they compare their halos too.
        """
        wanted = {weighted.term.layer for weighted in self.terms if not weighted.reads(self.recipe)}
        own = {layer: list[Array]() for layer in wanted}

        def visit(layer: str, f: Any, rows: Rows) -> None:
            if layer in wanted:
                own[layer].append(as_map(f))

        self._strips.read(content, visit)
        at = self._strips.at_layers()
        for i, weighted in enumerate(self.terms):
            layer = weighted.term.layer
            if layer in wanted and not weighted.reads(self.recipe):
                x = array_module(*own[layer]).concatenate(own[layer])
                unit = unit_of(layer, self.network, self.recipe)
                target = target_in_parts(weighted.term, x, unit, self._parts, *at[layer])
                self.terms[i] = dataclasses.replace(weighted, targets=(target,))
                self._first[layer] = at[layer][1][self._parts.number].start

    def _losses(self, read: Sums, found: Mapping[Any, Any]) -> dict[Any, Any]:
        """Each term's loss by name, and by the statistics' keys the gradients of the total with respect to them."""
        dtype = self.network.dtype
        losses = {key: loss for key, loss in found.items() if isinstance(key, str)}
        leaves = {key: Var(array.astype(dtype, copy=False)) for key, array in found.items() if key not in losses}
        mine = list[Any]()
        for layer in self.needs:
            here = read.features(layer, leaves) if self.needs[layer] else None
            for weighted in self.terms:
                if here is not None and weighted.term.layer == layer and weighted.reads(self.recipe):
                    loss, name = self._loss(weighted, here), weighted.term.name
                    losses[name] = losses.get(name, 0) + loss.value
                    mine.append(loss)
        pulls = gradient(total_of(mine), list(leaves.values())) if mine else []
        return {**losses, **dict(zip(leaves, pulls, strict=True))}

    def _loss(self, weighted: WeightedTerm, here: LayerFeatures) -> Any:
        shares = [1.0] if self.areas is None else self.areas.shares
        return weighted.loss(here, self.recipe, shares, self.size)

    def _sums(self) -> Sums:
        return Sums(self.network, self.recipe, self.needs, self.areas, self.size[0])

    def _by_rows(self, layer: str, f: Any, rows: Rows) -> Iterator[tuple[str, Any]]:
        """(name, loss) of the terms at a layer that are sums over rows, for some rows of its features."""
        shape = (self.size[0] >> halvings(layer), *f.shape[1:])
        here = LayerFeatures(layer, Features(f, None, unit_of(layer, self.network, self.recipe), shape=shape), [])
        for weighted in self.terms:
            if weighted.term.layer == layer and not weighted.reads(self.recipe):
                some = LOSSES[weighted.term.kind].rows
                assert some is not None  # else the term would read something
                target = some(weighted.targets[0], rows.shifted(-self._first[layer]).slice)
                yield weighted.term.name, self._loss(dataclasses.replace(weighted, targets=(target,)), here)


def target_in_parts(
    term: Term, x: Array, unit: float, parts: Parts, own: Sequence[Rows], wanted: Sequence[Rows]
) -> Any:
    """The ``wanted`` rows of the target of a term that is a sum over rows, of which x is this part's ``own``."""
    target = LOSSES[term.kind].target(x, unit=unit)
    x = parts.exchange(x, own, wanted)
    if isinstance(target, tuple):  # the rows, and what is a sum over all of them
        return x, parts.with_sums({"sum": target[1]}, lambda sums: sums)["sum"]
    return x


@dataclasses.dataclass(frozen=True)
class Work:
    """What the parts of a picture need to know beside their rows: the arguments of ``Banded``.

    ``terms`` are at layers of the network, ``at_image`` are those of the image itself, ``names`` all of them in their
    order. Terms that are sums over rows have no targets yet: ``compare_with`` computes them. Of ``regions`` those of
    the image are needed.
    """

    size: Shape
    terms: tuple[WeightedTerm, ...]
    recipe: Recipe
    rows: int
    regions: Regions | None = None
    at_image: tuple[WeightedTerm, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def by_rows(self) -> bool:
        """Whether the terms of the image can be told by its rows and by pairs of them."""
        return all(LOSSES[w.term.kind].neighbours or not w.reads(self.recipe) for w in self.at_image)

    def parts(self, network: Network, count: int) -> list[Rows]:
        """The rows of so many parts of the picture, or of fewer if it has not so many bands."""
        layers = [weighted.term.layer for weighted in self.terms]
        steps = network.steps(layers, self.size, **settings_of(self.recipe))
        return parts_of(steps, self.size[0], self.rows, count)

    def on_host(self) -> Work:
        """To be sent."""
        return dataclasses.replace(self, terms=_moved(self.terms, to_host))

    def banded(self, network: Network, parts: Parts) -> Banded:
        regions = self.regions
        areas = None if regions is None else Areas(regions.content, regions.names, network)
        terms = _moved(self.terms, network.device.asarray)
        return Banded(self.size, terms, self.recipe, network, areas, self.rows, parts)


def _moved(terms: Sequence[WeightedTerm], to: Callable[[Array], Array]) -> tuple[WeightedTerm, ...]:
    """Terms with the arrays of their targets where ``to`` brings them; a target may be several, and have numbers."""

    def there(target: Any) -> Any:
        if isinstance(target, tuple):
            return tuple(map(there, target))
        return to(target) if hasattr(target, "shape") else target

    return tuple(dataclasses.replace(term, targets=there(term.targets)) for term in terms)


def needs_maps(recipe: Recipe) -> list[str]:
    """The terms at layers of the network that ask for a whole map at once: no sums over rows or of moments."""
    terms = [term for term in recipe.terms if term.layer != IMAGE and recipe.effective_weight(term) > 0]
    return [f"{term.kind} at {term.layer}" for term in terms if "map" in WeightedTerm(term, 1.0, ()).reads(recipe)]


def kept_values(recipe: Recipe, network: Network) -> float:
    """Numbers a pixel of the image that an evaluation in bands keeps for the whole picture.

    They are the maps that segments begin with, content targets, and the map and its gradient where a loss asks for all
    of it at once.
    """
    terms = [t for t in recipe.terms if t.layer != IMAGE and recipe.effective_weight(t) > 0]
    if not terms:
        return 0.0
    side = 1 << 10
    cut = segments(network.steps([t.layer for t in terms], (side, side), **settings_of(recipe)), side)
    total, channels = 0.0, 3
    for segment in cut:
        total += channels / 4**segment.halvings if segment.halvings else 0.0
        for step in segment.steps:
            channels = network.channels(step.layer) if step.layer else channels
            for term in (t for t in terms if network.check_layer(t.layer) == step.features):
                maps = 2 * ("map" in WeightedTerm(term, 1.0, ()).reads(recipe)) + (term.role == "content")
                total += maps * channels / 4 ** halvings(step.features)
    return total
