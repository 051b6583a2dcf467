"""What the losses compare with: the statistics of content and styles, by region, blended over the styles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..backend import Array
from ..engine import ops
from ..errors import RecipeError, require
from ..network.vgg import TORCHVISION_UNIT, Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import blend_of
from ..recipe.terms import IMAGE, Term
from .losses import LOSSES, Features
from .regions import Regions, at_layer, share

Statistic = tuple[Any, ...]


class Areas:
    """The regions of one picture on the network's device.

    ``weights`` (R, H, W) say how much each pixel belongs to each; ``shares`` is how much of the picture each is.
    """

    def __init__(self, weights: Array, names: Sequence[str], network: Network) -> None:
        self._weights, self._names, self._network = weights, names, network
        whole = [share(w) for w in weights]
        self.shares = [s / sum(whole) for s in whole]
        self._at: dict[tuple[int, int], list[Array | None]] = {}

    def at(self, shape: tuple[int, int]) -> list[Array | None]:
        """The weights (h, w) of each region at a layer of that shape, summing to 1; None for one that is not here.

        Raises ImageError for a region that is there, but too small for the layer to see.
        """
        if shape not in self._at:
            device, dtype = self._network.device, self._network.dtype
            self._at[shape] = [
                device.asarray(at_layer(w, shape, name), dtype) if s > 0 else None
                for w, name, s in zip(self._weights, self._names, self.shares, strict=True)
            ]
        return self._at[shape]


def content_targets(
    content: Array, terms: Sequence[Term], recipe: Recipe, network: Network
) -> dict[Term, tuple[Any, ...]]:
    """The target of each term, in a tuple of one: content is compared as a whole."""
    found = _statistics(content, terms, recipe, network, None)
    return {term: (_target(term, parts[0], recipe, network),) for term, parts in found.items()}


def style_targets(
    styles: Sequence[Array], terms: Sequence[Term], recipe: Recipe, network: Network, regions: Regions | None
) -> dict[Term, tuple[Any, ...]]:
    """The target of each term for each region: the mean over the styles that have the region, as blended."""
    blend = blend_of(recipe, len(styles)) if styles else []
    sums: dict[Term, list[Statistic | None]] = {}
    names = ("picture",) if regions is None else regions.names
    totals = [0.0] * len(names)
    if regions is not None:
        regions.check_styles(len(styles))
    for number, (style, weight) in enumerate(zip(styles, blend, strict=True)):
        if weight == 0:
            continue
        areas = None if regions is None else Areas(regions.styles[number], regions.names, network)
        for r in range(len(totals)):
            totals[r] += weight if areas is None or areas.shares[r] > 0 else 0.0
        for term, parts in _statistics(style, terms, recipe, network, areas).items():
            so_far = sums.get(term, [None] * len(totals))
            sums[term] = [_plus(a, b, weight) for a, b in zip(so_far, parts, strict=True)]
    for name, total in zip(names, totals, strict=True):
        require(total > 0 or not sums, f"region {name}", "a style picture that has it and counts",
                f"a blend of {recipe.blend}", RecipeError)  # fmt: skip
    return {
        term: tuple(
            _target(term, tuple(array / total for array in part or ()), recipe, network)
            for part, total in zip(parts, totals, strict=True)
        )
        for term, parts in sums.items()
    }


def features_of(network: Network, image: Any, layers: Sequence[str], recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """The image itself under IMAGE, then the network's features, computed as the recipe says."""
    if recipe.white != 255:
        image = ops.scale(image, factor=recipe.white / 255)
    yield IMAGE, image
    yield from network.walk(
        image, layers, pooling=recipe.pooling, pooling_factor=recipe.pooling_factor, padding=recipe.padding
    )


def unit_of(layer: str, network: Network, recipe: Recipe) -> float:
    """The network's features at ``layer``, or the image, times this are in the units of the recipe's weights."""
    if recipe.units == "caffe":
        return 1.0 if layer == IMAGE else network.unit
    return 1 / 255 if layer == IMAGE else network.unit / TORCHVISION_UNIT


def _statistics(
    picture: Array, terms: Sequence[Term], recipe: Recipe, network: Network, areas: Areas | None
) -> dict[Term, list[Statistic | None]]:
    """The statistic of each term in each region (None: the region is not in this picture)."""
    layers = tuple(dict.fromkeys(term.layer for term in terms if term.layer != IMAGE))
    image = network.device.asarray(picture, network.dtype)
    found: dict[Term, list[Statistic | None]] = {}
    for name, f in features_of(network, image, layers, recipe):
        unit = unit_of(name, network, recipe)
        here = (
            [Features(f, None, unit)]
            if areas is None
            else [None if weights is None else Features(f, weights, unit) for weights in areas.at(f.shape[:2])]
        )
        for term in terms:
            if term.layer == name:
                found[term] = [part if part is None else LOSSES[term.kind].statistic(part) for part in here]
        del f, here
    return found


def _plus(total: Statistic | None, part: Statistic | None, weight: float) -> Statistic | None:
    if part is None:
        return total
    scaled = tuple(weight * array for array in part)
    return scaled if total is None else tuple(a + b for a, b in zip(total, scaled, strict=True))


def _target(term: Term, statistic: Statistic | None, recipe: Recipe, network: Network) -> Any:
    return LOSSES[term.kind].target(*(statistic or ()), unit=unit_of(term.layer, network, recipe))
