"""What L-BFGS asks of its vectors beside sums: numbers of all their entries."""

from __future__ import annotations

from ..backend import Array
from ..engine import kernels


class Vectors:
    """Vectors are arrays of any shape, each in one place. Where they lie in parts, a subclass adds these up."""

    def dots(self, *pairs: tuple[Array, Array]) -> Array:
        """The inner product of each pair, in float64, where the arrays are: see ``kernels.fetched``."""
        return kernels.dots(*pairs)

    def row_products(self, rows: Array, v: Array) -> Array:
        """The product of each of ``rows`` (m, n) with v, of n entries. -> (m,), float64, as ``dots``"""
        return kernels.row_products(rows, v)

    def mean_size(self, v: Array) -> float:
        """The mean absolute value, 0 of no entries."""
        flat = v.reshape(-1)
        sizes = kernels.by_rows(lambda rows: float(abs(flat[rows]).sum()), flat)
        return float(sum(sizes) / max(flat.size, 1))

    def largest_entry(self, v: Array) -> Array:
        """The largest absolute value, 0 of no entries, NaN if one is NaN."""
        return kernels.largest_entry(v)


WHOLE = Vectors()
