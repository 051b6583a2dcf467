"""What an evaluation takes, tried once for several runs of one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import Shape
from .probe import Laws, measure


class SharedLaws:
    """Takes the place of ``measure``, and tries the same network, recipe and shapes only once."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Laws, Network]] = {}

    def __call__(
        self, network: Network, recipe: Recipe, shape: Shape, styles: Sequence[Shape], *, pixels: int, regions: int = 0
    ) -> Laws:
        """As ``measure``."""
        key = id(network), recipe, shape, tuple(styles), pixels, regions
        if key not in self._known:
            laws = measure(network, recipe, shape, styles, pixels=pixels, regions=regions)
            self._known[key] = laws, network  # with the network, so that no other has its id
        return self._known[key][0]
