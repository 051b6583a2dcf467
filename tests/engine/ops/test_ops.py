"""The gradient-check suite: every op at several shapes on every library; its values against plain NumPy."""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle import check_vjp
from minstyle.backend import to_host
from minstyle.engine import ops
from minstyle.engine.autodiff import Var, gradient
from minstyle.errors import ShapeError
from tests.support.arrays import distinct, normal, positive_definite, shares
from tests.support.moments import moments

# Feature maps (H, W, C): even, odd, one pixel, one channel, one row, one column.
MAPS = [(4, 6, 3), (5, 7, 2), (1, 1, 3), (3, 2, 1), (1, 5, 2), (6, 1, 2)]
POOLED_MAPS = [(1, 1, 3), (1, 5, 2), (4, 6, 3), (5, 7, 2), (2, 2, 1), (3, 2, 4)]


def conv_args(shape: tuple[int, int, int], k: int) -> tuple[np.ndarray, ...]:
    return normal(shape), normal((k, k, shape[2], 4), 1), normal((4,), 2)


def on_device(xp: ModuleType, settings: dict[str, Any]) -> dict[str, Any]:
    return {k: xp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}


# Name, op, arguments, settings: one line a case.
CASES: list[tuple[str, Callable[..., Any], tuple[np.ndarray, ...], dict[str, Any]]] = [
    *((f"conv2d {k}x{k} {s}", ops.conv2d, conv_args(s, k), {}) for s in MAPS for k in (1, 3, 5)),
    *((f"conv_relu {k}x{k} {s}", ops.conv_relu, conv_args(s, k), {}) for s in MAPS for k in (1, 3)),
    ("conv_relu and conv2d of many channels", lambda x, k, b: ops.conv_relu(ops.conv2d(x, k, b), k, b),
     (normal((5, 6, 16)), normal((3, 3, 16, 16), 1), normal((16,), 2)), {}),
    *((f"relu {s}", ops.relu, (distinct(s),), {}) for s in MAPS),
    *((f"max_pool2 {s}", ops.max_pool2, (distinct(s),), {}) for s in POOLED_MAPS),
    *((f"avg_pool2 {s}", ops.avg_pool2, (normal(s),), {}) for s in POOLED_MAPS),
    *((f"l2_pool2 {s}", ops.l2_pool2, (distinct(s),), {}) for s in POOLED_MAPS),
    *((f"pad {m} {w} {s}", ops.pad, (normal(s),), {"width": w, "mode": m})
      for s in MAPS for w in (0, 1, 3) for m in ("zero", "replicate", "reflect") if m != "reflect" or min(s[:2]) > w),
    *((f"{op.__name__} {s}", op, (distinct(s),), {}) for s in MAPS
      for op in (ops.absolute_variation, ops.mean_variation, ops.summed_variation, ops.nine_point_variation)),
    *((f"gram {s}", ops.gram, (normal(s),), {}) for s in MAPS),
    *((f"moments {s}", moments, (normal(s),), {}) for s in MAPS),
    *((f"weighted moments {s}", moments, (normal(s),), {"weights": shares(s[:2])}) for s in MAPS),
    *((f"{op.__name__} {n}", op, (positive_definite(n),), {})
      for op in (ops.matrix_sqrt, ops.trace_sqrt, ops.diagonal) for n in (1, 2, 5)),
    *((f"trace_sqrt between {n}", ops.trace_sqrt, (positive_definite(n),), {"root": positive_definite(n + 3)[:n, :n]})
      for n in (1, 2, 5)),
    ("outer", ops.outer, (normal((4,)),), {}),
    ("sqrt", ops.sqrt, (normal((4, 5)) ** 2 + 0.1,), {}),
    *((f"squared_error {s}", ops.squared_error, (normal(s), normal(s, 1)), {}) for s in MAPS),
    *((f"squared_excess {s}", ops.squared_excess, (normal(s),), {"low": -0.3, "high": 0.4}) for s in MAPS),
    *((f"total_variation {e} {s}", ops.total_variation, (distinct(s),), {"exponent": e})
      for s in MAPS for e in (0.5, 1.0, 1.25, 2.0)),
    *((f"add {s}", ops.add, (normal(s), normal(s, 1)), {}) for s in MAPS),
    *((f"multiply {s}", ops.multiply, (normal(s), normal(s, 1)), {}) for s in MAPS),
    ("add, broadcast", ops.add, (normal((4, 5, 3)), normal((3,), 1)), {}),
    ("multiply, broadcast", ops.multiply, (normal((1, 5, 1)), normal((4, 1, 3), 1)), {}),
    ("multiply by a scalar", ops.multiply, (normal((4, 5)), normal((), 1)), {}),
    ("scale", ops.scale, (normal((4, 5)),), {"factor": -2.5}),
    ("matmul", ops.matmul, (normal((4, 5)), normal((5, 3), 1)), {}),
    ("x + y", operator.add, (normal((4, 5)), normal((5,), 1)), {}),
    ("x - y", operator.sub, (normal((4, 5)), normal((4, 1), 1)), {}),
    ("x * y", operator.mul, (normal((4, 5)), normal((5,), 1)), {}),
    ("x @ y", operator.matmul, (normal((4, 5)), normal((5, 3), 1)), {}),
    ("-x", operator.neg, (normal((4, 5)),), {}),
    ("numbers on both sides", lambda x: 3 - 0.5 * (2 - x * 3) * (1 + x) + (x - 4), (normal((4, 5)),), {}),
    ("reshape", ops.reshape, (normal((4, 6, 2)),), {"shape": (24, 2)}),
    *((f"{op.__name__} over {a}", op, (normal((4, 5, 3)),), {"axis": a})
      for op in (ops.reduce_sum, ops.reduce_mean) for a in (None, 0, 2, (0, 1))),
]  # fmt: skip


@pytest.mark.parametrize(("op", "args", "settings"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_adjoint_agrees_with_finite_differences(
    op: Callable[..., Any], args: tuple[np.ndarray, ...], settings: dict[str, Any], xp: ModuleType
) -> None:
    check_vjp(op, [xp.asarray(a) for a in args], **on_device(xp, settings))


@pytest.mark.parametrize(("op", "args", "settings"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_adjoint_in_float32_equals_that_in_float64(
    op: Callable[..., Any], args: tuple[np.ndarray, ...], settings: dict[str, Any], xp: ModuleType
) -> None:
    settings = on_device(xp, settings)

    def adjoints(dtype: Any) -> list[np.ndarray]:
        variables = [Var(xp.asarray(a, dtype=dtype)) for a in args]
        results = op(*variables, **settings)
        results = results if isinstance(results, tuple) else (results,)
        found: list[Any] = [0] * len(args)
        for i in range(len(results)):
            variables = [Var(xp.asarray(a, dtype=dtype)) for a in args]
            again = op(*variables, **settings)
            output = (again if isinstance(again, tuple) else (again,))[i]
            seed = xp.asarray(normal(output.shape, 5), dtype=output.value.dtype)
            grads = gradient(output, variables, cotangent=seed)
            assert all(g.dtype == dtype for g in grads), "the gradient has its argument's type"
            found = [f + to_host(g) for f, g in zip(found, grads, strict=True)]
        return found

    for single, double in zip(adjoints(np.float32), adjoints(np.float64), strict=True):
        np.testing.assert_allclose(single, double, rtol=2e-3, atol=2e-5 * max(1, np.abs(double).max(initial=0)))


# Views of an (8, 10, 6) array that are (4, 5, 4) and lie in memory in another way.
@pytest.mark.parametrize("make", [
    lambda x: x[::2, ::2, 1:5], lambda x: x[3::-1, 9:4:-1, 5:1:-1], lambda x: x[:5, :4, :4].swapaxes(0, 1),
    lambda x: x[:4, :5, :4].T.copy().T,
], ids=["strided", "turned", "transposed", "Fortran order"])  # fmt: skip
@pytest.mark.parametrize(("op", "args", "settings"), [
    (ops.conv2d, (normal((3, 3, 4, 2), 1), normal((2,), 2)), {}), (ops.relu, (), {}), (ops.max_pool2, (), {}),
    (ops.avg_pool2, (), {}), (ops.l2_pool2, (), {}), (ops.gram, (), {}), (moments, (), {}),
    (moments, (), {"weights": shares((4, 5))}),
    (ops.total_variation, (), {}), (ops.pad, (), {"width": 2, "mode": "replicate"}),
    (ops.pad, (), {"width": 3, "mode": "reflect"}), (ops.absolute_variation, (), {}),
    (ops.nine_point_variation, (), {}), (ops.reduce_mean, (), {"axis": 1}),
    (ops.squared_error, (normal((4, 5, 4), 3),), {}), (ops.multiply, (normal((4, 5, 4), 3),), {}),
], ids=lambda x: getattr(x, "__name__", ""))  # fmt: skip
def test_ops_take_any_memory_layout(
    op: Callable[..., Any],
    args: tuple[np.ndarray, ...],
    settings: dict[str, Any],
    make: Callable[[np.ndarray], np.ndarray],
    xp: ModuleType,
) -> None:
    x = make(xp.asarray(distinct((8, 10, 6))))
    args, settings = tuple(xp.asarray(a) for a in args), on_device(xp, settings)
    check_vjp(op, [x, *args], **settings)
    for view, copy in zip(
        outputs(op(x, *args, **settings)), outputs(op(x.copy(order="C"), *args, **settings)), strict=True
    ):
        np.testing.assert_allclose(view, copy, rtol=1e-13, atol=1e-12)


def outputs(result: Any) -> list[np.ndarray]:
    return [to_host(r) for r in (result if isinstance(result, tuple) else (result,))]


def test_fan_out_adds_the_gradients_of_both_losses() -> None:
    def two_losses(x: Any, kernel: Any, bias: Any) -> Any:
        f = ops.relu(ops.conv2d(x, kernel, bias))
        style = ops.squared_error(ops.gram(f), np.ones((4, 4)))
        content = ops.squared_error(f, np.ones(f.shape))
        return ops.add(ops.scale(style, factor=0.3), content)

    check_vjp(two_losses, conv_args((6, 5, 3), 3))


def test_the_same_variable_twice_in_one_op() -> None:
    x = Var(normal((3, 4)))
    (g,) = gradient(ops.reduce_sum(ops.multiply(x, x)), [x])
    np.testing.assert_allclose(g, 2 * x.value)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.sampled_from([1, 3, 5]), st.integers(0, 99))
def test_conv2d_is_the_sum_over_the_neighbourhood(height: int, width: int, cin: int, k: int, seed: int) -> None:
    x, kernel, bias = normal((height, width, cin), seed), normal((k, k, cin, 3), seed + 1), normal((3,), seed + 2)
    expected = np.tile(bias, (height, width, 1))
    for i in range(height):
        for j in range(width):
            for di in range(k):
                for dj in range(k):
                    a, b = i + di - k // 2, j + dj - k // 2
                    if 0 <= a < height and 0 <= b < width:
                        expected[i, j] += x[a, b] @ kernel[di, dj]
    np.testing.assert_allclose(ops.conv2d(x, kernel, bias), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 99))
def test_pooling_of_each_window(height: int, width: int, seed: int) -> None:
    x = normal((height, width, 2), seed)
    windows = x[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2, 2)
    np.testing.assert_array_equal(ops.max_pool2(x), windows.max(axis=(1, 3)))
    np.testing.assert_allclose(ops.avg_pool2(x), windows.mean(axis=(1, 3)), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ops.l2_pool2(x), np.sqrt((windows**2).sum(axis=(1, 3))), rtol=1e-12)


def test_max_pool_gives_the_gradient_to_the_first_of_equals() -> None:
    x = Var(np.ones((2, 2, 1)))
    (g,) = gradient(ops.reduce_sum(ops.max_pool2(x)), [x])
    np.testing.assert_array_equal(g[:, :, 0], [[1, 0], [0, 0]])


def test_total_variation_is_the_printed_formula() -> None:
    x = 255 * np.random.default_rng(3).random((7, 9, 3))
    expected = 0.0
    for i in range(6):
        for j in range(8):
            for c in range(3):
                dx, dy = x[i, j + 1, c] - x[i, j, c], x[i + 1, j, c] - x[i, j, c]
                expected += (dx**2 + dy**2) ** 1.25
    assert ops.total_variation(x) == pytest.approx(expected, rel=1e-12)


def test_total_variation_of_a_flat_picture_has_a_finite_gradient() -> None:
    for exponent in (0.5, 1.25):
        x = Var(np.full((4, 4, 3), 7.0))
        (g,) = gradient(ops.total_variation(x, exponent=exponent), [x])
        np.testing.assert_array_equal(g, 0)


def test_losses_are_summed_in_float64() -> None:
    x = np.full((512, 512, 16), 1.0001, dtype=np.float32)
    loss = ops.squared_error(x, np.zeros_like(x))
    assert loss.dtype == np.float64
    assert float(loss) == pytest.approx(x.size * float(x[0, 0, 0] ** 2), rel=1e-9)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: ops.conv2d(np.ones((4, 4, 3)), np.ones((3, 3, 2, 5)), np.ones(5)), r"\(k, k, 3, Cout\).*\(3, 3, 2, 5\)"),
    (lambda: ops.conv2d(np.ones((4, 4, 3)), np.ones((2, 2, 3, 5)), np.ones(5)), r"odd k.*\(2, 2, 3, 5\)"),
    (lambda: ops.conv2d(np.ones((4, 4, 3)), np.ones((3, 3, 3, 5)), np.ones(4)), r"bias.*\(5,\).*\(4,\)"),
    (lambda: ops.conv2d(np.ones((4, 4)), np.ones((3, 3, 3, 5)), np.ones(5)), r"\(H, W, C\).*\(4, 4\)"),
    (lambda: ops.squared_error(np.ones(3), np.ones(4)), r"\(3,\).*\(4,\)"),
    (lambda: ops.matmul(np.ones((2, 3)), np.ones((2, 3))), r"\(2, 3\) and \(2, 3\)"),
    (lambda: ops.pad(np.ones((2, 2, 1)), width=1, mode="wrap"), "'zero' or 'replicate' or 'reflect', got 'wrap'"),
    (lambda: ops.pad(np.ones((2, 5, 1)), width=2, mode="reflect"), r"more than 2 x 2, got \(2, 5, 1\)"),
    (lambda: ops.pad(np.ones((2, 5, 1)), width=-1), "0 or more, got -1"),
])  # fmt: skip
def test_wrong_shapes_are_named(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        call()
