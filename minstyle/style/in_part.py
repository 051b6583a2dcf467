"""The objective of a picture in parts, as one of them computes it: of its own rows, asking the others."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..backend import Array
from ..engine import kernels, ops
from ..engine.autodiff import Var, gradient
from ..network.segments import Rows
from ..network.vgg import Network
from ..recipe.terms import IMAGE
from .bands import Losses, Work, target_in_parts
from .features import Features, LayerFeatures, as_white, unit_of
from .losses import LOSSES
from .objective import Evaluation
from .parts import Parts
from .strips import total_of
from .vectors import larger


class InPart:
    """Own rows (h, W, 3) of an image -> the loss of the whole picture, and the gradient of these rows.

    Terms of the image are sums over its rows and over pairs of neighbouring ones, see ``Work.by_rows``.
    """

    def __init__(self, work: Work, network: Network, parts: Parts) -> None:
        self._work, self._network, self._parts = work, network, parts
        self.banded = work.banded(network, parts)
        self.vectors = self.banded.vectors
        whole = Rows(0, work.size[0])
        self._own = parts.rows[parts.number]
        self._seen = [Rows(rows.start - 1, rows.stop + 1) & whole for rows in parts.rows]
        self._targets: list[Any] = [None] * len(work.at_image)

    def compare_with(self, content: Array) -> None:
        """Compute the targets from the part's own rows of the content."""
        self.banded.compare_with(content)
        white = as_white(content, self._work.recipe)
        for i, weighted in enumerate(self._work.at_image):
            if LOSSES[weighted.term.kind].rows is not None:
                unit = unit_of(IMAGE, self._network, self._work.recipe)
                self._targets[i] = target_in_parts(
                    weighted.term, white, unit, self._parts, self._parts.rows, self._seen
                )

    def evaluate(self, image: Array) -> Evaluation:
        """All parts do, at the same time."""
        of_network, g = self.banded.evaluate(image)
        found, dx = self._of_image(image)
        if dx is not None:
            dx += g  # in the order in which an objective that has all rows adds them
            g = dx
        number = self._parts.number
        found |= {(number, "largest"): kernels.largest_entry(g)}

        def total(found: Mapping[Any, Any]) -> Mapping[Any, Any]:
            losses = dict(of_network)
            for (_, name), loss in sorted(found.items(), key=lambda item: item[0]):
                if name != "largest":
                    losses[name] = losses.get(name, 0) + loss
            sizes = [size for (_, name), size in found.items() if name == "largest"]
            return {**losses, "largest": functools.reduce(larger, sizes)}

        values = {name: float(value) for name, value in self._parts.with_sums(found, total).items()}
        terms = {name: values[name] for name in self._work.names}
        loss = functools.reduce(operator.add, terms.values())
        return Evaluation(g, np.array([loss, values["largest"], *terms.values()]), list(terms))

    def _of_image(self, image: Array) -> tuple[dict[Any, Any], Array | None]:
        """By (band, name) the losses of the image, and the gradient of all of them at the own rows; None: no such."""
        if not self._work.at_image and self._work.recipe.range_weight == 0:
            return {}, None
        seen = self._seen[self._parts.number]
        x = self._parts.exchange(image, self._parts.rows, self._seen)
        var = Var(x)
        (dx,) = gradient(total_of(self._losses(var, seen).values()), [var])
        found: dict[Any, Any] = {}
        for i, band in enumerate(self.banded.bands):
            own = band & self._own
            if own.size:
                # What pairs a band's last row with the next band's first is its own; what the latter is alone is not.
                edge = Rows(own.stop, own.stop + 1) & seen
                for rows, sign in ((Rows(own.start, edge.stop), 1), (edge, -1)):
                    losses = self._losses(x[rows.shifted(-seen.start).slice], rows) if rows.size else Losses()
                    for name, loss in losses.items():
                        found[i, name] = found.get((i, name), 0) + sign * loss
        return found, dx[self._own.shifted(-seen.start).slice]

    def _losses(self, x: Any, rows: Rows) -> Losses:
        """Of some rows of an image, an array or a Var, by name."""
        work, losses, first = self._work, Losses(), self._seen[self._parts.number].start
        recipe, shape = work.recipe, (*work.size, 3)
        whole = Features(as_white(x, recipe), None, unit_of(IMAGE, self._network, recipe), shape=shape)
        for weighted, target in zip(work.at_image, self._targets, strict=True):
            rows_of = LOSSES[weighted.term.kind].rows
            if rows_of is not None:
                target = rows_of(target, rows.shifted(-first).slice)
            one = dataclasses.replace(weighted, targets=(target,))
            loss, name = one.loss(LayerFeatures(IMAGE, whole, [whole]), recipe, [1.0], work.size), weighted.term.name
            losses[name] = losses[name] + loss if name in losses else loss
        if recipe.range_weight > 0:
            losses["out_of_range"] = recipe.range_weight * (rows.size / work.size[0]) * ops.squared_excess(x)
        return losses
