"""Adam: step by step as PyTorch's, its average against the formula, bounds, going on, stopping."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle.backend import Array, array_module, to_host
from minstyle.engine.kernels import use_threads
from minstyle.errors import MinstyleError, OptimizeError, ShapeError
from minstyle.optimize.adam import AdamState, adam


def bowl(x: Array) -> tuple[float, Array]:
    """Minimum 0 at x = 2, its curvature from 1 to 10."""
    xp = array_module(x)
    weights = xp.linspace(1, 10, x.size).astype(x.dtype).reshape(x.shape)
    return float((weights * (x - 2) ** 2).sum()), 2 * weights * (x - 2)


def start(shape: tuple[int, ...] = (4, 5, 3), dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-5, 5, shape).astype(dtype)


def iterates(x: np.ndarray, count: int, **options: Any) -> list[np.ndarray]:
    """x0 and what each of ``count`` steps made of it, by calls of one step each."""
    found, state = [x], None
    for _ in range(count):
        step = adam(bowl, found[-1], iterations=1, state=state, **options)
        found.append(step.last)
        state = step.state
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("betas", "epsilon"), [((0.9, 0.999), 1e-8), ((0.5, 0.99), 1e-3), ((0.0, 0.0), 1e-8)])
def test_each_step_is_pytorchs(dtype: Any, betas: tuple[float, float], epsilon: float) -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor(start(dtype=dtype), requires_grad=True)
    theirs = torch.optim.Adam([x], lr=0.3, betas=betas, eps=epsilon)
    limit = 3e-5 if dtype == np.float32 else 1e-12
    seen: list[np.ndarray] = []
    adam(bowl, start(dtype=dtype), learning_rate=0.3, betas=betas, epsilon=epsilon, iterations=60,
         on_evaluation=lambda x, loss: seen.append(x.copy()))  # fmt: skip
    for ours in seen:
        np.testing.assert_allclose(ours, x.detach().numpy(), rtol=0, atol=limit)
        x.grad = torch.tensor(bowl(x.detach().numpy())[1])
        theirs.step()


def test_it_finds_a_minimum(xp: ModuleType) -> None:
    found = adam(bowl, xp.asarray(start()), learning_rate=0.1, iterations=500)
    np.testing.assert_allclose(to_host(found.x), 2, atol=1e-3)
    assert array_module(found.x) is xp
    assert (found.evaluations, found.iterations, found.stopped) == (500, 500, False)


@settings(deadline=None, max_examples=30)
@given(
    decay=st.sampled_from([0.3, 0.9, 0.99]),
    count=st.integers(1, 12),
    shape=st.sampled_from([(1,), (7,), (3, 1, 3), (4, 5, 3)]),
    bounds=st.sampled_from([None, (0.0, 1.5)]),
)
def test_the_average_is_that_of_the_formula(
    decay: float, count: int, shape: tuple[int, ...], bounds: tuple[float, float] | None
) -> None:
    options: dict[str, Any] = dict(learning_rate=0.3, bounds=bounds)
    x0 = start(shape) if bounds is None else start(shape).clip(*bounds)
    path = iterates(x0, count, **options)
    shown: list[np.ndarray] = []
    found = adam(bowl, x0, averaging=decay, iterations=count, on_evaluation=lambda x, loss: shown.append(x.copy()),
                 **options)  # fmt: skip
    for n, average in enumerate([*shown, found.x]):
        weights = decay ** np.arange(n, -1, -1.0)
        expected = np.tensordot(weights / weights.sum(), path[: n + 1], axes=1)
        np.testing.assert_allclose(average, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found.last, path[-1])
    assert found.loss == bowl(path[-2])[0]


def test_the_average_shakes_less_than_the_iterates() -> None:
    noise = np.random.default_rng(1)

    def shaken(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, g = bowl(x)
        return loss, g + 20 * noise.standard_normal(x.shape)

    found = adam(shaken, start(), learning_rate=0.2, averaging=0.99, iterations=800)
    assert np.abs(found.x - 2).mean() < 0.6 * np.abs(found.last - 2).mean()


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_bounds_hold_for_every_iterate(averaging: float, xp: ModuleType) -> None:
    seen: list[tuple[float, float]] = []

    def watched(x: Array) -> tuple[float, Array]:
        seen.append((float(x.min()), float(x.max())))
        return bowl(x)

    found = adam(watched, xp.asarray(start()), learning_rate=0.5, bounds=(-1, 1), averaging=averaging, iterations=40)
    assert min(low for low, _ in seen) >= -1
    assert max(high for _, high in seen) <= 1
    assert float(found.x.max()) <= 1
    np.testing.assert_array_equal(to_host(found.last), 1)  # the minimum, 2, is outside
    assert float(adam(bowl, xp.asarray(start()), learning_rate=0.5, iterations=40).x.max()) > 1


@settings(deadline=None, max_examples=25)
@given(
    first=st.integers(1, 9),
    second=st.integers(1, 9),
    averaging=st.sampled_from([0.0, 0.9]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_two_calls_are_one(first: int, second: int, averaging: float, dtype: Any) -> None:
    options: dict[str, Any] = dict(learning_rate=0.3, averaging=averaging, bounds=(-4, 4))
    whole = adam(bowl, start(dtype=dtype), iterations=first + second, **options)
    begun = adam(bowl, start(dtype=dtype), iterations=first, **options)
    held = {name: np.copy(a) for name, a in vars(begun.state).items() if isinstance(a, np.ndarray)}
    ended = adam(bowl, begun.last, iterations=second, state=begun.state, **options)
    np.testing.assert_array_equal(ended.last, whole.last)
    for name, array in vars(whole.state).items():
        np.testing.assert_array_equal(getattr(ended.state, name), array)
    assert ended.state.steps == first + second
    if averaging:
        np.testing.assert_array_equal(ended.x, whole.x)
    for name, array in held.items():  # the state given is not written into
        np.testing.assert_array_equal(getattr(begun.state, name), array)


def test_going_on_without_the_state_is_something_else() -> None:
    begun = adam(bowl, start(), learning_rate=0.3, iterations=5)
    whole = adam(bowl, start(), learning_rate=0.3, iterations=10)
    assert np.abs(adam(bowl, begun.last, learning_rate=0.3, iterations=5).last - whole.last).max() > 0.01


def test_the_state_at_another_size(xp: ModuleType) -> None:
    calls: list[tuple[int, int, str]] = []

    def resize(array: Array, height: int, width: int, resample: str) -> Array:
        calls.append((height, width, resample))
        grown = np.resize(to_host(array), (height, width, 3)).astype(np.float32)
        grown[0, 0] = -777  # as an overshoot does
        return grown

    state = adam(bowl, xp.asarray(start()), learning_rate=0.3, averaging=0.9, iterations=6).state
    grown = state.resized(resize, 8, 9)
    assert calls == [(8, 9, "bicubic"), (8, 9, "bilinear")]
    assert grown.first.shape == grown.second.shape == (8, 9, 3)
    assert array_module(grown.first, grown.second) is xp
    assert grown.first.dtype == grown.second.dtype == np.float64
    assert float(grown.first.min()) == -777
    assert float(grown.second.min()) >= 0
    assert (grown.steps, grown.average, grown.averaged) == (6, None, 0)

    x0 = xp.asarray(start((8, 9, 3)))
    found = adam(bowl, x0, learning_rate=0.3, averaging=0.9, iterations=1, state=grown)
    assert found.state.steps == 7
    expected = (0.9 * x0 + found.last) / 1.9  # the average begins with x0
    np.testing.assert_allclose(to_host(found.x), to_host(expected), rtol=1e-12)
    with pytest.raises(ShapeError, match=r"first of Adam's state: expected \(4, 5, 3\), got \(8, 9, 3\)"):
        adam(bowl, xp.asarray(start()), learning_rate=0.3, iterations=1, state=grown)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_a_request_to_stop_ends_before_the_step(averaging: float) -> None:
    calls = []
    options: dict[str, Any] = dict(learning_rate=0.3, averaging=averaging)
    found = adam(bowl, start(), iterations=99, on_evaluation=lambda x, loss: calls.append(loss) or len(calls) == 5,
                 **options)  # fmt: skip
    assert (found.stopped, found.evaluations, found.iterations, found.state.steps) == (True, 5, 4, 4)
    four = adam(bowl, start(), iterations=4, **options)
    np.testing.assert_array_equal(found.last, four.last)
    on = adam(bowl, found.last, iterations=3, state=found.state, **options)
    np.testing.assert_array_equal(on.last, adam(bowl, start(), iterations=7, **options).last)


def test_the_start_and_the_gradient_are_not_written_to() -> None:
    x0, g = start(), start(seed=1)
    held = x0.copy(), g.copy()
    adam(lambda x: (1.0, g), x0, learning_rate=0.3, iterations=3)
    np.testing.assert_array_equal(x0, held[0])
    np.testing.assert_array_equal(g, held[1])


@pytest.mark.parametrize("threads", [1, 3])
def test_many_bands_are_as_one_value_at_a_time(threads: int) -> None:
    shape = (300, 211, 3)
    x0, wide = start(shape, np.float32), np.float32(3)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(np.square(x - wide).sum()), 2 * (x - wide)

    with use_threads(threads):
        whole = adam(objective, x0, learning_rate=0.3, averaging=0.9, iterations=4)
    for rows in (slice(0, 1), slice(150, 152), slice(299, 300)):
        part = adam(objective, x0[rows], learning_rate=0.3, averaging=0.9, iterations=4)
        np.testing.assert_array_equal(whole.x[rows], part.x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_type_is_kept(dtype: Any) -> None:
    found = adam(bowl, start(dtype=dtype), learning_rate=0.3, averaging=0.9, iterations=2)
    arrays = [found.x, found.last, found.state.first, found.state.second, found.state.average]
    assert {a.dtype for a in arrays if a is not None} == {np.dtype(dtype)}
    other = adam(lambda x: (1.0, np.ones(x.shape)), start(dtype=dtype), learning_rate=0.3, iterations=2)
    assert other.last.dtype == dtype


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_or_gradient_that_is_no_number_is_an_error(bad: float, xp: ModuleType) -> None:
    x0 = xp.asarray(start())
    with pytest.raises(OptimizeError, match=r"evaluation 1.*try smaller weights"):
        adam(lambda x: (bad, x), x0, learning_rate=1, iterations=3)

    def one_bad(x: Array) -> tuple[float, Array]:
        g = x.copy()
        g[3, 4, 2] = bad
        return 1.0, g

    with pytest.raises(OptimizeError, match="gradient"):
        adam(one_bad, x0, learning_rate=1, iterations=3)


def test_a_gradient_whose_square_is_no_number_is_an_error() -> None:
    """Else x would stand still for ever: the step is divided by infinity."""
    with pytest.raises(OptimizeError, match="gradient"):
        adam(lambda x: (1.0, -1e20 * np.ones_like(x)), start(dtype=np.float32), learning_rate=1, iterations=3)
    adam(lambda x: (1.0, 1e20 * np.ones_like(x)), start(), learning_rate=1, iterations=3)


@pytest.mark.parametrize(("setting", "value", "expected"), [
    ("learning_rate", 0, "learning rate of Adam: expected a number above 0, got 0"),
    ("learning_rate", math.nan, "learning rate .* got nan"),
    ("betas", (0.9, 1.0), r"betas of Adam: .* got \(0.9, 1.0\)"),
    ("epsilon", 0.0, "epsilon of Adam"),
    ("averaging", 1.0, "averaging of Adam: .* got 1.0"),
    ("bounds", (255, 0), r"bounds of Adam: .* got \(255, 0\)"),
    ("iterations", 0, "iterations of Adam: .* got 0"),
])  # fmt: skip
def test_settings_out_of_range(setting: str, value: Any, expected: str) -> None:
    options: dict[str, Any] = {"learning_rate": 1.0, "iterations": 3, setting: value}
    with pytest.raises(MinstyleError, match=expected):
        adam(bowl, start(), **options)


def test_a_state_is_data() -> None:
    zeros = np.zeros((2, 2, 3))
    fresh = adam(bowl, zeros, learning_rate=0.3, iterations=3, state=AdamState(zeros, zeros, 0))
    np.testing.assert_array_equal(fresh.last, adam(bowl, zeros, learning_rate=0.3, iterations=3).last)
