"""The network cut into segments, so that a large picture goes through it strip by strip. Arithmetic of rows, no arrays.

Between two segments there is a map as small as a pooled one, which is kept in whole. Within a segment maps are as large
as the first ones: there only a strip of rows is in memory at a time, with as many rows around it, its halo, as its
values depend on.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..engine import ops
from .vgg import POOLINGS, PlannedOp

_HALVING = {ops.conv_relu_pool2, *(op for op, _ in POOLINGS.values())}
# Poolings within the first segment: the map after one is the largest there is, after two it is as large as two images
# and a half. A further block adds more to the halo of the strips than its map takes.
_FIRST = 2


class Rows(NamedTuple):
    """Rows ``start`` to ``stop``, without it, of a map."""

    start: int
    stop: int

    def spanning(self, other: Rows) -> Rows:
        """All rows of both, and those in between."""
        return Rows(min(self.start, other.start), max(self.stop, other.stop))

    def __and__(self, other: Rows) -> Rows:
        """The rows that both have, none where ``start`` = ``stop``."""
        start = max(self.start, other.start)
        return Rows(start, max(start, min(self.stop, other.stop)))

    def shifted(self, by: int) -> Rows:
        return Rows(self.start + by, self.stop + by)

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def size(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Segment:
    """Ops that follow each other, from a map of ``height`` rows. ``halvings``: poolings before it."""

    steps: tuple[PlannedOp, ...]
    height: int
    halvings: int = 0

    @property
    def step(self) -> int:
        """Rows that become one at its end: a strip begins at a multiple of it, so that the same rows are pooled."""
        return int(2 ** sum(map(_halves, self.steps)))

    @property
    def heights(self) -> tuple[int, ...]:
        """Rows of each step's result. Pooling drops an odd last one."""
        return tuple(itertools.accumulate(self.steps, lambda n, step: n >> _halves(step), initial=self.height))[1:]

    def strips(self, rows: int) -> list[Rows]:
        """Rows of its map, cut into strips of about so many, as equal as can be; the last one takes what is left."""
        units = max(1, self.height // self.step)
        count = min(units, -(-self.height // max(1, rows)))
        borders = [units * i // count * self.step for i in range(count)]
        return [Rows(*pair) for pair in itertools.pairwise([*borders, self.height])]

    def own(self, strip: Rows) -> list[Rows]:
        """The rows of each step's result that belong to a strip: each row belongs to one of ``strips``."""
        found, rows, height = [], strip, self.height
        for step in self.steps:
            if _halves(step):
                rows = Rows(rows.start // 2, height // 2 if rows.stop == height else rows.stop // 2)
                height //= 2
            found.append(rows)
        return found

    def tops(self, rows: Rows) -> list[int]:
        """Where some rows, beginning at a multiple of ``step``, begin in each step's result."""
        return list(itertools.accumulate(self.steps, lambda top, step: top >> _halves(step), initial=rows.start))[1:]

    def seen(self, strip: Rows) -> Rows:
        """The rows that a strip's own results, at every step, depend on."""
        return self._aligned(self._needed(strip, self.own(strip)))

    def seen_by_gradient(self, strip: Rows) -> Rows:
        """The rows that the gradient at a strip depends on: those that all results see which see the strip."""
        return self._aligned(self._needed(strip, self._affected(strip)))

    def _affected(self, strip: Rows) -> list[Rows]:
        """The rows of each step's result that depend on a strip, and its own."""
        found, rows, height = [], strip, self.height
        for step, own in zip(self.steps, self.own(strip), strict=True):
            if step.layer:
                rows = Rows(rows.start - 1, rows.stop + 1) & Rows(0, height)
            if _halves(step):
                height //= 2
                rows = Rows(rows.start // 2, -(-rows.stop // 2)) & Rows(0, height)
            found.append(rows.spanning(own))
        return found

    def _needed(self, strip: Rows, wanted: Sequence[Rows]) -> Rows:
        """The rows, the strip's own among them, that the ``wanted`` rows of each step's result depend on."""
        rows, before = wanted[-1], (Rows(0, self.height), *(Rows(0, n) for n in self.heights))
        for step, given, all_rows in zip(self.steps[::-1], [*wanted[-2::-1], strip], before[-2::-1], strict=True):
            if _halves(step):
                rows = Rows(2 * rows.start, 2 * rows.stop)
            if step.layer:
                rows = Rows(rows.start - 1, rows.stop + 1)
            rows = (rows & all_rows).spanning(given)
        return rows

    def _aligned(self, rows: Rows) -> Rows:
        """So that pooling meets the same pairs of rows as in the whole map."""
        return Rows(rows.start // self.step * self.step, min(self.height, -(-rows.stop // self.step) * self.step))


def joined(rows: Sequence[Rows], count: int) -> list[Rows]:
    """Rows that follow each other, so many at a time taken together."""
    return [Rows(rows[i].start, rows[min(i + count, len(rows)) - 1].stop) for i in range(0, len(rows), count)]


def _halves(step: PlannedOp) -> bool:
    return step.op in _HALVING


def segments(steps: Sequence[PlannedOp], height: int) -> tuple[Segment, ...]:
    """``steps`` from an image of ``height`` rows, cut behind poolings: behind the second, and behind each later one."""
    found: list[Segment] = []
    first, halvings = 0, 0
    for i, step in enumerate(steps):
        halvings += _halves(step)
        scales_next = i + 1 < len(steps) and steps[i + 1].op is ops.scale  # which belongs to the pooling
        behind = (_halves(step) and not scales_next) or (step.op is ops.scale and _halves(steps[i - 1]))
        if i + 1 == len(steps) or (behind and halvings >= _FIRST):
            before = sum(part.step.bit_length() - 1 for part in found)
            found.append(Segment(tuple(steps[first : i + 1]), height >> before, before))
            first = i + 1
    return tuple(found)
