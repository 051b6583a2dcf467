"""The preconditioner is symmetric and positive definite, and lets large shapes move more than detail."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle.optimize.pyramid import precondition, squared_norm


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 70), width=st.integers(1, 70), channels=st.integers(1, 4), seed=st.integers(0, 99))
def test_it_is_symmetric_and_its_norm_is_that_of_the_product(height: int, width: int, channels: int, seed: int) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, height, width, channels))
    of_a, of_b = precondition(a.copy()), precondition(b.copy())
    assert float((of_a * b).sum()) == pytest.approx(float((a * of_b).sum()), abs=1e-9)
    assert squared_norm(a) == pytest.approx(float((a * of_a).sum()))
    assert squared_norm(a) >= float((a * a).sum()) * (1 - 1e-12), "P is I and more"


@pytest.mark.parametrize("shape", [(13, 9), (16, 12), (5, 8)])
def test_all_eigenvalues_are_from_one_up(shape: tuple[int, int]) -> None:
    n = shape[0] * shape[1]
    matrix = np.stack([precondition(unit.reshape(*shape, 1)).ravel() for unit in np.eye(n)])
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() >= 1 - 1e-9


def test_large_shapes_move_more_in_between_about_as_their_wavelength() -> None:
    x = np.arange(256)
    gains = []
    for wavelength in (2, 8, 32, 128):
        wave = np.cos(2 * np.pi * (x + 0.5) / wavelength)
        image = np.repeat(np.outer(wave, wave)[:, :, None], 3, axis=2)
        gains.append(squared_norm(image) / float((image * image).sum()))
    assert gains[0] < 1.2
    assert gains[1] / gains[0] > 1.2
    assert all(1.5 < b / a < 6 for a, b in itertools.pairwise(gains[1:]))


def test_channels_do_not_mix_and_the_type_stays() -> None:
    image = np.zeros((20, 30, 3), np.float32)
    image[7, 9, 1] = 1
    result = precondition(image)
    assert result is image
    assert result.dtype == np.float32
    assert result[:, :, [0, 2]].max() == 0
    assert result[:, :, 1].min() >= 0
