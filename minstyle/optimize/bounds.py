"""A function of images within bounds as a function of any numbers, for optimisers that know no bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..backend import Array, array_module
from ..errors import OptimizeError, require
from .minimum import Found, Function, Pending


def bounded(
    objective: Function, low: float = 0.0, high: float = 255.0, margin: float = 16.0
) -> tuple[Function, Callable[[Array], Array], Callable[[Array], Array]]:
    """(objective of u, to_u(image), to_image(u)): u is any array, to_image(u) lies within ``low``..``high``.

    image = u from low + margin to high - margin; beyond the edge e of that range image = e + margin * sin((u - e) /
    margin), whose slope falls smoothly from 1 to 0 at the bound, from which it turns back. ``to_u`` is the inverse, for
    images that it first clips to half a level within the bounds, where the slope is not 0. All keep the array's shape
    and type.

    Why this map: u moves as the image does wherever no bound is near, so that the problem is as well conditioned as
    without bounds and a step of one is a grey level. A sigmoid over the whole range bends it everywhere, which costs
    iterations; and where it is flat, values that one long step threw far out never come back. A sine is flat nowhere
    but at the bound itself, which it reaches (so MINUIT: F. James and M. Roos 1975).

    Raises OptimizeError unless low < high and 0.5 < margin <= (high - low) / 2.
    """
    require(low < high, "bounds", "a lower and a higher one", (low, high), OptimizeError)
    good = 0.5 < margin <= (high - low) / 2
    require(good, "margin", f"a number above 0.5, at most {(high - low) / 2:g}", margin, OptimizeError)

    def tail(array: Array) -> tuple[Array, Array]:
        """(the nearest value in the range where image = u, by how many margins it was missed)"""
        straight = array.clip(low + margin, high - margin)
        return straight, (array - straight) / margin

    def mapped(u: Array) -> tuple[Array, Array]:
        """(image, by how many margins u misses the range where image = u)"""
        straight, t = tail(u)
        # Rounding could put the sum beyond the bound.
        return (straight + margin * array_module(u).sin(t)).clip(low, high), t

    def to_image(u: Array) -> Array:
        return mapped(u)[0]

    def to_u(image: Array) -> Array:
        straight, r = tail(image.clip(low + 0.5, high - 0.5))
        return straight + margin * array_module(image).arcsin(r)

    def of_u(u: Array) -> Found:
        image, t = mapped(u)
        found, slope = objective(image), array_module(u).cos(t)
        if isinstance(found, Pending):
            return dataclasses.replace(found, gradient=found.gradient * slope)
        loss, g, *largest = found
        return (loss, g * slope, *largest)

    return of_u, to_u, to_image
