"""Each loss against the printed formula, term by term in plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from minstyle.losses import LOSSES

GENERATOR = np.random.default_rng(0)
F, P = GENERATOR.standard_normal((2, 4, 5, 3))  # feature maps of the image and of a target of its size
IMAGE = (8, 11)  # height and width of the image that the maps are of


def gram(f: np.ndarray) -> np.ndarray:
    channels = f.shape[2]
    return np.array([[(f[:, :, i] * f[:, :, j]).sum() for j in range(channels)] for i in range(channels)])


def loss(kind: str, f: np.ndarray, target: np.ndarray) -> float:
    entry = LOSSES[kind]
    return float(entry.loss(f, entry.target(target), IMAGE))


def test_content_losses() -> None:
    total = sum((F[i, j, c] - P[i, j, c]) ** 2 for i in range(4) for j in range(5) for c in range(3))
    assert loss("content_sum", F, P) == pytest.approx(total, rel=1e-12)
    assert loss("content_half", F, P) == pytest.approx(total / 2, rel=1e-12)


def test_gram_losses() -> None:
    total = ((gram(F) - gram(P)) ** 2).sum()
    n, m = 3, 4 * 5
    assert loss("gram_paper", F, P) == pytest.approx(total / (4 * n**2 * m**2), rel=1e-12)
    assert loss("gram_image", F, P) == pytest.approx(total / (4 * 3**2 * (8 * 11) ** 2), rel=1e-12)


@pytest.mark.parametrize("kind", list(LOSSES))
def test_the_degree_is_how_the_loss_grows_with_its_features(kind: str) -> None:
    assert loss(kind, 3 * F, 3 * P) == pytest.approx(3 ** LOSSES[kind].degree * loss(kind, F, P), rel=1e-12)
