"""Each loss against the printed formula, term by term in plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from minstyle.recipe.terms import ROLES
from minstyle.style.features import Features
from minstyle.style.losses import LOSSES

GENERATOR = np.random.default_rng(0)
F, P = GENERATOR.standard_normal((2, 4, 5, 3))  # feature maps of the image and of a target of its size
IMAGE = (8, 11)  # height and width of the image that the maps are of


def gram(f: np.ndarray) -> np.ndarray:
    channels = f.shape[2]
    return np.array([[(f[:, :, i] * f[:, :, j]).sum() for j in range(channels)] for i in range(channels)])


def loss(kind: str, f: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> float:
    entry = LOSSES[kind]
    compared = entry.target(*entry.statistic(Features(target)), unit=1.0)
    return float(entry.loss(Features(f, weights), compared, IMAGE))


def mean(f: np.ndarray) -> np.ndarray:
    return np.array([f[:, :, c].sum() / (f.shape[0] * f.shape[1]) for c in range(f.shape[2])])


def spread(f: np.ndarray) -> np.ndarray:
    """The covariance, from differences to the mean."""
    return gram(f - mean(f)) / (f.shape[0] * f.shape[1])


def test_content_losses() -> None:
    total = sum((F[i, j, c] - P[i, j, c]) ** 2 for i in range(4) for j in range(5) for c in range(3))
    assert loss("content_sum", F, P) == pytest.approx(total, rel=1e-12)
    assert loss("content_half", F, P) == pytest.approx(total / 2, rel=1e-12)
    assert loss("content_mean", F, P) == pytest.approx(total / 60, rel=1e-12)
    assert loss("content_relative", F, P) == pytest.approx(total / (P**2).sum(), rel=1e-12)


def test_gram_losses() -> None:
    total = ((gram(F) - gram(P)) ** 2).sum()
    n, m = 3, 4 * 5
    assert loss("gram_paper", F, P) == pytest.approx(total / (4 * n**2 * m**2), rel=1e-12)
    assert loss("gram_image", F, P) == pytest.approx(total / (4 * 3**2 * (8 * 11) ** 2), rel=1e-12)
    assert loss("gram_code", F, P) == pytest.approx(total / m**2 / n**2, rel=1e-12)
    assert loss("gram_mean", F, P) == pytest.approx(total / (m * n) ** 2 / n**2, rel=1e-12)
    assert loss("gram_relative", F, P) == pytest.approx(total / (gram(P) ** 2).sum(), rel=1e-12)


def test_central_losses() -> None:
    a, b = spread(F), spread(P)
    assert loss("covariance", F, P) == pytest.approx(((a - b) ** 2).sum() / (b**2).sum(), rel=1e-10)
    s, t = np.sqrt(np.diag(a)), np.sqrt(np.diag(b))
    total = ((mean(F) - mean(P)) ** 2).sum() + ((s - t) ** 2).sum()
    assert loss("mean_std", F, P) == pytest.approx(total / ((mean(P) ** 2).sum() + (t**2).sum()), rel=1e-10)


def test_the_wasserstein_distance_is_that_of_normal_distributions() -> None:
    a, b = (spread(f) + 1e-4 * np.eye(3) for f in (P, F))
    cross = scipy.linalg.sqrtm(scipy.linalg.sqrtm(a) @ b @ scipy.linalg.sqrtm(a)).real
    total = ((mean(F) - mean(P)) ** 2).sum() + np.trace(a + b - 2 * cross)
    assert loss("wasserstein", F, P) == pytest.approx(total / 3, rel=1e-10)
    assert loss("wasserstein", P, P) == pytest.approx(0, abs=1e-14)


def test_the_histogram_loss_is_the_distance_of_sorted_values() -> None:
    """Against SciPy's one-dimensional transport, on maps so large that the curve's points are as good as all values."""
    f, p = np.random.default_rng(1).standard_normal((2, 64, 64, 2)) * [1, 3] + [0, 1]
    ordered, wanted = (np.sort(x.reshape(-1, 2), axis=0) for x in (f, p))
    expected = ((ordered - wanted) ** 2).sum() / (wanted**2).sum()
    assert loss("histogram", f, p) == pytest.approx(expected, rel=0.02)
    assert loss("histogram", p, p) < 1e-3  # beyond the outermost points of the curve values are cut off
    assert loss("histogram", f[::-1, ::-1], p) == pytest.approx(
        loss("histogram", f, p), rel=1e-12
    )  # places do not count


@pytest.mark.parametrize("kind", [kind for kind in LOSSES if ROLES[kind] == "style" and kind != "histogram"])
def test_a_weighted_loss_is_that_of_the_part(kind: str) -> None:
    """Half of the positions, all alike, against the same positions alone; the document's counts positions."""
    weights = np.zeros((4, 5))
    weights[:2] = 1 / 10
    factor = 4 if kind == "gram_image" else 1
    assert loss(kind, F, P, weights) == pytest.approx(factor * loss(kind, F[:2], P), rel=1e-9)


def test_a_weighted_histogram_is_that_of_the_part() -> None:
    f, p = np.random.default_rng(2).standard_normal((2, 40, 50, 2))
    weights = np.zeros((40, 50))
    weights[:20] = 1 / 1000
    assert loss("histogram", f, p + 1, weights) == pytest.approx(loss("histogram", f[:20], p + 1), rel=1e-6)


def test_variations_of_the_image() -> None:
    dx, dy = F[:, 1:] - F[:, :-1], F[1:] - F[:-1]
    inside = dx[:-1] ** 2 + dy[:, :-1] ** 2
    assert loss("total_variation", F, P) == pytest.approx((inside**1.25).sum(), rel=1e-12)
    assert loss("tv_squared", F, P) == pytest.approx(inside.sum() / 2, rel=1e-12)
    assert loss("tv_absolute", F, P) == pytest.approx(np.abs(dx).sum() + np.abs(dy).sum(), rel=1e-12)
    assert loss("tv_sum", F, P) == pytest.approx(((dx**2).sum() + (dy**2).sum()) / 2, rel=1e-12)
    assert loss("tv_mean", F, P) == pytest.approx((dx**2).mean() + (dy**2).mean(), rel=1e-12)


# The distance of normal distributions has a number in it, which belongs to the recipe's units.
@pytest.mark.parametrize("kind", [kind for kind in LOSSES if kind != "wasserstein"])
def test_the_degree_is_how_the_loss_grows_with_its_features(kind: str) -> None:
    assert loss(kind, 3 * F, 3 * P) == pytest.approx(3 ** LOSSES[kind].degree * loss(kind, F, P), rel=1e-9)
