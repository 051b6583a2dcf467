"""The loss terms: a table from kind to its formulas, those of the papers and programs, one after the other.

F is the feature map of the image that is being made, C its channels, M = H * W its positions; G = F^T F its Gram
matrix, R = G / M the second raw moment, m the mean, S = R - m m^T the covariance. Each style loss compares such
statistics with the style picture's own, over its own positions; where both are of one size the formulas are the printed
ones to the letter. Statistics of several style pictures are averaged, before anything is made of them that is not
linear. In a region of the picture (a mask), sums over positions are weighted (Gatys et al. 2017, guided Gram matrices).

Weights are for networks that take pixels in certain units: see ``Recipe.units``. VGG is positively homogeneous: for a
network that takes pixels in another unit, the features times ``Features.unit`` are those of the equal network in the
recipe's. A loss of ``degree`` d in the features therefore counts unit^d times, and a recipe means the same on any VGG.
A network whose features are K coordinates of a wider network's C channels nearly keeps the distances of features and
Gram matrices if the coordinates are orthonormal and hold nearly all of the features, but a formula that divides by C^n
would divide by K^n: it counts (K / C)^n times (``per_channel`` n).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..backend import Array, array_module
from ..engine import ops
from ..engine.autodiff import value_of
from ..network import projection
from ..network.projection import as_map
from .histogram import match_histogram, quantiles

Shape = tuple[int, int]


class Features:
    """A feature map F (H, W, C), with what losses read of it, each computed once.

    ``weights`` (H, W), summing to 1, say how much each position counts; None: all alike. ``unit``: see above.
    """

    def __init__(self, f: Any, weights: Array | None = None, unit: float = 1.0) -> None:
        self.f, self.weights, self.unit = f, weights, unit
        self.shape: tuple[int, int, int] = f.shape

    @cached_property
    def map(self) -> Any:
        """F (H, W, C)"""
        return as_map(self.f)

    @cached_property
    def raw(self) -> Any:
        """R (C, C)"""
        return projection.raw_moment(self.f, self.weights)

    @cached_property
    def mean(self) -> Any:
        """m (C,)"""
        return projection.weighted_mean(self.f, self.weights)


@dataclass(frozen=True)
class Loss:
    """A loss term's formula, of ``degree`` in the features, divided by the channels to the power of ``per_channel``.

    ``statistic(features)`` -> arrays that are averaged over style pictures; ``target(*statistic, unit=...)`` -> what is
    compared with, computed once; ``loss(features, target, (H, W) of the image)`` -> a scalar, at each evaluation.
    """

    degree: float
    statistic: Callable[[Features], tuple[Any, ...]]
    target: Callable[..., Any]
    loss: Callable[[Features, Any, Shape], Any]
    per_channel: int = 0


# ---------------------------------------------------------------- content


def _map(f: Features) -> tuple[Any, ...]:
    return (f.map,)


def content_sum(f: Features, target: Any, image: Shape) -> Any:
    """sum (F - P)^2: the content loss of the Keras program."""
    return ops.squared_error(f.map, target)


def content_half(f: Features, target: Any, image: Shape) -> Any:
    """1/2 sum (F - P)^2: Gatys et al. 2016, eq. 1."""
    return ops.scale(ops.squared_error(f.map, target), factor=0.5)


def content_mean(f: Features, target: Any, image: Shape) -> Any:
    """sum (F - P)^2 / (C M): what most programs have."""
    height, width, channels = f.shape
    return ops.scale(ops.squared_error(f.map, target), factor=1 / (height * width * channels))


def content_relative(f: Features, target: Any, image: Shape) -> Any:
    """sum (F - P)^2 / sum P^2: the part of the content that is lost."""
    p, energy = target
    return ops.scale(ops.squared_error(f.map, p), factor=_one_over(energy))


# ---------------------------------------------------------------- style


def _raw(f: Features) -> tuple[Any, ...]:
    return (f.raw,)


def _mean_and_raw(f: Features) -> tuple[Any, ...]:
    return f.mean, f.raw


def gram_image(f: Features, target: Any, image: Shape) -> Any:
    """sum (G - A)^2 / (4 * 3^2 * (H * W)^2) with H, W of the image at every layer: the Keras program."""
    positions, (height, width) = f.shape[0] * f.shape[1], image
    factor = positions**2 / (4 * 3**2 * (height * width) ** 2)
    return ops.scale(ops.squared_error(f.raw, target), factor=factor)


def gram_paper(f: Features, target: Any, image: Shape) -> Any:
    """sum (G - A)^2 / (4 C^2 M^2): Gatys et al. 2016, eq. 4 (N is our C)."""
    return ops.scale(ops.squared_error(f.raw, target), factor=1 / (4 * f.shape[2] ** 2))


def gram_code(f: Features, target: Any, image: Shape) -> Any:
    """mean over C^2 of ((G - A) / M)^2: Gatys's own program."""
    return ops.scale(ops.squared_error(f.raw, target), factor=1 / f.shape[2] ** 2)


def gram_mean(f: Features, target: Any, image: Shape) -> Any:
    """mean over C^2 of ((G - A) / (C M))^2: Johnson's, Athalye's and PyTorch's programs."""
    return ops.scale(ops.squared_error(f.raw, target), factor=1 / f.shape[2] ** 4)


def gram_relative(f: Features, target: Any, image: Shape) -> Any:
    """sum (R - A)^2 / sum A^2"""
    a, energy = target
    return ops.scale(ops.squared_error(f.raw, a), factor=_one_over(energy))


def covariance(f: Features, target: Any, image: Shape) -> Any:
    """sum (S - A)^2 / sum A^2: the centred Gram matrix, whose match leaves the means free."""
    spread, energy = target
    return ops.scale(ops.squared_error(_covariance(f.mean, f.raw), spread), factor=_one_over(energy))


def _covariance_target(mean: Array, raw: Array, unit: float) -> tuple[Array, float]:
    """A and what it is counted in: where a flat picture has no A but rounding, the raw moment in its place."""
    spread, whole = _covariance(mean, raw), _energy(raw)
    rounding = 100 * float(array_module(raw).finfo(raw.dtype).eps)
    energy = _energy(spread)
    return (spread, energy) if energy > rounding**2 * whole else (0 * spread, whole)


def _covariance(mean: Any, raw: Any) -> Any:
    return ops.add(raw, ops.scale(ops.outer(mean), factor=-1.0))


def mean_std(f: Features, target: Any, image: Shape) -> Any:
    """(sum (m - a)^2 + sum (s - b)^2) / sum (a^2 + b^2), s and b the standard deviations: Li et al. 2017, eq. 3."""
    mean, deviation, energy = target
    total = ops.add(ops.squared_error(f.mean, mean), ops.squared_error(_deviation(f.mean, f.raw), deviation))
    return ops.scale(total, factor=_one_over(energy))


def _mean_std_target(mean: Array, raw: Array, unit: float) -> tuple[Array, Array, float]:
    deviation = _deviation(mean, raw)
    return mean, deviation, _energy(mean) + _energy(deviation)


def _deviation(mean: Any, raw: Any) -> Any:
    return ops.sqrt(ops.relu(ops.add(ops.diagonal(raw), ops.scale(ops.multiply(mean, mean), factor=-1.0))))


EPSILON = 1e-4  # on the diagonal of covariances, in the recipe's units


def wasserstein(f: Features, target: Any, image: Shape) -> Any:
    """(|m - a|^2 + tr(A + S - 2 (A^1/2 S A^1/2)^1/2)) / C, with EPSILON added to the diagonals of A and S.

    The squared Wasserstein-2 distance of the normal distributions with these moments (Olkin, Pukelsheim 1982), per
    channel: Crowson's program.
    """
    mean, trace, root = target
    spread = _regular(_covariance(f.mean, f.raw), f.unit)
    cross = ops.trace_sqrt(spread, root=root, floor=EPSILON / f.unit**2)
    spreads = ops.add(ops.reduce_sum(ops.diagonal(spread)), trace)
    total = ops.add(ops.squared_error(f.mean, mean), ops.add(spreads, ops.scale(cross, factor=-2.0)))
    return ops.scale(total, factor=1 / f.shape[2])


def _wasserstein_target(mean: Array, raw: Array, unit: float) -> tuple[Array, Array, Array]:
    spread = _regular(_covariance(mean, raw), unit)
    xp = array_module(spread)
    return mean, xp.trace(spread.astype(xp.float64)), ops.matrix_sqrt(spread)


def _regular(spread: Any, unit: float) -> Any:
    values = value_of(spread)
    xp = array_module(values)
    return ops.add(spread, EPSILON / unit**2 * xp.eye(len(values), dtype=values.dtype))


def histogram(f: Features, target: Any, image: Shape) -> Any:
    """sum over positions of (F - T(F))^2 / M, in parts of the style's own: Risser et al. 2017, eq. 8.

    T(F) is F with each channel's values moved to the style's histogram, in their order; it counts as constant. That is
    the squared Wasserstein-2 distance of each channel's histograms.
    """
    curve, energy = target
    goal = match_histogram(value_of(f.map), curve, f.weights)
    height, width, _ = f.shape
    if f.weights is None:
        return ops.scale(ops.squared_error(f.map, goal), factor=_one_over(energy) / (height * width))
    root = array_module(f.weights).sqrt(f.weights)[:, :, None]
    return ops.scale(ops.squared_error(ops.multiply(f.map, root), goal * root), factor=_one_over(energy))


def _quantiles(f: Features) -> tuple[Any, ...]:
    return (quantiles(value_of(f.map), f.weights),)


def _quantiles_target(curve: Array, unit: float) -> tuple[Array, float]:
    return curve, _energy(curve) / len(curve)


# ---------------------------------------------------------------- total variation, of the image itself


def variation(degree: float, op: Callable[[Any], Any]) -> Loss:
    """A loss that is ``op`` of the image x (H, W, 3) itself and has no target."""
    return Loss(degree, lambda f: (), _same, lambda x, target, image: op(x.map))


def _same(*statistic: Any, unit: float) -> Any:
    """The statistic itself, or None where there is none."""
    return statistic[0] if statistic else None


def _measured(statistic: Array, unit: float) -> tuple[Array, float]:
    """The statistic and its energy, for losses that are counted in parts of it."""
    return statistic, _energy(statistic)


def _energy(array: Array) -> float:
    """The sum of squares."""
    xp = array_module(array)
    return float(xp.sum(array * array, dtype=xp.float64))


def _one_over(energy: float) -> float:
    """1 / energy; a target that is nothing at all has no parts to be counted in."""
    return 1 / energy if energy > 0 else 1.0


LOSSES = {
    "content_sum": Loss(2, _map, _same, content_sum),
    "content_half": Loss(2, _map, _same, content_half),
    "content_mean": Loss(2, _map, _same, content_mean, per_channel=1),
    "content_relative": Loss(0, _map, _measured, content_relative),
    "gram_image": Loss(4, _raw, _same, gram_image),
    "gram_paper": Loss(4, _raw, _same, gram_paper, per_channel=2),
    "gram_code": Loss(4, _raw, _same, gram_code, per_channel=2),
    "gram_mean": Loss(4, _raw, _same, gram_mean, per_channel=4),
    "gram_relative": Loss(0, _raw, _measured, gram_relative),
    "covariance": Loss(0, _mean_and_raw, _covariance_target, covariance),
    "mean_std": Loss(0, _mean_and_raw, _mean_std_target, mean_std),
    "wasserstein": Loss(2, _mean_and_raw, _wasserstein_target, wasserstein, per_channel=1),
    "histogram": Loss(0, _quantiles, _quantiles_target, histogram),
    # sum (dx^2 + dy^2)^1.25: the Keras program
    "total_variation": variation(2.5, ops.total_variation),
    # 1/2 sum (dx^2 + dy^2): Johnson's program
    "tv_squared": variation(2, lambda x: ops.scale(ops.total_variation(x, exponent=1.0), factor=0.5)),
    # sum |dx| + sum |dy|: Rudin, Osher, Fatemi 1992, anisotropic; neural-style-pt
    "tv_absolute": variation(1, ops.absolute_variation),
    # mean dx^2 + mean dy^2: Athalye's program
    "tv_mean": variation(2, ops.squared_variation),
    # 1/2 (sum dx^2 + sum dy^2), of the last row and column too: ours; without them noise stays along two edges
    "tv_sum": variation(2, ops.summed_variation),
    # 2 (mean dx^2 / 3 + mean dy^2 / 3 + mean of each diagonal's squares / 12): Crowson's program
    "tv_stencil": variation(2, ops.nine_point_variation),
}
