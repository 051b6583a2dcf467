"""engine/kernels/roots.py: by products alone what eigenvectors and singular values give; on a device by our kernel."""

from __future__ import annotations

import numpy as np
import pytest

from minstyle.backend import Device, to_host
from minstyle.engine import kernels, ops
from minstyle.engine.autodiff import Var, gradient
from tests.support.arrays import normal, positive_definite

FLOOR = 1e-4


def covariance(channels: int, positions: int, seed: int, dtype: type = np.float64, size: float = 1) -> np.ndarray:
    """Of a map after ReLU, whose channels differ a hundredfold; with FLOOR on the diagonal, as ``wasserstein`` adds."""
    spread = size * normal((channels, channels), seed) * np.logspace(0, -2, channels)
    f = np.maximum(normal((positions, channels), seed + 1) @ spread, 0).astype(dtype)
    mean = f.mean(axis=0)
    made: np.ndarray = f.T @ f / dtype(positions) - np.outer(mean, mean) + dtype(FLOOR) * np.eye(channels, dtype=dtype)
    return made


def by_factorisations(s: np.ndarray, root: np.ndarray | None) -> tuple[float, np.ndarray]:
    x = Var(s)
    trace = ops.trace_sqrt(x, root=root, floor=FLOOR)
    (slope,) = gradient(trace, [x])
    return float(trace.value), slope


@pytest.mark.parametrize("n", [1, 5, 64])
@pytest.mark.parametrize("between", [False, True])
def test_of_matrices_in_good_condition_it_is_that_of_factorisations(n: int, between: bool) -> None:
    s, root = positive_definite(n), positive_definite(n + 3)[:n, :n] if between else None
    trace, slope = kernels.trace_sqrt(s, root, FLOOR)
    expected, expected_slope = by_factorisations(s, root)
    assert float(trace) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(slope, expected_slope, rtol=0, atol=1e-9 * abs(expected_slope).max())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("channels", "positions"), [(24, 6), (64, 20), (128, 40)])
def test_of_small_maps_whose_matrices_lack_rank_too(channels: int, positions: int, dtype: type) -> None:
    """Both pictures': the smallest eigenvalues of what is between are 1e-12 of the largest, rounding makes some < 0."""
    s, root = covariance(channels, positions, 1, dtype), ops.matrix_sqrt(covariance(channels, positions, 5, dtype))
    trace, slope = kernels.trace_sqrt(s, root, FLOOR)
    expected, expected_slope = by_factorisations(s.astype(np.float64), root)
    assert float(trace) == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(slope, expected_slope, rtol=0, atol=1e-5 * abs(expected_slope).max())
    np.testing.assert_array_equal(slope, slope.T)


def test_what_is_lost_in_rounding_stays_bounded() -> None:
    """Features in levels of 0..255: the floor is 1e-11 of the largest eigenvalue, far below rounding in float32."""
    s, style = (covariance(64, 12, seed, np.float32, 100) for seed in (1, 5))
    assert np.linalg.eigvalsh(s.astype(np.float64))[0] < -FLOOR
    root = ops.matrix_sqrt(style)
    trace, slope = kernels.trace_sqrt(s, root, FLOOR)
    expected, expected_slope = by_factorisations(s, root)
    assert float(trace) == pytest.approx(expected, rel=1e-6)
    assert abs(slope).max() < 2 * abs(expected_slope).max()


@pytest.mark.parametrize("s", [np.zeros((6, 6)), -np.eye(6), np.diag([4.0, 1e-6, -1e-6, 0, 0, 0])])
def test_eigenvalues_below_the_floor_count_as_the_floor(s: np.ndarray) -> None:
    for root in (None, np.diag([1.0, 2, 3, 0, 0, 0]), np.zeros((6, 6))):
        trace, slope = kernels.trace_sqrt(s, root, FLOOR)
        sizes = np.diag(np.eye(6) if root is None else root) * np.sqrt(np.maximum(np.diag(s), FLOOR))
        assert float(trace) == pytest.approx(sizes.sum(), rel=1e-12)
        assert np.isfinite(slope).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_a_device_it_is_the_same(dtype: str, gpu: Device) -> None:
    s, root = covariance(40, 12, 1).astype(dtype), ops.matrix_sqrt(covariance(40, 12, 5)).astype(dtype)
    x = Var(gpu.asarray(s))
    found = ops.trace_sqrt(x, root=gpu.asarray(root), floor=FLOOR)
    (slope,) = gradient(found, [x])
    expected, expected_slope = kernels.trace_sqrt(s, root, FLOOR)
    assert slope.dtype == dtype
    assert found.value.dtype == np.float64
    assert float(found.value) == pytest.approx(float(expected), rel=1e-12)
    np.testing.assert_allclose(to_host(slope), expected_slope, atol=1e-6 * abs(expected_slope).max())
