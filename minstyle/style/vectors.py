"""Vectors like the image for L-BFGS, of a picture in bands: a product is a sum of those of its bands, in their order.

Of a picture in parts each has its own rows of every vector. All do the same steps at the same time and know the same
numbers, which are the same to the last bit in any parts of the same bands.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..backend import Array, array_module, to_host
from ..engine import kernels
from ..network.segments import Rows
from ..optimize import pyramid
from ..optimize.lbfgs import Preconditioner
from ..optimize.vectors import WHOLE, Vectors
from .parts import Parts

# P v at a row depends on so many rows above and below, at most, which must begin where its coarsest level does.
_SEEN, _STEP = 128, 1 << pyramid.LEVELS


class BandVectors(Vectors):
    """Vectors are this part's own rows (h, W, 3); pairs (m, h W 3)."""

    def __init__(self, parts: Parts, bands: Sequence[Rows]) -> None:
        """``bands``: those of the whole picture."""
        self._parts, self._own, self._height = parts, parts.rows[parts.number], bands[-1].stop
        self._bands = [(i, band & self._own) for i, band in enumerate(bands) if (band & self._own).size]
        self.preconditioner = Preconditioner(self._precondition, self._squared_norm)

    def dots(self, *pairs: tuple[Array, Array]) -> Array:
        return self._total(lambda band: kernels.dots(*((a[self._here(band)], b[self._here(band)]) for a, b in pairs)))

    def row_products(self, rows: Array, v: Array) -> Array:
        width, flat = v.size // self._own.size, v.reshape(-1)

        def of(band: Rows) -> Array:
            here = self._here(band)
            values = slice(here.start * width, here.stop * width)
            return kernels.row_products(rows[:, values], flat[values])

        return self._total(of)

    def mean_size(self, v: Array) -> float:
        total = self._total(lambda band: WHOLE.mean_size(v[self._here(band)]) * band.size)
        return float(total) / self._height

    def largest_entry(self, v: Array) -> Array:
        return self._total(lambda band: kernels.largest_entry(v[self._here(band)]), larger)

    def _here(self, band: Rows) -> slice:
        return band.shifted(-self._own.start).slice

    def _total(self, of: Callable[[Rows], Any], add: Callable[[Any, Any], Any] = operator.add) -> Any:
        """The sum, or what else ``add`` makes, of what is found in each band."""

        def added(found: Mapping[Any, Any]) -> Mapping[Any, Any]:
            return {"": functools.reduce(add, [found[i] for i in sorted(found)])}

        total = self._parts.with_sums({i: of(band) for i, band in self._bands}, added)[""]
        # Of several parts some may be on a device: on the host, all of them do the same in the same order.
        return total if len(self._parts.rows) == 1 else to_host(total)

    def _precondition(self, v: Array) -> Array:
        seen, first = self._with_halo(v)
        return pyramid.precondition(seen)[self._own.shifted(-first).slice]

    def _squared_norm(self, v: Array) -> Array:
        x, first = self._with_halo(v)
        levels, height = [x], self._height
        while len(levels) <= pyramid.LEVELS and min(height, x.shape[1]) >= 2:
            x, height = kernels.shrunk(x), (height + 1) // 2
            levels.append(x)

        def of(band: Rows) -> Array:
            total: Array = 0.0
            for level, x in enumerate(levels):
                rows = x[band.shifted(-(first >> level)).slice]
                if rows.size:
                    total = total + pyramid.WEIGHT**level * kernels.dots((rows, rows))
                band = Rows((band.start + 1) // 2, (band.stop + 1) // 2)
            return total

        return self._total(of)

    def _with_halo(self, v: Array) -> tuple[Array, int]:
        """The rows on which the own rows of P v depend, and the first of them."""
        wanted = [_seen(rows, self._height) for rows in self._parts.rows]
        return self._parts.exchange(v, self._parts.rows, wanted), wanted[self._parts.number].start


def larger(a: Array, b: Array) -> Array:
    """The larger of two numbers, NaN if one is NaN."""
    return array_module(a).maximum(a, b)


def _seen(rows: Rows, height: int) -> Rows:
    return Rows((rows.start - _SEEN) // _STEP * _STEP, rows.stop + _SEEN) & Rows(0, height)
