"""The terms of a network's layers for pictures of any size: the picture in bands of rows, each band's work on its own.

    found, maps = band.statistics(image[band.seen.slice])               # of each band; the bands' are added up
    losses, pulls = terms.losses(added(all that was found))             # small: matrices, not maps
    gradient[band.own.slice] = band.gradient(image[band.seen.slice], pulls, maps)

A band is what one machine works on; here the whole picture is one. What makes it small is that a band's work is done
strip by strip (``strips``): the rows of a machine's memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..backend import Array, array_module
from ..engine.autodiff import Var, gradient
from ..network.layers import halvings
from ..network.segments import Rows, Segment, segments
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import Shape
from ..recipe.terms import IMAGE
from .features import Areas, Features, LayerFeatures, settings_of, unit_of
from .losses import LOSSES
from .statistics import Statistics, Sums
from .strips import Strips, own_map, total_of
from .weighted import WeightedTerm

Losses = dict[str, Any]  # by the terms' names


@dataclasses.dataclass(frozen=True)
class Found:
    """What pass one finds: statistics, and the losses of terms that are sums over rows. Those of bands are added."""

    statistics: Statistics
    losses: Losses

    def __add__(self, below: Found) -> Found:
        """With those of the next band, below this one."""
        both = dict(self.statistics)
        for key, array in below.statistics.items():
            joined = array_module(array).concatenate([both[key], array]) if key[1] == "map" else both[key] + array
            both[key] = joined
        return Found(both, {name: loss + below.losses[name] for name, loss in self.losses.items()})


class Banded:
    """Weighted terms at layers of the network (not at the image), for images (H, W, 3) of ``size``, in bands.

    ``rows``: about how many rows of a map there are in a strip.
    """

    def __init__(
        self,
        size: Shape,
        terms: Sequence[WeightedTerm],
        recipe: Recipe,
        network: Network,
        areas: Areas | None,
        rows: int,
    ) -> None:
        self.size, self.terms, self.recipe, self.network, self.areas, self.rows = (
            size, tuple(terms), recipe, network, areas, rows
        )  # fmt: skip
        self.layers = [weighted.term.layer for weighted in terms]
        self.needs = {
            layer: {name for t in terms if t.term.layer == layer for name in t.reads(recipe)} for layer in self.layers
        }
        self._whole = Segment(tuple(network.steps(self.layers, size, **settings_of(recipe))), size[0])

    def bands(self, count: int) -> list[Band]:
        """The picture in so many bands, or fewer if it is small."""
        return [Band(self, strip) for strip in self._whole.strips(-(-self.size[0] // count))]

    def seen(self, own: Rows) -> Rows:
        """The rows of the image on which the gradient at some of its rows depends."""
        return self._whole.seen_by_gradient(own)

    def own(self, rows: Rows) -> dict[str, Rows]:
        """The rows at each layer that count as those of some rows of the image."""
        steps = zip(self._whole.steps, self._whole.own(rows), strict=True)
        return {step.features: own for step, own in steps if step.features}

    def losses(self, found: Found, shapes: Mapping[str, tuple[int, int, int]]) -> tuple[Losses, Statistics]:
        """(each term's loss for the whole picture, the gradients of the total with respect to its statistics).

        ``shapes``: (H, W, C) of the whole map at each layer.
        """
        dtype, losses = self.network.dtype, dict(found.losses)
        leaves = {key: Var(array.astype(dtype, copy=False)) for key, array in found.statistics.items()}
        sums, mine = self.sums(shapes), list[Any]()
        for layer in self.needs:
            here = sums.features(layer, leaves) if self.needs[layer] else None
            for weighted in self.terms:
                if here is not None and weighted.term.layer == layer and weighted.reads(self.recipe):
                    loss, name = self.loss(weighted, here), weighted.term.name
                    losses[name] = losses.get(name, 0) + loss.value
                    mine.append(loss)
        pulls = gradient(total_of(mine), list(leaves.values())) if mine else []
        return losses, dict(zip(leaves, pulls, strict=True))

    def loss(self, weighted: WeightedTerm, here: LayerFeatures) -> Any:
        shares = [1.0] if self.areas is None else self.areas.shares
        return weighted.loss(here, self.recipe, shares, self.size)

    def sums(self, shapes: Mapping[str, tuple[int, int, int]] | None = None) -> Sums:
        sums = Sums(self.network, self.recipe, self.needs, self.areas, self.size[0])
        sums.shapes.update(shapes or {})
        return sums

    def by_rows(self, layer: str, f: Any, rows: Rows) -> Iterator[tuple[str, Any]]:
        """(name, loss) of the terms at a layer that are sums over rows, for some rows of its features."""
        shape = (self.size[0] >> halvings(layer), *f.shape[1:])
        here = LayerFeatures(layer, Features(f, None, unit_of(layer, self.network, self.recipe), shape=shape), [])
        for weighted in self.terms:
            if weighted.term.layer == layer and not weighted.reads(self.recipe):
                some = LOSSES[weighted.term.kind].rows
                assert some is not None  # else the term would read something
                own = dataclasses.replace(weighted, targets=(some(weighted.targets[0], rows.slice),))
                yield weighted.term.name, self.loss(own, here)


class Band:
    """Some rows of the picture, ``own``, whose work needs the rows ``seen``; given to it as an image of its own."""

    def __init__(self, terms: Banded, own: Rows) -> None:
        self.own, self.seen, self._terms = own, terms.seen(own), terms
        self._own_at = terms.own(own)
        shape = (self.seen.size, terms.size[1])
        self._strips = Strips(terms.network, terms.recipe, terms.layers, shape, terms.rows)
        self.shapes: dict[str, tuple[int, int, int]] = {}  # of the whole maps; known once features were read

    def statistics(self, image: Array) -> tuple[Found, list[Array]]:
        """Of its own rows, from the ``seen`` rows of the image. -> (what is found, maps for ``gradient``)"""
        sums, losses = self._terms.sums(), dict[str, Any]()

        def visit(layer: str, f: Any, rows: Rows) -> None:
            here = self._in_picture(layer, rows)
            own = here & self._own_at[layer]
            if own.size:
                x = own_map(f)[own.shifted(-here.start).slice]
                f = self._terms.network.projected(layer, x)
                sums.add(layer, f, own)
                for name, loss in self._terms.by_rows(layer, f, own):
                    losses[name] = losses.get(name, 0) + loss

        maps = self._strips.read(image, visit)
        self.shapes = dict(sums.shapes)
        own_rows = {
            key: array[self._own_at[key[0]].slice] if key[1] == "map" else array for key, array in sums.found.items()
        }
        return Found(own_rows, losses), maps

    def gradient(self, image: Array, pulls: Statistics, maps: list[Array] | None = None) -> Array:
        """Of its own rows, (own rows, W, 3): the total's gradient there, by way of all statistics and sums over rows.

        ``maps``: what ``statistics`` returned for the same image, used up; without them they are computed again.
        """
        sums = self._terms.sums()

        def pull(layer: str, f: Any, rows: Rows) -> Any:
            here = self._in_picture(layer, rows)
            losses = [*sums.pull(pulls, layer, f, here), *(loss for _, loss in self._terms.by_rows(layer, f, here))]
            return total_of(losses) if losses else None

        maps = self._strips.read(image, lambda layer, f, rows: None) if maps is None else maps
        return self._strips.back(maps, pull)[self.own.shifted(-self.seen.start).slice]

    def _in_picture(self, layer: str, rows: Rows) -> Rows:
        return rows.shifted(self.seen.start >> halvings(layer))


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
