"""engine/ops/moments.py: the values of the statistics; their adjoints are in the table of test_ops.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.linalg

from minstyle.backend import to_host
from minstyle.engine import ops
from minstyle.engine.autodiff import Var, gradient
from minstyle.engine.ops import moments as moments_file
from minstyle.errors import ShapeError
from minstyle.network.projection import Projected, as_map, raw_moment, weighted_mean
from tests.support.arrays import normal, positive_definite, shares
from tests.support.moments import moments


def test_moments_are_mean_and_second_raw_moment() -> None:
    f = normal((5, 6, 3))
    mean, second = moments(f)
    flat = f.reshape(-1, 3)
    np.testing.assert_allclose(mean, flat.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(second, np.mean([np.outer(row, row) for row in flat], axis=0), rtol=1e-12)


def test_weighted_moments_are_those_of_the_weighted_positions(xp: ModuleType) -> None:
    f, w = normal((5, 6, 3)), shares((5, 6))
    mean, raw = moments(xp.asarray(f), xp.asarray(w))
    flat = f.reshape(-1, 3)
    xp.testing.assert_allclose(mean, w.ravel() @ flat, rtol=1e-12)
    xp.testing.assert_allclose(raw, (flat * w.reshape(-1, 1)).T @ flat, rtol=1e-12, atol=1e-15)


def test_a_region_of_ones_has_the_moments_of_the_part() -> None:
    f, w = normal((6, 8, 3)), np.zeros((6, 8))
    w[:3] = 1 / 24
    for found, expected in zip(moments(f, w), moments(f[:3]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_weights_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"moments: weights: expected \(4, 5\), got \(5, 4\)"):
        moments(np.ones((4, 5, 2)), np.ones((5, 4)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("strip", [1, 300, 1 << 20])
def test_moments_of_what_is_made_of_a_picture_are_those_of_the_map_kept(
    strip: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments_file, "STRIP", strip)
    x, kernel, bias = normal((17, 11, 3)), normal((3, 3, 3, 32), 1), normal((32,), 2)
    v, m, w = normal((32,), 3), normal((32, 32), 4), shares((17, 11)) if weighted else None

    def slope(keep: bool) -> np.ndarray:
        picture = Var(x)
        f = ops.conv_relu(picture, kernel, bias)
        assert f.recompute is not None
        f.recompute = None if keep else f.recompute
        mean, raw = moments(f, w)
        (g,) = gradient(ops.add(ops.reduce_sum(ops.multiply(mean, v)), ops.reduce_sum(ops.multiply(raw, m))), [picture])
        return g

    np.testing.assert_allclose(slope(False), slope(True), rtol=1e-11, atol=1e-12)


def test_float32_means_of_large_maps_are_as_exact_as_can_be() -> None:
    f = (1000 + normal((700, 900, 2))).astype(np.float32)
    mean, raw = moments(f)
    double = f.astype(np.float64)
    np.testing.assert_allclose(mean, double.mean(axis=(0, 1)), rtol=2e-6)
    assert (mean.dtype, raw.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("weights", [None, shares((5, 7))], ids=["all", "weighted"])
@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-11), ("float32", 1e-4)])
def test_moments_of_a_projected_map_are_those_of_the_map_that_is_not_made(
    xp: ModuleType, dtype: str, error: float, weights: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix, v, m = (xp.asarray(a.astype(dtype)) for a in (normal((4, 6), 1), normal((6,), 2), normal((6, 6), 3)))
    w = None if weights is None else xp.asarray(weights)
    found = []
    for way in (lambda f: moments(as_map(f), w), lambda f: projected_moments(f, w)):
        x = Var(xp.asarray(normal((5, 7, 4)).astype(dtype)))
        mean, raw = way(Projected(x, matrix))
        total = ops.add(ops.reduce_sum(ops.multiply(mean, v)), ops.reduce_sum(ops.multiply(raw, m)))
        found.append((mean.value, raw.value, *gradient(total, [x])))
        monkeypatch.setattr("minstyle.engine.ops.conv2d", lambda *_: pytest.fail("the map was made"))
    for one, other in zip(*found, strict=True):
        assert one.dtype == dtype
        xp.testing.assert_allclose(one, other, rtol=error, atol=error)
    x = normal((5, 7, 4))
    for one, other in zip(projected_moments(x, weights), moments(x, weights), strict=True):
        np.testing.assert_array_equal(one, other)


def projected_moments(f: Any, weights: Any = None) -> tuple[Any, Any]:
    return weighted_mean(f, weights), raw_moment(f, weights)


# ---------------------------------------------------------------- matrices


@pytest.mark.parametrize("n", [1, 3, 40])
def test_the_matrix_square_root_squared_is_the_matrix(n: int, xp: ModuleType) -> None:
    s = positive_definite(n)
    root = ops.matrix_sqrt(xp.asarray(s))
    xp.testing.assert_allclose(root @ root, s, rtol=1e-11, atol=1e-11)
    xp.testing.assert_allclose(root, root.T, rtol=0, atol=1e-13)
    assert float(ops.trace_sqrt(xp.asarray(s))) == pytest.approx(np.trace(scipy.linalg.sqrtm(s)), rel=1e-11)


def test_the_trace_of_a_root_between_keeps_what_squares_lose(xp: ModuleType) -> None:
    """Of diagonal matrices it is known: the products of the roots, small ones too."""
    a, b = np.array([1e4, 2e-4, 1e-4]), np.array([1e4, 1e-4, 3e-4])
    turn = np.linalg.qr(normal((3, 3)))[0]
    root, s = (xp.asarray((turn * values) @ turn.T) for values in (np.sqrt(a), b))
    x = Var(s)
    trace = ops.trace_sqrt(x, root=root)
    small = float(trace.value) - 1e4
    assert small == pytest.approx(np.sqrt(a * b)[1:].sum(), rel=1e-6)
    (ds,) = gradient(trace, [x])
    np.testing.assert_allclose(turn.T @ to_host(ds) @ turn, np.diag(0.5 * np.sqrt(a / b)), rtol=1e-6, atol=1e-6)


def test_eigenvalues_below_the_floor_count_as_the_floor() -> None:
    s = np.diag([4.0, 1e-6, -1e-6])
    assert float(ops.trace_sqrt(s, floor=1e-4)) == pytest.approx(2 + 2e-2)
    assert float(ops.trace_sqrt(s, root=np.diag([1.0, 2.0, 3.0]), floor=1e-4)) == pytest.approx(2 + 2e-2 + 3e-2)


def test_square_roots_keep_the_type_and_the_trace_is_a_float64() -> None:
    s = positive_definite(4).astype(np.float32)
    assert ops.matrix_sqrt(s).dtype == np.float32
    assert ops.trace_sqrt(s).dtype == np.float64


@pytest.mark.parametrize("op", [ops.matrix_sqrt, ops.trace_sqrt])
def test_a_matrix_of_low_rank_has_a_square_root_and_a_finite_gradient(op: Any) -> None:
    a = normal((9, 2))
    for s in (a @ a.T, a @ a.T - 1e-16 * np.eye(9), np.zeros((9, 9))):
        x = Var(s)
        y = op(x)
        assert np.isfinite(y.value).all()
        (g,) = gradient(y, [x], cotangent=np.ones(y.shape))
        assert np.abs(g).max() < 10
    np.testing.assert_allclose(ops.matrix_sqrt(a @ a.T) @ ops.matrix_sqrt(a @ a.T), a @ a.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("root", [False, True])
def test_a_matrix_that_is_not_finite_has_no_number_for_a_root(xp: ModuleType, wrong: float, root: bool) -> None:
    s = positive_definite(4)
    s[1, 2] = wrong
    between = {"root": xp.asarray(positive_definite(4))} if root else {}
    for op, settings in ((ops.matrix_sqrt, {}), (ops.trace_sqrt, {"floor": 1e-4, **between})):
        x = Var(xp.asarray(s))
        y = op(x, **settings)
        (g,) = gradient(y, [x], cotangent=xp.ones(y.shape))
        assert np.isnan(to_host(y.value)).all()
        assert np.isnan(to_host(g)).all()


def test_the_gradient_of_the_square_root_solves_its_equation() -> None:
    s, g = positive_definite(6), normal((6, 6), 8)
    x = Var(s)
    root = ops.matrix_sqrt(x)
    (ds,) = gradient(root, [x], cotangent=g)
    np.testing.assert_allclose(ds @ root.value + root.value @ ds, 0.5 * (g + g.T), rtol=1e-10, atol=1e-11)


def test_the_wasserstein_distance_of_gaussians_in_one_dimension_is_that_of_their_deviations() -> None:
    a, b = 2.0, 5.0
    s = Var(np.array([[a * b]]))
    distance = a + b - 2 * float(ops.trace_sqrt(s).value)
    assert distance == pytest.approx((np.sqrt(a) - np.sqrt(b)) ** 2)


def test_what_is_no_square_matrix_is_refused() -> None:
    for op in (ops.matrix_sqrt, ops.trace_sqrt):
        with pytest.raises(ShapeError, match=r"matrix square root: expected a square matrix \(C, C\), got \(2, 3\)"):
            op(np.ones((2, 3)))


def test_outer_and_diagonal_and_sqrt() -> None:
    a = normal((4,))
    np.testing.assert_array_equal(ops.outer(a), np.outer(a, a))
    np.testing.assert_array_equal(ops.diagonal(np.outer(a, a)), a * a)
    x = Var(np.array([4.0, 0.0, -1e-18]))
    root = ops.sqrt(x)
    np.testing.assert_array_equal(root.value, [2, 0, 0])
    (g,) = gradient(root, [x], cotangent=np.ones(3))
    np.testing.assert_array_equal(g, [0.25, 0, 0])
