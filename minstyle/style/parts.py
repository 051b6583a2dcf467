"""A picture in parts of rows, a part a machine: what each asks the others for. One machine alone has all of it.

Two things are exchanged. Rows of a map, from those who have them to those whose own rows depend on them. And
what is summed over all rows (moments of features, losses), with which something is then done once, for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ..backend import Array
from ..network.segments import Rows

Sums = Mapping[Any, Any]  # arrays or numbers by name


class Parts(Protocol):
    """The parts of one picture, as one of them sees the others."""

    rows: Sequence[Rows]  # of the image, one a part, the uppermost first
    number: int  # of the part that is here

    def exchange(self, x: Array, own: Sequence[Rows], wanted: Sequence[Rows]) -> Array:
        """The ``wanted`` rows of a map, of which x has this part's ``own``: those of the others come from them.

        Both are given for every part; all parts ask for the same map at the same time.
        """
        ...

    def with_sums(self, found: Sums, do: Callable[[Sums], Sums]) -> Sums:
        """What ``do`` makes of the sums of what all parts found. It is done at one of them, and all get the result."""
        ...


class Alone:
    """The only part: all rows of a picture of that height."""

    number = 0

    def __init__(self, height: int) -> None:
        self.rows: Sequence[Rows] = (Rows(0, height),)

    def exchange(self, x: Array, own: Sequence[Rows], wanted: Sequence[Rows]) -> Array:
        return x

    def with_sums(self, found: Sums, do: Callable[[Sums], Sums]) -> Sums:
        return do(found)
