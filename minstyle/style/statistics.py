"""What losses read of a picture that is seen strip by strip: moments, which are summed, and whole maps if need be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..backend import Array, array_module
from ..network.layers import halvings
from ..network.segments import Rows
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.terms import IMAGE
from .features import Areas, Features, LayerFeatures, read_features, unit_of
from .strips import Strips, inner, own_map

Needs = Mapping[str, Collection[str]]  # by layer: of "raw", "mean" and "map" of ``Features``
Key = tuple[str, str, int]  # layer; "raw", "mean" or "map"; which region, 0 where there are none
Statistics = dict[Key, Array]


class Sums:
    """Statistics of one picture, to which its strips add theirs.

    ``shapes`` has the whole map's (H, W, C) for each layer that was seen. Moments are summed in float64. A whole map is
    put together only for a loss that can be told neither by moments nor row by row, such as a histogram.
    """

    def __init__(self, network: Network, recipe: Recipe, needs: Needs, areas: Areas | None, height: int) -> None:
        self.network, self.recipe, self.needs, self.areas, self.height = network, recipe, needs, areas, height
        self.found: Statistics = {}
        self.shapes: dict[str, tuple[int, int, int]] = {}

    def add(self, layer: str, f: Any, rows: Rows) -> None:
        """Of some rows of the features at a layer."""
        self.shapes.setdefault(layer, self._shape(layer, f))
        for name in self.needs.get(layer, ()):
            if name == "map":
                key, x = (layer, name, 0), own_map(f)
                if key not in self.found:
                    self.found[key] = array_module(x).empty((self.shapes[layer][0], *x.shape[1:]), dtype=x.dtype)
                self.found[key][rows.slice] = x
                continue
            for part, statistic in self._moments(layer, f, rows, name):
                self.found[layer, name, part] = self.found.get((layer, name, part), 0) + statistic.astype("float64")

    def pull(self, pulls: Statistics, layer: str, f: Any, rows: Rows) -> Iterator[Any]:
        """Scalars that send the features the gradient that they get by way of the statistics, whose own are given."""
        self.shapes.setdefault(layer, self._shape(layer, f))
        for name in self.needs.get(layer, ()):
            if name == "map":
                yield inner(own_map(f), pulls[layer, name, 0][rows.slice])
                continue
            for part, statistic in self._moments(layer, f, rows, name):
                yield inner(statistic, pulls[layer, name, part])

    def features(self, layer: str, found: Mapping[Key, Any]) -> LayerFeatures:
        """What losses read at a layer, from statistics of the whole picture: arrays, or Vars of them."""
        unit, shape = unit_of(layer, self.network, self.recipe), self.shapes[layer]
        whole_map = found.get((layer, "map", 0))
        f = None if whole_map is None else self.network.projected(layer, whole_map)
        weights = [None] if self.areas is None else self.areas.at(shape[:2])
        parts: list[Features | None] = [None] * len(weights)
        for part in self._parts(shape):
            own = {
                name: found[key] for key in found if key[0] == layer and key[2] == part and (name := key[1]) != "map"
            }
            parts[part] = Features(f, weights[part], unit, shape=shape, found=own)
        whole = parts[0] if self.areas is None else Features(f, None, unit, shape=shape)
        assert whole is not None
        return LayerFeatures(layer, whole, parts)

    def _shape(self, layer: str, f: Any) -> tuple[int, int, int]:
        return self.height >> halvings(layer), f.shape[1], f.shape[2]

    def _parts(self, shape: tuple[int, ...]) -> dict[int, Array | None]:
        """The weights of the regions that are in the picture."""
        if self.areas is None:
            return {0: None}
        at = self.areas.at((shape[0], shape[1]))
        return {part: weights for part, weights in enumerate(at) if weights is not None}

    def _moments(self, layer: str, f: Any, rows: Rows, name: str) -> Iterator[tuple[int, Any]]:
        """(region, what some rows add to the moment of that name)"""
        shape = self.shapes[layer]
        for part, weights in self._parts(shape).items():
            moment = getattr(Features(f, None if weights is None else weights[rows.slice]), name)
            yield part, moment if weights is not None else rows.size / shape[0] * moment


def read_statistics(
    network: Network, image: Array, needs: Needs, recipe: Recipe, areas: Areas | None, rows: int
) -> Iterator[LayerFeatures]:
    """As ``read_features``, of the layers in ``needs``, strip by strip: features have what is needed, no more."""
    yield next(read_features(network, image, [], recipe, areas))
    layers = [layer for layer in needs if layer != IMAGE]
    if layers:
        sums = Sums(network, recipe, needs, areas, image.shape[0])
        Strips(network, recipe, layers, image.shape[:2], rows).read(image, sums.add)
        dtype = image.dtype
        for layer in layers:
            yield sums.features(layer, {key: array.astype(dtype, copy=False) for key, array in sums.found.items()
                                        if key[0] == layer})  # fmt: skip
