"""Our L-BFGS: it finds minima, its directions are BFGS's, it goes on from its state, it keeps its budgets."""

from __future__ import annotations

import itertools
import math
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle.backend import CPU, Array, Device, to_host
from minstyle.errors import OptimizeError, ShapeError
from minstyle.optimize import lbfgs as module
from minstyle.optimize.lbfgs import Preconditioner, lbfgs
from minstyle.optimize.lbfgs_state import LbfgsState
from minstyle.optimize.minimum import Pending
from minstyle.optimize.pyramid import PYRAMID
from tests.support.functions import bowl, deconvolution, rosenbrock


def test_it_finds_the_minimum_of_rosenbrock() -> None:
    found = lbfgs(rosenbrock, np.full(10, -1.0), pgtol=1e-10, evaluations=500)
    np.testing.assert_allclose(found.x, 1, atol=1e-9)
    assert "pgtol" in found.message
    assert not found.stopped
    assert found.iterations > 10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("preconditioner", [None, PYRAMID], ids=["plain", "pyramid"])
def test_any_type_and_what_it_is_given_stays(dtype: type, preconditioner: Preconditioner | None) -> None:
    start = np.zeros((4, 5, 3), dtype=dtype)
    found = lbfgs(bowl, start, preconditioner=preconditioner, evaluations=100)
    assert (found.x.shape, found.x.dtype) == ((4, 5, 3), dtype)
    np.testing.assert_allclose(found.x, 2, atol=1e-3)
    np.testing.assert_array_equal(start, 0)


def diagonal(v: np.ndarray) -> np.ndarray:
    return np.arange(1.0, v.size + 1) / v.size


SCALED = Preconditioner(lambda v: v * diagonal(v), lambda v: float(v @ (diagonal(v) * v)))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), count=st.integers(1, 9), history=st.integers(1, 6), scaled=st.booleans())
def test_directions_are_those_of_the_dense_formula(seed: int, count: int, history: int, scaled: bool) -> None:
    """H of Nocedal and Wright's equation 7.19, as matrices, from the pairs that are kept."""
    random = np.random.default_rng(seed)
    n = 12
    root = random.standard_normal((n, n))
    hessian = root @ root.T + np.eye(n)
    x, preconditioner = random.standard_normal(n), SCALED if scaled else None
    state = LbfgsState(x, 0.0, hessian @ x, *np.zeros((2, history, n)), np.zeros((history, history)), np.zeros(history))
    pairs = []
    for _ in range(count):
        s = random.standard_normal(n)
        g = hessian @ (state.x + s)
        pairs.append((s, g - state.gradient))
        module._learn(state, s, g, preconditioner)
        state.x, state.gradient = state.x + s, g
    pairs = pairs[-history:]
    p = np.diag(diagonal(x)) if scaled else np.eye(n)
    s, y = pairs[-1]
    h = (s @ y) / (y @ p @ y) * p
    for s, y in pairs:
        v = np.eye(n) - np.outer(y, s) / (s @ y)
        h = v.T @ h @ v + np.outer(s, s) / (s @ y)
    expected = -h @ state.gradient
    actual = module._direction(state, preconditioner)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6 * abs(expected).max())


def test_the_first_step_changes_an_entry_by_so_much_on_the_mean() -> None:
    seen: list[np.ndarray] = []
    lbfgs(lambda x: (float(x.sum()), np.ones_like(x)), np.zeros((6, 7, 3)), first_step=0.5, evaluations=2,
          on_evaluation=lambda x, _: seen.append(x))  # fmt: skip
    np.testing.assert_allclose(seen[1], -0.5)


def run(ends: list[int], dtype: type = np.float32) -> tuple[list[float], np.ndarray]:
    """The losses and the last x of calls, each up to so many evaluations in all, every state through a pickle."""
    losses: list[float] = []
    state: LbfgsState | None = None
    objective, start = deconvolution(17, 22, dtype)
    for end in ends:
        left = end - len(losses)
        found = lbfgs(objective, start, history=4, preconditioner=PYRAMID, evaluations=left, state=state,
                      on_evaluation=lambda x, loss: losses.append(loss))  # fmt: skip
        state = pickle.loads(pickle.dumps(found.state))
    return losses, found.x


@settings(deadline=None, max_examples=8)
@given(cuts=st.sets(st.integers(1, 39), max_size=4))
def test_it_goes_on_from_its_state_bit_for_bit(cuts: set[int]) -> None:
    whole, split = run([40]), run([*sorted(cuts), 40])
    assert whole[0] == split[0]
    np.testing.assert_array_equal(whole[1], split[1])


def test_a_state_of_another_shape_is_an_error() -> None:
    state = lbfgs(bowl, np.zeros((4, 5, 3)), evaluations=3).state
    with pytest.raises(ShapeError, match="state of L-BFGS"):
        lbfgs(bowl, np.zeros((5, 4, 3)), state=state)


def test_the_pyramid_takes_fewer_evaluations_where_detail_bends_more() -> None:
    def needed(preconditioner: Preconditioner | None) -> int:
        objective, start = deconvolution(48, 64, np.float32)
        goal = 1e-3 * objective(start)[0]
        return lbfgs(objective, start, preconditioner=preconditioner, evaluations=300,
                     on_evaluation=lambda x, loss: loss < goal).evaluations  # fmt: skip

    assert needed(PYRAMID) < 0.6 * needed(None) < 0.6 * 300


def test_budgets_are_kept() -> None:
    assert lbfgs(rosenbrock, np.full(30, -1.0), iterations=7).iterations == 7
    found = lbfgs(rosenbrock, np.full(30, -1.0), evaluations=20)
    assert 20 <= found.evaluations <= 22


@pytest.mark.parametrize("rule", [dict(factr=1e9), dict(tolerance=1e-3)], ids=["factr", "tolerance"])
def test_it_ends_when_the_loss_falls_no_more(rule: dict[str, Any]) -> None:
    losses: list[float] = []
    found = lbfgs(lambda x: (1 + bowl(x)[0], bowl(x)[1]), np.zeros(50), evaluations=1000,
                  on_evaluation=lambda x, loss: losses.append(loss), **rule)  # fmt: skip
    assert found.message == "the loss no longer falls"
    assert found.evaluations < 100
    assert found.loss == pytest.approx(1, rel=1e-3)
    assert losses[-12] > losses[-1] * (1 + rule.get("tolerance", 0)), "it did not end early"


def test_noise_in_the_last_digits_does_not_end_it() -> None:
    """In float32 a loss near its minimum goes up and down; steps are taken all the same until all is noise."""
    objective, start = deconvolution(24, 24, np.float32)
    random = np.random.default_rng(0)

    def noisy(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, g = objective(x)
        return (loss + 1) * (1 + 3e-7 * random.standard_normal()), g

    found = lbfgs(noisy, start, preconditioner=PYRAMID, evaluations=200)
    assert found.evaluations > 50
    assert found.loss < 1.00001


def test_float64_is_used_to_its_last_digits() -> None:
    curvatures = np.geomspace(0.1, 100, 30)

    def valley(x: np.ndarray) -> tuple[float, np.ndarray]:
        return 1 + 0.5 * float(curvatures @ x**2), curvatures * x

    found = lbfgs(valley, np.ones(30), evaluations=1000)
    assert found.loss - 1 < 1e-12


def test_a_gradient_that_lies_ends_it_with_the_best_x() -> None:
    def lying(x: np.ndarray) -> tuple[float, np.ndarray]:
        return bowl(x)[0], -bowl(x)[1]

    found = lbfgs(lying, np.zeros(5))
    assert found.message == "no step lowers the loss"
    np.testing.assert_array_equal(found.x, 0)


def test_after_a_bad_direction_it_begins_anew() -> None:
    """The history is of a valley that is gone: the step up is refused, that of steepest descent is taken."""
    first = lbfgs(bowl, np.zeros(6), evaluations=4)
    state = first.state
    assert state is not None
    state.steps *= -1  # now s.y < 0 in truth
    state.slopes = np.full_like(state.slopes, 1e6)
    before = state.loss
    found = lbfgs(bowl, np.zeros(6), state=state, evaluations=30)
    assert found.loss < before


def test_a_pair_that_bends_the_wrong_way_is_not_learned() -> None:
    state = lbfgs(lambda x: (float(-(x * x).sum()), -2 * x), np.ones(4), evaluations=3).state
    assert state is not None
    assert state.order == []


def test_a_request_to_stop_ends_with_the_latest_x() -> None:
    seen: list[tuple[float, np.ndarray]] = []

    def watch(x: np.ndarray, loss: float) -> bool:
        seen.append((loss, x.copy()))
        return len(seen) == 9

    found = lbfgs(rosenbrock, np.full(10, -1.0), on_evaluation=watch)
    assert found.stopped
    assert found.evaluations == len(seen) == 9
    assert found.loss == seen[-1][0]
    np.testing.assert_array_equal(found.x, seen[-1][1])


def test_arrays_handed_out_are_not_written_into_later() -> None:
    held: list[np.ndarray] = []
    copies: list[np.ndarray] = []

    def keep(x: np.ndarray, loss: float) -> None:
        held.append(x)
        copies.append(x.copy())

    lbfgs(rosenbrock, np.full(5, -1.0), evaluations=40, on_evaluation=keep)
    for x, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(x, copy)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_an_error(bad: float) -> None:
    with pytest.raises(OptimizeError, match=r"evaluation 1.*try smaller weights"):
        lbfgs(lambda x: (bad, x), np.ones(3))
    with pytest.raises(OptimizeError, match="gradient"):
        lbfgs(lambda x: (1.0, x * bad), np.ones(3))


def test_large_gradients_are_numbers_too() -> None:
    found = lbfgs(lambda x: (float(1e15 * (x * x).sum()), np.float32(2e15) * x), np.ones(3, np.float32), evaluations=9)
    assert found.loss < 1e9


def test_a_single_number_can_be_minimised() -> None:
    assert float(lbfgs(lambda x: (float((x - 3) ** 2), 2 * (x - 3)), np.array(0.0)).x) == pytest.approx(3)


def test_memory_a_pixel() -> None:
    """2 m + 4 arrays like the image, float32: 288 bytes a pixel with m = 10, and what a band takes."""
    height, width = 256, 384
    start = np.zeros((height, width, 3), np.float32)
    gradients = itertools.cycle([np.empty_like(start), np.empty_like(start), np.empty_like(start)])

    def objective(x: Array) -> tuple[float, Array]:
        g = np.subtract(x, 1, out=next(gradients))
        return 0.5 * float(np.vdot(g, g)), g

    tracemalloc.start()
    try:
        lbfgs(objective, start, history=10, preconditioner=PYRAMID, evaluations=15)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / (height * width) < 290


@pytest.mark.parametrize("preconditioner", [None, PYRAMID], ids=["plain", "pyramid"])
@pytest.mark.parametrize("weight", [1e-30, 1e-39, 1e-44])
def test_a_loss_so_small_that_its_squares_are_zero_ends_the_run(
    preconditioner: Preconditioner | None, weight: float
) -> None:
    def tiny(x: Array) -> tuple[float, Array]:
        loss, g = bowl(x)
        return weight * loss, (weight * g.astype(np.float64)).astype(np.float32)

    found = lbfgs(tiny, np.zeros((4, 5, 3), np.float32), preconditioner=preconditioner, evaluations=30)
    assert np.isfinite(found.x).all()
    assert 0 <= found.loss <= weight * bowl(np.zeros((4, 5, 3)))[0]
    assert found.message


def test_on_a_device_it_goes_as_on_the_host_and_learns_before_it_is_told(gpu: Device) -> None:
    """Steps that are too long too: the bowl is steeper than it seems at first, so that the search shortens some."""
    start, found, tried = np.linspace(-3, 3, 60).reshape(4, 5, 3), [], []
    for device in (CPU, gpu):
        shift = device.asarray(np.arange(60.0).reshape(4, 5, 3) / 60)

        def steep(x: Any, shift: Any = shift, xp: Any = device.xp) -> Pending:
            d = x - shift
            told = xp.stack([(d**4).sum(), abs(4 * d**3).max()]).astype(np.float64)
            return Pending(4 * d**3, told, lambda numbers: tried[-1].append(float(numbers[0])))

        tried.append([])
        found.append(lbfgs(steep, device.asarray(start), history=3, preconditioner=PYRAMID, evaluations=14))
    np.testing.assert_allclose(to_host(found[1].x), found[0].x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(tried[1], tried[0], rtol=1e-7)
    assert found[0].iterations + 1 < found[0].evaluations == len(tried[0]), "some were too long"
    assert found[1].state.slopes == pytest.approx(found[0].state.slopes, rel=1e-6)


def test_where_a_device_tells_that_the_loss_rises_the_state_is_as_it_was(gpu: Device) -> None:
    """As when a preconditioner is none: the evaluation that was begun before is lost."""
    uphill = Preconditioner(lambda v: -v, lambda v: -(v * v).sum())
    found = lbfgs(lambda x: ((x * x).sum(), 2 * x), gpu.asarray(np.ones((2, 2, 3))), preconditioner=uphill)
    assert found.message == "no step lowers the loss"
    assert (found.evaluations, found.iterations) == (2, 0)
    np.testing.assert_array_equal(to_host(found.x), 1)
