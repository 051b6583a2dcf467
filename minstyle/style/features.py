"""What losses read of a picture: at each layer of the network, the features of the whole map and of each region."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..backend import Array
from ..engine import ops
from ..network import projection
from ..network.projection import as_map
from ..network.vgg import TORCHVISION_UNIT, Network
from ..recipe.recipe import Recipe
from ..recipe.terms import IMAGE
from .regions import at_layer, coverage


class Features:
    """A feature map F (H, W, C) and its statistics, each computed once, when a loss first asks for it.

    ``weights`` (H, W), summing to 1, are those of the positions (None: all 1 / M). ``unit``: see ``losses``, Scale.
    ``shape`` is the whole map's where ``f`` is some rows of it; ``found`` are statistics that were computed elsewhere.

    Kept without functools' cached_property, which on Python 3.11 holds a lock while it computes: a process that is
    forked meanwhile from another thread would wait for it for ever.
    """

    def __init__(
        self,
        f: Any,
        weights: Array | None = None,
        unit: float = 1.0,
        *,
        shape: tuple[int, int, int] | None = None,
        found: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.f, self.weights, self.unit = f, weights, unit
        self.shape: tuple[int, int, int] = f.shape if shape is None else shape
        self._found: dict[str, Any] = dict(found)

    @property
    def map(self) -> Any:
        """F (H, W, C)"""
        return self._once("map", lambda: as_map(self.f))

    @property
    def raw(self) -> Any:
        """R (C, C)"""
        return self._once("raw", lambda: projection.raw_moment(self.f, self.weights))

    @property
    def mean(self) -> Any:
        """m (C,)"""
        return self._once("mean", lambda: projection.weighted_mean(self.f, self.weights))

    def _once(self, name: str, compute: Callable[[], Any]) -> Any:
        if name not in self._found:
            self._found[name] = compute()
        return self._found[name]


class Areas:
    """The regions of one picture on the network's device.

    ``weights`` (R, H, W) say how much of each pixel belongs to each region; ``shares`` are the regions' parts of what
    can be seen of the picture, with the sum 1.
    """

    def __init__(self, weights: Array, names: Sequence[str], network: Network) -> None:
        self._weights, self._names, self._network = weights, names, network
        whole = [coverage(w) for w in weights]
        self.shares = [s / sum(whole) for s in whole]
        self._at: dict[tuple[int, int], list[Array | None]] = {}

    def at(self, shape: tuple[int, int]) -> list[Array | None]:
        """The weights (h, w) of each region at a layer of that shape, with the sum 1; None for a region not in here.

        Raises ImageError for a region that is in the picture but too small for the layer to see.
        """
        if shape not in self._at:
            device, dtype = self._network.device, self._network.dtype
            self._at[shape] = [
                device.asarray(at_layer(w, shape, name), dtype) if s > 0 else None
                for w, name, s in zip(self._weights, self._names, self.shares, strict=True)
            ]
        return self._at[shape]


@dataclass(frozen=True)
class LayerFeatures:
    """The features at a layer, or the image itself under IMAGE.

    ``parts`` are those of each region, None for a region that the picture does not have; without regions there is one
    part, the whole.
    """

    layer: str
    whole: Features
    parts: list[Features | None]


def read_features(
    network: Network, image: Any, layers: Iterable[str], recipe: Recipe, areas: Areas | None = None
) -> Iterator[LayerFeatures]:
    """The image (H, W, 3), an array on the network's device or a Var of one; then each of ``layers`` as it is computed.

    Images are as white as the recipe says, and the network pools and pads as it says. A map is freed when the caller
    drops it before asking for the next one.
    """
    image = as_white(image, recipe)
    of_network = network.walk(image, [layer for layer in layers if layer != IMAGE], **settings_of(recipe))
    for layer, f in itertools.chain([(IMAGE, image)], of_network):
        yield _features_at(layer, f, unit_of(layer, network, recipe), areas)
        del f


def as_white(image: Any, recipe: Recipe) -> Any:
    """The image, an array or a Var, with what is white as white as the recipe says."""
    return image if recipe.white == 255 else ops.scale(image, factor=recipe.white / 255)


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says of the network, as ``Network.walk`` takes it."""
    return {"pooling": recipe.pooling, "pooling_factor": recipe.pooling_factor, "padding": recipe.padding}


def _features_at(layer: str, f: Any, unit: float, areas: Areas | None) -> LayerFeatures:
    whole = Features(f, None, unit)
    if areas is None:
        return LayerFeatures(layer, whole, [whole])
    parts = [None if weights is None else Features(f, weights, unit) for weights in areas.at(f.shape[:2])]
    return LayerFeatures(layer, whole, parts)


def unit_of(layer: str, network: Network, recipe: Recipe) -> float:
    """The factor that brings the network's features at ``layer``, or the image, to the recipe's units."""
    if recipe.units == "caffe":
        return 1.0 if layer == IMAGE else network.unit
    return 1 / 255 if layer == IMAGE else network.unit / TORCHVISION_UNIT
