"""L-BFGS through scipy: it finds minima, keeps its budget, stops when told."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import fmin_l_bfgs_b

from minstyle.errors import OptimizeError
from minstyle.optimize.scipy_lbfgs import scipy_lbfgs
from tests.support.functions import bowl, rosenbrock


def test_it_finds_the_minimum_of_rosenbrock() -> None:
    found = scipy_lbfgs(rosenbrock, np.full(10, -1.0), factr=10, pgtol=1e-10)
    np.testing.assert_allclose(found.x, 1, atol=1e-6)
    assert not found.stopped
    assert found.iterations > 10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_shape_and_type(dtype: type) -> None:
    start = np.zeros((4, 5, 3), dtype=dtype)
    found = scipy_lbfgs(bowl, start)
    assert found.x.shape == (4, 5, 3)
    assert found.x.dtype == dtype
    np.testing.assert_allclose(found.x, 2, atol=1e-3)
    np.testing.assert_array_equal(start, 0)


def test_it_is_scipys_fmin_l_bfgs_b_with_the_same_settings() -> None:
    settings: dict[str, Any] = dict(m=4, factr=1e3, pgtol=1e-6, maxfun=17)
    x, loss, info = fmin_l_bfgs_b(rosenbrock, np.full(8, -1.0), **settings)
    found = scipy_lbfgs(rosenbrock, np.full(8, -1.0), history=4, factr=1e3, pgtol=1e-6, evaluations=17)
    np.testing.assert_array_equal(found.x, x)
    assert (found.loss, found.evaluations, found.iterations) == (loss, info["funcalls"], info["nit"])


def test_the_budget_in_evaluations_is_looked_at_after_each_iteration() -> None:
    found = scipy_lbfgs(rosenbrock, np.full(30, -1.0), evaluations=20)
    assert 20 < found.evaluations <= 40


def test_the_budget_in_iterations() -> None:
    assert scipy_lbfgs(rosenbrock, np.full(30, -1.0), iterations=7).iterations == 7


def test_a_request_to_stop_ends_with_the_latest_x() -> None:
    seen: list[tuple[float, np.ndarray]] = []

    def watch(x: np.ndarray, loss: float) -> bool:
        seen.append((loss, x.copy()))
        return len(seen) == 9

    found = scipy_lbfgs(rosenbrock, np.full(10, -1.0), on_evaluation=watch)
    assert found.stopped
    assert found.evaluations == len(seen) == 9
    assert found.loss == seen[-1][0]
    np.testing.assert_array_equal(found.x, seen[-1][1])


def test_arrays_handed_out_are_not_written_into_later() -> None:
    held: list[np.ndarray] = []
    copies: list[np.ndarray] = []
    scipy_lbfgs(rosenbrock, np.full(5, -1.0), on_evaluation=lambda x, _: (held.append(x), copies.append(x.copy()))[2:])
    for x, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(x, copy)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_an_error(bad: float) -> None:
    with pytest.raises(OptimizeError, match=r"evaluation 1.*try smaller weights"):
        scipy_lbfgs(lambda x: (bad, x), np.ones(3))
    with pytest.raises(OptimizeError, match="gradient"):
        scipy_lbfgs(lambda x: (1.0, x * bad), np.ones(3))


def test_large_gradients_are_numbers_too() -> None:
    found = scipy_lbfgs(lambda x: (float(1e25 * (x * x).sum()), np.float32(2e25) * x), np.ones(3, np.float32))
    assert found.evaluations > 1


def test_a_single_number_can_be_minimised() -> None:
    found = scipy_lbfgs(lambda x: (float((x - 3) ** 2), 2 * (x - 3)), np.array(0.0))
    assert float(found.x) == pytest.approx(3)
