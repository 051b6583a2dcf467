"""Convolution kernels against their definition: linearity, adjointness, strips."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle import kernels
from minstyle.backend import to_host


def normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3, 5]))
def test_the_gradients_are_the_adjoints_of_the_convolution(
    height: int, width: int, cin: int, cout: int, k: int
) -> None:
    x, kernel, g = normal((height, width, cin), 0), normal((k, k, cin, cout), 1), normal((height, width, cout), 2)
    forward = np.vdot(kernels.convolve(x, kernel, None), g)
    assert np.vdot(x, kernels.input_gradient(g, kernel)) == pytest.approx(forward, rel=1e-10, abs=1e-10)
    assert np.vdot(kernel, kernels.kernel_gradient(x, g, k)) == pytest.approx(forward, rel=1e-10, abs=1e-10)


def test_a_map_of_many_strips_equals_its_parts(xp: ModuleType) -> None:
    # 96 channels of 80 columns make strips of a few rows; a window of rows computed alone must agree inside.
    x, kernel, bias = (xp.asarray(a) for a in (normal((40, 80, 96), 0), normal((3, 3, 96, 8), 1), normal((8,), 2)))
    whole = to_host(kernels.convolve(x, kernel, bias))
    for top in range(1, 37):
        part = to_host(kernels.convolve(x[top - 1 : top + 3], kernel, bias))
        np.testing.assert_allclose(whole[top : top + 2], part[1:3], rtol=1e-10, atol=1e-10)


def test_the_gradients_of_a_map_of_many_strips_are_adjoint_too(xp: ModuleType) -> None:
    x, kernel, g = normal((40, 80, 96), 0), normal((3, 3, 96, 8), 1), normal((40, 80, 8), 2)
    forward = np.vdot(kernels.convolve(x, kernel, None), g)
    dx, dkernel = (
        kernels.input_gradient(xp.asarray(g), xp.asarray(kernel)),
        kernels.kernel_gradient(xp.asarray(x), xp.asarray(g), 3),
    )
    assert np.vdot(x, to_host(dx)) == pytest.approx(forward, rel=1e-10)
    assert np.vdot(kernel, to_host(dkernel)) == pytest.approx(forward, rel=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_type_of_the_arrays_is_kept(dtype: type, xp: ModuleType) -> None:
    x, kernel = xp.ones((5, 5, 2), dtype=dtype), xp.ones((3, 3, 2, 3), dtype=dtype)
    assert kernels.convolve(x, kernel, xp.ones(3, dtype=dtype)).dtype == dtype
    assert kernels.input_gradient(xp.ones((5, 5, 3), dtype=dtype), kernel).dtype == dtype
    assert kernels.kernel_gradient(x, xp.ones((5, 5, 3), dtype=dtype), 3).dtype == dtype


def test_the_input_is_left_as_it_was() -> None:
    x, kernel, bias = normal((6, 6, 2), 0), normal((3, 3, 2, 2), 1), normal((2,), 2)
    before = [a.copy() for a in (x, kernel, bias)]
    kernels.convolve(x, kernel, bias)
    for old, new in zip(before, (x, kernel, bias), strict=True):
        np.testing.assert_array_equal(old, new)
