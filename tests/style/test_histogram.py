"""Curves of quantiles, and maps that are given another's histograms."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.engine import kernels
from minstyle.engine.kernels import use_threads
from minstyle.style.histogram import COUNT, match_histogram, quantiles
from tests.support.arrays import normal


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("least", [0, -9])
def test_sorted_columns_are_each_channels_values_in_order(xp: ModuleType, dtype: str, least: int) -> None:
    f = np.maximum(normal((9, 11, 5)), least).astype(dtype)  # with many equal values, or with negative ones
    flat = f.reshape(-1, 5)
    for threads in (1, 2, 5):
        with use_threads(threads):
            found, order = kernels.sort_columns(xp.asarray(flat))
            xp.testing.assert_array_equal(found, np.sort(flat, axis=0))
            assert found.dtype == dtype
            xp.testing.assert_array_equal(kernels.unsort_columns(found, order), flat)


def test_quantiles_are_numpys(xp: ModuleType) -> None:
    f = normal((40, 50, 3))
    expected = np.quantile(f.reshape(-1, 3), (np.arange(COUNT) + 0.5) / COUNT, axis=0, method="hazen")
    xp.testing.assert_allclose(quantiles(xp.asarray(f)), expected, atol=1e-12)


def test_equal_weights_change_nothing_and_others_are_repetitions(xp: ModuleType) -> None:
    f = normal((8, 9, 2))
    even = np.full((8, 9), 1 / 72)
    xp.testing.assert_allclose(quantiles(xp.asarray(f), xp.asarray(even)), quantiles(xp.asarray(f)), atol=1e-12)
    twice = even.copy()
    twice[:4] *= 2
    repeated = np.concatenate([f, f[:4]])
    ours, expected = quantiles(f, twice / twice.sum()), quantiles(repeated)
    assert np.abs(ours - expected).mean() < 0.05


def test_a_map_that_is_matched_has_the_histogram_and_keeps_its_order(xp: ModuleType) -> None:
    f, style = normal((32, 32, 4)), np.exp(normal((48, 20, 4), 1))
    found = match_histogram(xp.asarray(f), quantiles(xp.asarray(style)))
    for c in range(4):
        np.testing.assert_array_equal(np.argsort(f[:, :, c], axis=None), np.argsort(_host(found)[:, :, c], axis=None))
    wanted = np.sort(style.reshape(-1, 4), axis=0).mean(axis=0)
    np.testing.assert_allclose(_host(found).mean(axis=(0, 1)), wanted, rtol=0.02)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.integers(0, 99))
def test_a_map_matched_to_itself_hardly_changes(height: int, width: int, channels: int, seed: int) -> None:
    f = np.random.default_rng(seed).uniform(-5, 5, (height, width, channels))
    gap = max(np.diff(np.sort(f.reshape(-1, channels), axis=0), axis=0).max(initial=0), 1e-9)
    assert np.abs(match_histogram(f, quantiles(f)) - f).max() <= gap


def _host(array: np.ndarray) -> np.ndarray:
    return array.get() if hasattr(array, "get") else array
