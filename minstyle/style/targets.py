"""What losses compare with: statistics of the features of content and styles, by region, averaged over the styles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backend import Array
from ..errors import RecipeError, require
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import blend_of
from ..recipe.terms import Term
from .features import Areas, read_features, unit_of
from .losses import LOSSES
from .regions import Regions
from .statistics import read_statistics

Statistic = tuple[Any, ...]
Targets = dict[Term, tuple[Any, ...]]
StyleTargets = Callable[[Sequence[Array], Sequence[Term], Recipe, Network, "Regions | None", int], Targets]


def content_targets(
    content: Array, terms: Sequence[Term], recipe: Recipe, network: Network, rows: int = 0
) -> dict[Term, tuple[Any, ...]]:
    """The target of each term, in a tuple of one: content is compared over the whole picture, not by region.

    ``rows``: computed strip by strip, of about so many rows; 0: from whole maps.
    """
    found = _statistics(content, terms, recipe, network, None, rows)
    return {term: (_target(term, parts[0], recipe, network),) for term, parts in found.items()}


def style_targets(
    styles: Sequence[Array],
    terms: Sequence[Term],
    recipe: Recipe,
    network: Network,
    regions: Regions | None,
    rows: int = 0,
) -> dict[Term, tuple[Any, ...]]:
    """The target of each term for each region: from the mean of its statistic over the styles that have the region.

    The mean is weighted by the styles' shares in the recipe's blend. ``rows`` as in ``content_targets``. Styles are
    ``(H, W, 3)``, RGB, 0..255. Raises RecipeError for a blend of other styles and for a region whose styles all have
    the share 0, ImageError for regions of other styles and for a region that vanishes at a layer.
    """
    blend = blend_of(recipe, len(styles)) if styles else []
    names = ("picture",) if regions is None else regions.names
    sums: dict[Term, list[Statistic | None]] = {}  # of the statistics times their styles' shares, by region
    totals = [0.0] * len(names)  # of those shares
    if regions is not None:
        regions.check_styles(len(styles))
    for number, (style, weight) in enumerate(zip(styles, blend, strict=True)):
        if weight == 0:
            continue
        areas = None if regions is None else Areas(regions.styles[number], regions.names, network)
        for r in range(len(totals)):
            totals[r] += weight if areas is None or areas.shares[r] > 0 else 0.0
        for term, parts in _statistics(style, terms, recipe, network, areas, rows).items():
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


def _statistics(
    picture: Array, terms: Sequence[Term], recipe: Recipe, network: Network, areas: Areas | None, rows: int
) -> dict[Term, list[Statistic | None]]:
    """The statistic of each term in each region; None for a region that the picture does not have."""
    image = network.device.asarray(picture, network.dtype)
    found: dict[Term, list[Statistic | None]] = {}
    layers = [term.layer for term in terms]
    if rows:
        needs = {layer: {name for t in terms if t.layer == layer for name in LOSSES[t.kind].reads} for layer in layers}
        read = read_statistics(network, image, needs, recipe, areas, rows)
    else:
        read = read_features(network, image, layers, recipe, areas)
    for here in read:
        for term in terms:
            if term.layer == here.layer:
                statistic = LOSSES[term.kind].statistic
                found[term] = [None if part is None else statistic(part) for part in here.parts]
        del here
    return found


def _plus(total: Statistic | None, part: Statistic | None, weight: float) -> Statistic | None:
    if part is None:
        return total
    scaled = tuple(weight * array for array in part)
    return scaled if total is None else tuple(a + b for a, b in zip(total, scaled, strict=True))


def _target(term: Term, statistic: Statistic | None, recipe: Recipe, network: Network) -> Any:
    return LOSSES[term.kind].target(*(statistic or ()), unit=unit_of(term.layer, network, recipe))
