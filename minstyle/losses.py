"""The loss terms: a table from kind to (target, loss). The formulas of the papers, one after the other.

F is the feature map of the image that is being made, C its channels, M = H * W its positions; G = F^T F its Gram
matrix. A Gram target is kept as the mean A / M over the style's own positions, so that a style picture of another
size than the content's can be compared with; where both are of one size the formulas are the printed ones to the
letter.

The papers' weights are for networks that take pixels in grey levels (0..255). VGG is positively homogeneous: for a
network that takes pixels in units of u grey levels (``Network.unit``), u times its features are those of the equal
network in grey levels. A loss of ``degree`` d in the features therefore counts u^d times, and a recipe means the same
on any VGG. A network whose features are K coordinates of a wider network's C channels nearly keeps the distances of
features and Gram matrices if the coordinates are orthonormal and hold nearly all of the features, but a formula that
divides by C^n would divide by K^n: it counts (K / C)^n times (``per_channel`` n).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import ops
from .projection import as_map, gram

Shape = tuple[int, int]


@dataclass(frozen=True)
class Loss:
    """A loss term's formula, of ``degree`` in the features, divided by the channels to the power of ``per_channel``.

    ``target(features)`` is computed once, ``loss(features, target, (H, W) of the image) -> scalar`` at each evaluation.
    """

    degree: float
    target: Callable[[Any], Any]
    loss: Callable[[Any, Any, Shape], Any]
    per_channel: int = 0


def _nothing(f: Any) -> None:
    return None


def _mean_gram(f: Any) -> Any:
    """G / M (C, C)"""
    return ops.scale(gram(f), factor=1.0 / (f.shape[0] * f.shape[1]))


def content_sum(f: Any, target: Any, image: Shape) -> Any:
    """sum (F - P)^2: the content loss of the Keras program."""
    return ops.squared_error(as_map(f), target)


def content_half(f: Any, target: Any, image: Shape) -> Any:
    """1/2 sum (F - P)^2: Gatys et al. 2016, eq. 1."""
    return ops.scale(ops.squared_error(as_map(f), target), factor=0.5)


def gram_image(f: Any, target: Any, image: Shape) -> Any:
    """sum (G - A)^2 / (4 * 3^2 * (H * W)^2) with H, W of the image at every layer: the Keras program."""
    positions, (height, width) = f.shape[0] * f.shape[1], image
    factor = positions**2 / (4 * 3**2 * (height * width) ** 2)
    return ops.scale(ops.squared_error(_mean_gram(f), target), factor=factor)


def gram_paper(f: Any, target: Any, image: Shape) -> Any:
    """sum (G - A)^2 / (4 C^2 M^2): Gatys et al. 2016, eq. 4 (N is our C)."""
    return ops.scale(ops.squared_error(_mean_gram(f), target), factor=1 / (4 * f.shape[2] ** 2))


def total_variation(x: Any, target: None, image: Shape) -> Any:
    """sum (dx^2 + dy^2)^1.25 over the image: the Keras program."""
    return ops.total_variation(x, exponent=1.25)


LOSSES = {
    "content_sum": Loss(2, as_map, content_sum),
    "content_half": Loss(2, as_map, content_half),
    "gram_image": Loss(4, _mean_gram, gram_image),
    "gram_paper": Loss(4, _mean_gram, gram_paper, per_channel=2),
    "total_variation": Loss(2.5, _nothing, total_variation),
}
