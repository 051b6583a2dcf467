"""The checker is checked: right adjoints pass, adjoints that are a little wrong fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minstyle import check_vjp
from minstyle.engine.autodiff import differentiable
from minstyle.errors import GradientError, ShapeError

X = np.random.default_rng(0).standard_normal((6, 5))
Y = np.random.default_rng(1).standard_normal((6, 5))


def product(error_x: float = 0.0, error_y: float = 0.0, corner: float = 0.0) -> Any:
    """x * y with adjoints wrong by the given relative errors, or wrong at one entry only."""

    @differentiable
    def op(x: Any, y: Any) -> Any:
        def vjp_y(g: Any) -> Any:
            wrong = g * x * (1 + error_y)
            wrong[0, 0] *= 1 + corner
            return wrong

        return x * y, (lambda g: g * y * (1 + error_x), vjp_y)

    return op


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("errors", [{"error_x": 5e-4}, {"error_x": -5e-4}, {"error_y": 5e-4}, {"corner": 0.5}])
def test_an_adjoint_wrong_by_half_a_thousandth_fails(errors: dict[str, float], seed: int) -> None:
    with pytest.raises(GradientError, match="argument"):
        check_vjp(product(**errors), [X, Y], seed=seed)


@pytest.mark.parametrize("seed", range(20))
def test_the_right_adjoint_passes_with_room_to_spare(seed: int) -> None:
    assert check_vjp(product(), [X, Y], seed=seed) < 1e-8


def test_float32_has_its_own_tolerance() -> None:
    x, y = X.astype(np.float32), Y.astype(np.float32)
    check_vjp(product(), [x, y])
    with pytest.raises(GradientError):
        check_vjp(product(error_x=0.05), [x, y])


def test_an_adjoint_that_is_zero_fails() -> None:
    with pytest.raises(GradientError, match="finite differences give"):
        check_vjp(product(error_x=-1.0), [X, Y])


def test_an_adjoint_of_the_wrong_shape_fails() -> None:
    @differentiable
    def op(x: Any) -> Any:
        return x * 2, (lambda g: g[:1] * 2,)

    with pytest.raises(GradientError, match=r"\(6, 5\), got \(1, 5\)"):
        check_vjp(op, [X])


def test_an_op_without_an_adjoint_is_named() -> None:
    def constant(x: Any) -> Any:
        return np.ones(3)

    with pytest.raises(GradientError, match="constant is not differentiable in argument 0"):
        check_vjp(constant, [X])


@pytest.mark.parametrize("alone", [X, 1.5])
def test_an_argument_alone_is_refused_with_what_is_wanted(alone: Any) -> None:
    with pytest.raises(ShapeError, match=r"op: expected a tuple of arguments, as in check_vjp\(op, \(x,\)\), got"):
        check_vjp(product(), alone)
