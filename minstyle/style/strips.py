"""A picture through the network strip by strip, there and back, in a quarter of the memory. No losses here.

There: segment by segment (``network.segments``), each in strips of rows with their halo; of a strip only what
somebody read of it is kept, and its rows of the map that the next segment begins with. Back: each segment's strips are
computed again, now to be differentiated, from the last segment to the first. An evaluation so takes two forward passes
and one backward, and the halos. Of a picture in ``parts`` each has its own rows of every map, and gets from the others
the halo of what a segment begins with, and on the way back of the gradient of what it ends with.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend import Array, array_module
from ..engine import ops
from ..engine.autodiff import Var, gradient
from ..network.projection import Projected
from ..network.segments import Rows, Segment, joined, segments
from ..network.vgg import Network, PlannedOp
from ..recipe.recipe import Recipe
from ..recipe.sizes import Shape
from .features import as_white, settings_of
from .parts import Alone, Parts

# Behind the first segment maps have fewer rows, and a row of them takes no more bytes, so that strips of several bands
# need no more memory; but they are a part of the picture that is not cut further among machines. So they have at least
# 256 of the image's rows, and up to 512 where a segment has four strips still.
_HIGH, _HIGHEST, _FEWEST = 256, 512, 4

Visit = Callable[[str, Any, Rows], Any]  # of a layer, some rows of its features, and which rows they are


class Strips:
    """The network's maps of images (H, W, 3) up to the last of ``layers``, in bands of about ``rows`` rows.

    A strip has the rows of a band or, in the segments behind the first, of several, so that its halo is little of it.
    Strips, and so all bits, are the same in any parts that begin where strips do: see ``parts_of``.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        layers: Iterable[str],
        shape: Shape,
        rows: int,
        parts: Parts | None = None,
    ) -> None:
        self.network, self.recipe, self.parts = network, recipe, parts or Alone(shape[0])
        steps = network.steps(layers, shape, **settings_of(recipe))
        self.segments = segments(steps, shape[0])
        self._own: list[list[Rows]] = []  # of the map that each segment begins with, each part's
        self._seen: list[list[Rows]] = []  # of the same map, what the gradient there depends on
        self._strips: list[list[Rows]] = []  # of the same map, in this part
        self.bands = bands_of(steps, shape[0], rows)
        own, bands = list(self.parts.rows), self.bands
        for segment in self.segments:
            self._own.append(own)
            self._seen.append([segment.seen_by_gradient(rows) for rows in own])
            strips = joined(bands, _together(segment.halvings, rows, len(bands)))
            here = [strip & own[self.parts.number] for strip in strips]
            self._strips.append([strip for strip in here if strip.size])
            own, bands = ([segment.own(rows)[-1] for rows in cut] for cut in (own, bands))

    def at_layers(self) -> dict[str, tuple[list[Rows], list[Rows]]]:
        """(each part's own rows, those that it computes) by layer."""
        found = {}
        for segment, own, seen in zip(self.segments, self._own, self._seen, strict=True):
            for i, step in enumerate(segment.steps):
                if step.features:
                    found[step.features] = [segment.own(r)[i] for r in own], [segment.own(r)[i] for r in seen]
        return found

    def read(self, image: Array, visit: Visit) -> list[Array]:
        """Call ``visit(layer, features, rows)`` for each strip's own rows at each layer. ``image`` is the part's.

        -> the map that each segment begins with, the image itself among them, with its halo.
        """
        maps, x, here = list[Array](), image, self.parts.number
        for segment, own, seen, strips in zip(self.segments, self._own, self._seen, self._strips, strict=True):
            maps.append(self.parts.exchange(x, own, seen))
            following: Array | None = None
            result = segment.own(own[here])[-1]
            for strip in strips:
                y, rows = self._strip(segment, maps[-1], seen[here].start, strip, visit)
                if segment is self.segments[-1]:
                    continue
                if following is None:
                    following = array_module(y).empty((result.size, *y.shape[1:]), dtype=y.dtype)
                following[rows.shifted(-result.start).slice] = y
            x = following
        return maps

    def _strip(self, segment: Segment, whole: Array, first: int, strip: Rows, visit: Visit) -> tuple[Array, Rows]:
        """One strip there, of a map from row ``first``. -> (its rows of the segment's result, which these are)"""
        seen = segment.seen(strip)
        x, top, own = self._begun(segment, whole[seen.shifted(-first).slice]), seen.start, strip
        for step, top, own in zip(segment.steps, segment.tops(seen), segment.own(strip), strict=True):
            x = self.network.apply(step, x)
            if step.features:
                visit(step.features, self.network.projected(step.features, x[own.shifted(-top).slice]), own)
        return x[own.shifted(-top).slice], own

    def back(self, maps: list[Array], pull: Visit) -> Array:
        """The gradient of the part's rows of the image where each strip's ``pull(layer, features, rows)`` is its loss.

        ``pull`` gets all rows of a strip, its halo too, and returns a scalar ``Var``, or None: the strip whose gradient
        is wanted is seen by its neighbours' features. ``maps``, of ``read``, are used up, but for the image.
        """
        g: Array | None = None
        following: list[Rows] = []
        for i in range(len(self.segments) - 1, -1, -1):
            if g is not None:
                g = self.parts.exchange(g, following, [self.segments[i].own(rows)[-1] for rows in self._seen[i]])
            g, following = self._back_through(i, maps.pop(), g, pull), self._own[i]
        assert g is not None  # there is a segment
        return g

    def _back_through(self, number: int, whole: Array, g: Array | None, pull: Visit) -> Array:
        """The gradient of the own rows of the map that a segment begins with; ``whole`` has those that are seen."""
        segment, here = self.segments[number], self.parts.number
        own, held, strips = self._own[number][here], self._seen[number][here], self._strips[number]
        first, end = held.start, segment.own(held)[-1].start  # the first rows of ``whole`` and of ``g``
        # Over the map itself goes its gradient, a strip behind: what the next strip sees is copied before.
        result = whole if number else array_module(whole).empty_like(whole)
        above = whole[: own.start - first]
        for strip, following in zip(strips, [*strips[1:], Rows(own.stop, own.stop)], strict=True):
            seen = segment.seen_by_gradient(strip)
            top = strip.start - len(above)  # from here on ``above`` has the rows
            below = whole[strip.start - first : seen.stop - first]
            x = array_module(whole).concatenate([above[seen.start - top :], below])
            next_top = segment.seen_by_gradient(following).start if following.size else seen.stop
            above = x[next_top - seen.start : strip.stop - seen.start].copy()
            dx = self._pulled(segment, x, seen, g, end, pull)
            result[strip.shifted(-first).slice] = dx[strip.shifted(-seen.start).slice]
        return result[own.shifted(-first).slice]

    def _pulled(self, segment: Segment, rows: Array, seen: Rows, g: Array | None, end: int, pull: Visit) -> Array:
        """The gradient of some ``rows`` of the map that a segment begins with.

        ``g`` is that of the map it ends with, from row ``end``.
        """
        x = Var(rows)
        y, losses, top = self._begun(segment, x), list[Any](), 0
        for step, top in zip(segment.steps, segment.tops(seen), strict=True):
            y = self.network.apply(step, y)
            if step.features:
                f = self.network.projected(step.features, y)
                losses.append(pull(step.features, f, Rows(top, top + f.shape[0])))
                del f
        if g is not None:
            losses.append(inner(y, g[top - end : top - end + y.shape[0]]))
        del y
        found = [loss for loss in losses if loss is not None]
        return gradient(total_of(found), [x])[0] if found else array_module(rows).zeros_like(rows)

    def _begun(self, segment: Segment, rows: Any) -> Any:
        return rows if segment.halvings else self.network.normalized(as_white(rows, self.recipe))


def bands_of(steps: Sequence[PlannedOp], height: int, rows: int) -> list[Rows]:
    """An image of that height in bands of about so many rows, which begin where every pooling does."""
    return Segment(tuple(steps), height).strips(rows)


def parts_of(steps: Sequence[PlannedOp], height: int, rows: int, count: int) -> list[Rows]:
    """The rows of so many parts of an image in bands of about ``rows`` rows, as equal as can be, or of fewer parts.

    They begin where all strips do, unless there are fewer of such places than parts.
    """
    bands = bands_of(steps, height, rows)
    most = max(segment.halvings for segment in segments(steps, height))
    whole = joined(bands, _together(most, rows, len(bands)))
    cut = whole if len(whole) >= count else bands
    count = min(count, len(cut))
    borders = [len(cut) * i // count for i in range(count + 1)]
    return [Rows(cut[a].start, cut[b - 1].stop) for a, b in itertools.pairwise(borders)]


def _together(halvings: int, rows: int, bands: int) -> int:
    """How many ``bands`` are a strip of a map behind so many poolings: a power of two, as those in the others."""
    few = min(_HIGHEST // max(1, rows), (bands - 1) // (_FEWEST - 1))
    most = max(1, _HIGH // max(1, rows), few)
    return 1 << min(max(0, halvings - 1), most.bit_length() - 1)


def inner(x: Any, g: Array) -> Any:
    """The inner product of a Var and an array, through which x gets the gradient g."""
    return ops.reduce_sum(x * g)


def total_of(losses: Iterable[Any]) -> Any:
    first, *others = losses
    for other in others:
        first = first + other
    return first


def own_map(f: Any) -> Any:
    """The map of the network that features are computed from: an array or a Var."""
    return f.x if isinstance(f, Projected) else f
