"""engine/kernels/cpu/variation.py: total variation in bands is that of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from minstyle.engine.kernels import bands, total_variation, total_variation_gradient


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.25])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (2, 1), (2, 5), (3, 4), (7, 5), (8, 6)])
def test_any_cut_into_bands_gives_the_same(
    height: int, width: int, exponent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = normal(height, width, 3)
    x[:, : width // 2] = 7  # flat in a part
    value, power = total_variation(x, exponent)
    gradient = total_variation_gradient(x, power, np.float64(1.5))
    for rows in range(1, height + 1):
        monkeypatch.setattr(bands, "_BAND", rows * width * 3)
        found, same = total_variation(x, exponent)
        assert found == pytest.approx(value, rel=1e-12)
        np.testing.assert_array_equal(same, power)
        np.testing.assert_array_equal(total_variation_gradient(x, power, np.float64(1.5)), gradient)


def test_the_value_is_the_formula_in_bands_too(monkeypatch: pytest.MonkeyPatch) -> None:
    x = normal(9, 6, 3)
    expected = ((np.diff(x, axis=1)[:-1] ** 2 + np.diff(x, axis=0)[:, :-1] ** 2) ** 1.25).sum()
    monkeypatch.setattr(bands, "_BAND", 2 * 6 * 3)
    assert total_variation(x, 1.25)[0] == pytest.approx(expected, rel=1e-12)
