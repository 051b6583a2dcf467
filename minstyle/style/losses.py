"""The loss terms: LOSSES, a table from kind to loss, and the formulas of the papers and programs behind it.

Notation. F is the feature map (H, W, C) of the image being painted, M = H * W the number of its positions, P the
content's feature map. In products F is a matrix (M, C): G = F^T F is the Gram matrix (C, C), R = G / M the second raw
moment, m the mean, S = R - m m^T the covariance. A style loss compares such a statistic with the style picture's,
called A (or a, b). With several style pictures, R and m are averaged before any nonlinear step. In a region (a mask),
sums over positions are weighted (Gatys et al. 2017, guided Gram matrices).

The published formulas compare Gram matrices. The code compares R, ``Features.raw``, with the style's, which is divided
by its own M: M has cancelled, and the two pictures may differ in size. Where they do not, it is what was published.

Scale. A recipe's weights assume pixels in certain units (``Recipe.units``), and a network may take them in others. VGG
is positively homogeneous, so its features times ``Features.unit`` are the ones in the recipe's units; a loss of degree
d in the features (``Loss.degree``) is multiplied by unit^d, and a recipe means the same on any VGG. The small network's
features are K coordinates of the C channels of the network that it imitates, in a nearly orthonormal basis: squared
distances of features and of Gram matrices are nearly the same, but a formula that divides by C^n now divides by K^n. To
undo that, the loss is multiplied by (K / C)^n, n = ``Loss.per_channel``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..backend import Array, array_module
from ..engine import ops
from ..engine.autodiff import value_of
from ..engine.ops import diagonal, outer, reduce_sum, relu, sqrt, squared_error
from ..recipe.sizes import Shape
from .features import Features
from .histogram import match_histogram, quantiles


@dataclass(frozen=True, eq=False)
class Loss:
    """One kind of loss: how its target is computed, once, and its value, at each evaluation.

    ``statistic(features)`` -> arrays, which are averaged over the style pictures; ``target(*statistic, unit=...)`` ->
    the target; ``loss(features, target, (H, W) of the image)`` -> a scalar. Its formula has ``degree`` in the features
    and divides by C to the power of ``per_channel``: see the top of the file.

    ``reads`` and ``rows`` are for pictures that are seen in strips of rows (``bands``). ``reads``: what of ``Features``
    the loss looks at; moments are sums over positions, so each strip adds its part. ``rows(target, rows)``, for a loss
    that is a sum over positions itself: the target of some rows, so that each strip has its part of the loss.
    ``neighbours``: the loss of an image is a sum over its rows and over its pairs of neighbouring rows.
    """

    degree: float
    statistic: Callable[[Features], tuple[Any, ...]]
    target: Callable[..., Any]
    loss: Callable[[Features, Any, Shape], Any]
    per_channel: int = 0
    reads: tuple[str, ...] = ("map",)
    rows: Callable[[Any, slice], Any] | None = None
    neighbours: bool = False


# ---------------------------------------------------------------- content


def _map(f: Features) -> tuple[Any, ...]:
    return (f.map,)


def _rows(target: Array, rows: slice) -> Array:
    return target[rows]


def _rows_and_energy(target: tuple[Array, float], rows: slice) -> tuple[Array, float]:
    return target[0][rows], target[1]


def content_sum(f: Features, target: Any, image_shape: Shape) -> Any:
    """sum (F - P)^2: the content loss of the Keras program."""
    return squared_error(f.map, target)


def content_half(f: Features, target: Any, image_shape: Shape) -> Any:
    """1/2 sum (F - P)^2: Gatys et al. 2016, eq. 1."""
    return 0.5 * squared_error(f.map, target)


def content_mean(f: Features, target: Any, image_shape: Shape) -> Any:
    """sum (F - P)^2 / (C M): what most programs have."""
    height, width, channels = f.shape
    return 1 / (height * width * channels) * squared_error(f.map, target)


def content_relative(f: Features, target: Any, image_shape: Shape) -> Any:
    """sum (F - P)^2 / sum P^2: the squared relative error."""
    p, energy = target
    return _inverse(energy) * squared_error(f.map, p)


# ---------------------------------------------------------------- style


def _raw(f: Features) -> tuple[Any, ...]:
    return (f.raw,)


def _mean_and_raw(f: Features) -> tuple[Any, ...]:
    return f.mean, f.raw


def gram_image(f: Features, target: Any, image_shape: Shape) -> Any:
    """sum (G - A)^2 / (4 * 3^2 * (H * W)^2) with H, W of the image at every layer: the Keras program.

    M, the positions at the layer, does not cancel here: f.raw is G / M.
    """
    positions, (height, width) = f.shape[0] * f.shape[1], image_shape
    factor = positions**2 / (4 * 3**2 * (height * width) ** 2)
    return factor * squared_error(f.raw, target)


def gram_paper(f: Features, target: Any, image_shape: Shape) -> Any:
    """sum (G - A)^2 / (4 C^2 M^2): Gatys et al. 2016, eq. 4 (N is our C)."""
    return 1 / (4 * f.shape[2] ** 2) * squared_error(f.raw, target)


def gram_code(f: Features, target: Any, image_shape: Shape) -> Any:
    """mean over C^2 of ((G - A) / M)^2: Gatys's own program."""
    return 1 / f.shape[2] ** 2 * squared_error(f.raw, target)


def gram_mean(f: Features, target: Any, image_shape: Shape) -> Any:
    """mean over C^2 of ((G - A) / (C M))^2: Johnson's, Athalye's and PyTorch's programs."""
    return 1 / f.shape[2] ** 4 * squared_error(f.raw, target)


def gram_relative(f: Features, target: Any, image_shape: Shape) -> Any:
    """sum (R - A)^2 / sum A^2"""
    a, energy = target
    return _inverse(energy) * squared_error(f.raw, a)


def covariance(f: Features, target: Any, image_shape: Shape) -> Any:
    """sum (S - A)^2 / sum A^2: compares centred Gram matrices, and leaves the means free."""
    a, energy = target
    return _inverse(energy) * squared_error(_covariance(f.mean, f.raw), a)


def _covariance_target(mean: Array, raw: Array, unit: float) -> tuple[Array, float]:
    """(A, sum A^2), or (0, sum R^2) for a flat style picture, whose A = R - m m^T is nothing but rounding."""
    a = _covariance(mean, raw)
    energy, raw_energy = _energy(a), _energy(raw)
    rounding = 100 * float(array_module(raw).finfo(raw.dtype).eps)
    return (a, energy) if energy > rounding**2 * raw_energy else (0 * a, raw_energy)


def _covariance(mean: Any, raw: Any) -> Any:
    """S = R - m m^T"""
    return raw - outer(mean)


def mean_std(f: Features, target: Any, image_shape: Shape) -> Any:
    """(sum (m - a)^2 + sum (s - b)^2) / sum (a^2 + b^2), s and b the standard deviations: Li et al. 2017, eq. 3."""
    a, b, energy = target
    return _inverse(energy) * (squared_error(f.mean, a) + squared_error(_deviation(f.mean, f.raw), b))


def _mean_std_target(mean: Array, raw: Array, unit: float) -> tuple[Array, Array, float]:
    deviation = _deviation(mean, raw)
    return mean, deviation, _energy(mean) + _energy(deviation)


def _deviation(mean: Any, raw: Any) -> Any:
    """s, the standard deviation of each channel (C,); relu takes away what rounding leaves below 0."""
    return sqrt(relu(diagonal(raw) - mean * mean))


EPSILON = 1e-4  # added to the diagonal of covariances, in the recipe's units


def wasserstein(f: Features, target: Any, image_shape: Shape) -> Any:
    """(|m - a|^2 + tr(A + S - 2 (A^1/2 S A^1/2)^1/2)) / C, with EPSILON added to the diagonals of A and S.

    The squared Wasserstein-2 distance of the normal distributions with these moments (Olkin, Pukelsheim 1982), per
    channel: Crowson's program.
    """
    a, trace, root = target  # a, tr(A), A^1/2
    s = _regularised(_covariance(f.mean, f.raw), f.unit)
    cross = ops.trace_sqrt(s, root=root, floor=EPSILON / f.unit**2)
    return 1 / f.shape[2] * (squared_error(f.mean, a) + (reduce_sum(diagonal(s)) + trace - 2 * cross))


def _wasserstein_target(mean: Array, raw: Array, unit: float) -> tuple[Array, Array, Array]:
    a = _regularised(_covariance(mean, raw), unit)
    xp = array_module(a)
    return mean, xp.trace(a.astype(xp.float64)), ops.matrix_sqrt(a)


def _regularised(s: Any, unit: float) -> Any:
    """S (C, C) with EPSILON, converted from the recipe's units, added to its diagonal."""
    values = value_of(s)
    return s + EPSILON / unit**2 * array_module(values).eye(len(values), dtype=values.dtype)


def histogram(f: Features, target: Any, image_shape: Shape) -> Any:
    """(sum (F - T(F))^2 / M) / (sum A^2 / M'), A the style's feature map, M' its positions: Risser et al. 2017, eq. 8.

    T(F), taken as constant, is F with each channel matched to the style's histogram, the order of its values kept. The
    numerator is the squared Wasserstein-2 distance of the histograms, summed over the channels.
    """
    curve, energy = target
    goal = match_histogram(value_of(f.map), curve, f.weights)
    height, width, _ = f.shape
    if f.weights is None:
        return _inverse(energy) / (height * width) * squared_error(f.map, goal)
    root = array_module(f.weights).sqrt(f.weights)[:, :, None]
    return _inverse(energy) * squared_error(f.map * root, goal * root)


def _quantiles(f: Features) -> tuple[Any, ...]:
    return (quantiles(value_of(f.map), f.weights),)


def _quantiles_target(curve: Array, unit: float) -> tuple[Array, float]:
    return curve, _energy(curve) / len(curve)


# ---------------------------------------------------------------- total variation, of the image itself
# d_along is the difference of a pixel and the next one of its row, d_down that of a pixel and the one below.


def variation(degree: float, op: Callable[[Any, int], Any]) -> Loss:
    """The loss that is ``op(x, H)`` of the image x (H, W, 3) itself, or of some rows of one; it has no target."""
    return Loss(degree, lambda f: (), _same, lambda f, target, image_shape: op(f.map, f.shape[0]), neighbours=True)


def _same(*statistic: Any, unit: float) -> Any:
    """The statistic itself, or None where there is none."""
    return statistic[0] if statistic else None


def _with_energy(statistic: Array, unit: float) -> tuple[Array, float]:
    """(A, sum A^2), for losses relative to sum A^2."""
    return statistic, _energy(statistic)


def _energy(array: Array) -> float:
    """The sum of squares."""
    xp = array_module(array)
    return float(xp.sum(array * array, dtype=xp.float64))


def _inverse(energy: float) -> float:
    """1 / energy, or 1 for a target of zeros: a relative loss is then an absolute one."""
    return 1 / energy if energy > 0 else 1.0


_RAW, _BOTH = ("raw",), ("mean", "raw")
LOSSES = {
    "content_sum": Loss(2, _map, _same, content_sum, rows=_rows),
    "content_half": Loss(2, _map, _same, content_half, rows=_rows),
    "content_mean": Loss(2, _map, _same, content_mean, per_channel=1, rows=_rows),
    "content_relative": Loss(0, _map, _with_energy, content_relative, rows=_rows_and_energy),
    "gram_image": Loss(4, _raw, _same, gram_image, reads=_RAW),
    "gram_paper": Loss(4, _raw, _same, gram_paper, per_channel=2, reads=_RAW),
    "gram_code": Loss(4, _raw, _same, gram_code, per_channel=2, reads=_RAW),
    "gram_mean": Loss(4, _raw, _same, gram_mean, per_channel=4, reads=_RAW),
    "gram_relative": Loss(0, _raw, _with_energy, gram_relative, reads=_RAW),
    "covariance": Loss(0, _mean_and_raw, _covariance_target, covariance, reads=_BOTH),
    "mean_std": Loss(0, _mean_and_raw, _mean_std_target, mean_std, reads=_BOTH),
    "wasserstein": Loss(2, _mean_and_raw, _wasserstein_target, wasserstein, per_channel=1, reads=_BOTH),
    "histogram": Loss(0, _quantiles, _quantiles_target, histogram),
    # sum (d_along^2 + d_down^2)^1.25: the Keras program
    "total_variation": variation(2.5, lambda x, _: ops.total_variation(x)),
    # 1/2 sum (d_along^2 + d_down^2): Johnson's program
    "tv_squared": variation(2, lambda x, _: 0.5 * ops.total_variation(x, exponent=1.0)),
    # sum |d_along| + sum |d_down|: Rudin, Osher, Fatemi 1992, anisotropic; neural-style-pt
    "tv_absolute": variation(1, lambda x, _: ops.absolute_variation(x)),
    # mean d_along^2 + mean d_down^2: Athalye's program
    "tv_mean": variation(2, lambda x, height: ops.mean_variation(x, height=height)),
    # 1/2 (sum d_along^2 + sum d_down^2), the last row and column included: our own; without them noise stays there
    "tv_sum": variation(2, lambda x, _: ops.summed_variation(x)),
    # 2 (mean d_along^2 / 3 + mean d_down^2 / 3 + mean of each diagonal's squares / 12): Crowson's program
    "tv_stencil": variation(2, lambda x, height: ops.nine_point_variation(x, height=height)),
}
