"""The map between bounds: where it is the identity, its inverse, its derivative, and what L-BFGS reaches through it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minstyle.backend import Array, array_module, to_host
from minstyle.errors import OptimizeError
from minstyle.optimize.bounds import bounded
from minstyle.optimize.scipy_lbfgs import scipy_lbfgs


def nothing(x: Array) -> tuple[float, Array]:
    return 0.0, x


def vectors(low: float, high: float, width: int) -> Any:
    return arrays.arrays(f"f{width // 8}", (5, 3), elements=st.floats(low, high, width=width))


def distance(targets: np.ndarray, weights: Any = 1.0) -> Any:
    return lambda x: (float((weights * (x - targets) ** 2).sum()), 2 * weights * (x - targets))


@settings(deadline=None)
@given(vectors(-(2.0**100), 2.0**100, 64) | vectors(-(2.0**60), 2.0**60, 32))
def test_every_image_is_within_the_bounds(u: np.ndarray) -> None:
    for low, high in ((0, 255), (-1, 1)):
        image = bounded(nothing, low, high, margin=0.9)[2](u)
        assert image.dtype == u.dtype
        assert ((image >= low) & (image <= high)).all()


@settings(deadline=None)
@given(vectors(0, 255, 64))
def test_the_inverse_is_one_half_a_level_within(image: np.ndarray) -> None:
    _, to_u, to_image = bounded(nothing)
    np.testing.assert_allclose(to_image(to_u(image)), image.clip(0.5, 254.5), rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_the_identity_but_for_the_margins(dtype: Any, xp: ModuleType) -> None:
    _, to_u, to_image = bounded(nothing)
    u = xp.linspace(16, 239, 1000).astype(dtype)
    np.testing.assert_array_equal(to_host(to_image(u)), to_host(u))
    np.testing.assert_array_equal(to_host(to_u(u)), to_host(u))
    for array in (to_u(u), to_image(u)):
        assert array.dtype == dtype
        assert array_module(array) is xp
    edge = 239 + 16 * np.pi / 2
    assert float(to_image(xp.asarray([edge]))[0]) == 255
    assert 254 < float(to_image(xp.asarray([edge + 3]))[0]) < 255  # it turns back


@settings(deadline=None)
@given(vectors(-300, 600, 64))
def test_its_derivative(u: np.ndarray) -> None:
    of_u, _, to_image = bounded(distance(np.full((5, 3), 100.0)))
    loss, g = of_u(u)
    assert loss == distance(100.0)(to_image(u))[0]
    h = 1e-4
    slope = (to_image(u + h) - to_image(u - h)) / (2 * h)
    np.testing.assert_allclose(g, 2 * (to_image(u) - 100) * slope, rtol=1e-4, atol=1e-6)


def test_lbfgs_through_it_finds_a_minimum_outside() -> None:
    targets = np.linspace(-200, 455, 30)
    weights = np.linspace(1, 30, 30)
    of_u, to_u, to_image = bounded(distance(targets, weights))
    found = scipy_lbfgs(of_u, to_u(np.full(30, 128.0)), evaluations=100, factr=0, pgtol=0)
    image = to_image(found.x)
    np.testing.assert_allclose(image, targets.clip(0, 255), rtol=0, atol=1e-4)


def test_lbfgs_through_it_beats_clipping_afterwards() -> None:
    """Where entries depend on one another, the best image within bounds is not the best one clipped."""
    generator = np.random.default_rng(0)
    a = generator.standard_normal((40, 20)) + 1
    b = a @ generator.uniform(-150, 400, 20)

    def coupled(x: np.ndarray) -> tuple[float, np.ndarray]:
        residual = a @ x - b
        return float(residual @ residual), 2 * a.T @ residual

    of_u, to_u, to_image = bounded(coupled)
    start = np.full(20, 128.0)
    within = to_image(scipy_lbfgs(of_u, to_u(start), evaluations=200).x)
    clipped = scipy_lbfgs(coupled, start, evaluations=200).x.clip(0, 255)
    assert coupled(within)[0] < 0.8 * coupled(clipped)[0]


@pytest.mark.parametrize(("given_", "expected"), [
    ({"low": 5.0, "high": 5.0}, r"bounds: .* got \(5.0, 5.0\)"),
    ({"margin": 128.0}, "margin: expected a number above 0.5, at most 127.5, got 128.0"),
    ({"margin": 0.5}, "margin: .* got 0.5"),
])  # fmt: skip
def test_settings_out_of_range(given_: dict[str, float], expected: str) -> None:
    with pytest.raises(OptimizeError, match=expected):
        bounded(nothing, **given_)
