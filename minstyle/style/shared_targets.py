"""Style targets that several runs share: computed once for each painting at each size, kept while there is room."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Array, to_host
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.terms import Term
from .regions import Regions
from .targets import Targets, style_targets

ROOM = 200_000_000  # bytes; the targets of VGG19's five layers at one size are 2.4 MB


class SharedTargets:
    """Takes the place of ``style_targets``, and keeps what was asked for last in at most ``room`` bytes.

    The same pixels, terms, recipe and network have the same targets. Those of regions belong to one photograph and are
    not kept. May be called from several threads.
    """

    def __init__(self, room: int = ROOM) -> None:
        self.computed = 0  # how often it had to
        self._room, self._lock = room, threading.Lock()
        self._kept: OrderedDict[Any, tuple[Targets, Network, int]] = OrderedDict()  # with their bytes

    def __call__(
        self,
        styles: Sequence[Array],
        terms: Sequence[Term],
        recipe: Recipe,
        network: Network,
        regions: Regions | None,
        rows: int = 0,
    ) -> Targets:
        """As ``style_targets``."""
        if regions is not None:
            return style_targets(styles, terms, recipe, network, regions, rows)
        key = (_key(styles, terms, recipe, network), rows)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        self.computed += 1
        found = style_targets(styles, terms, recipe, network, None, rows)
        size = sum(_bytes_of(target) for targets in found.values() for target in targets)
        with self._lock:
            self._kept[key] = found, network, size  # with the network, so that no other has its id
            while sum(bytes_ for _, _, bytes_ in self._kept.values()) > self._room:
                self._kept.popitem(last=False)
        return found


def _key(styles: Sequence[Array], terms: Sequence[Term], recipe: Recipe, network: Network) -> Any:
    pixels = []
    for style in styles:
        array = np.ascontiguousarray(to_host(style))
        pixels.append((array.shape, array.dtype.str, hashlib.sha256(array.data).digest()))
    # Much of a recipe makes no difference to targets, but runs that share them seldom differ in more than the size.
    return tuple(pixels), tuple(terms), dataclasses.replace(recipe, sizes=(400,)), id(network)


def _bytes_of(target: Any) -> int:
    parts = target if isinstance(target, tuple | list) else [target]
    return sum(int(getattr(part, "nbytes", 0)) for part in parts)
