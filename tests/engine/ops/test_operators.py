"""The operators of Var: the ops that they stand for, on Vars, arrays and numbers; their adjoints are in test_ops.py."""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from minstyle.backend import to_host
from minstyle.engine import ops
from minstyle.engine.autodiff import Var, gradient
from minstyle.errors import AutodiffError, ShapeError
from tests.support.arrays import normal

OPERATORS: list[tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = [
    (operator.add, ops.add), (operator.mul, ops.multiply), (operator.matmul, ops.matmul),
    (operator.sub, lambda x, y: ops.add(x, ops.scale(y, factor=-1.0))),
]  # fmt: skip
every_operator = pytest.mark.parametrize(("sign", "op"), OPERATORS, ids=["+", "*", "@", "-"])


@every_operator
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sides", ["both", "left", "right"])
def test_an_operator_is_its_op_with_an_array_on_either_side(
    sign: Callable[..., Any], op: Callable[..., Any], dtype: str, sides: str, xp: ModuleType
) -> None:
    a, b = (xp.asarray(normal((4, 4), seed).astype(dtype)) for seed in (0, 1))
    found = []
    for call in (sign, op):
        x, y = Var(a), Var(b)
        result = call(a if sides == "right" else x, b if sides == "left" else y)
        assert isinstance(result, Var)
        variables = [v for v, side in ((x, "left"), (y, "right")) if sides in ("both", side)]
        found.append([result.value, *gradient(result, variables, cotangent=xp.ones((4, 4)))])
    for one, other in zip(*found, strict=True):
        assert one.dtype == dtype
        xp.testing.assert_array_equal(one, other)
    # A device rounds products of its own.
    np.testing.assert_allclose(to_host(found[0][0]), sign(to_host(a), to_host(b)), rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("number", [
    2, -0.5, True, np.float64(0.1), np.float32(0.1), np.int64(2), np.uint8(3), np.bool_(True), np.array(2.0),
    np.array(-3),
], ids=repr)  # fmt: skip
def test_numbers_stand_on_either_side_and_keep_the_type(number: Any, xp: ModuleType) -> None:
    a = xp.asarray(normal((3, 2)).astype(np.float32))
    x, c = Var(a), float(number)
    for found, expected in [
        (x + number, a + c), (number + x, c + a), (x - number, a - c), (number - x, c - a),
        (x * number, a * c), (number * x, c * a),
    ]:  # fmt: skip
        assert found.value.dtype == np.float32
        xp.testing.assert_array_equal(found.value, expected)
    (g,) = gradient(ops.reduce_sum(number - x * number), [x])
    xp.testing.assert_array_equal(g, np.full((3, 2), -np.float32(c)))


def test_minus_is_the_op_scale() -> None:
    x = Var(normal((3, 2)))
    y = -x
    np.testing.assert_array_equal(y.value, -x.value)
    (g,) = gradient(ops.reduce_sum(y), [x])
    np.testing.assert_array_equal(g, -1)


def test_scalars_of_losses_mix_with_numbers_and_numpys_scalars() -> None:
    x = Var(normal((3, 2)))
    loss = 0.5 * ops.squared_error(x, np.zeros((3, 2))) + np.float64(2) - np.float32(1)
    assert loss.shape == ()
    assert loss.value == pytest.approx(0.5 * (x.value**2).sum() + 1, rel=1e-12)


@every_operator
@pytest.mark.parametrize("other", ["2", None, [1.0, 2.0], 1j], ids=str)
def test_what_is_no_operand_is_pythons_type_error(sign: Callable[..., Any], op: Callable[..., Any], other: Any) -> None:
    for left, right in ((Var(np.ones(2)), other), (other, Var(np.ones(2)))):
        with pytest.raises(TypeError, match=r"(unsupported operand type|can only concatenate|can't multiply).*Var"):
            sign(left, right)


def test_operands_of_the_wrong_shape_are_refused() -> None:
    x = Var(np.ones((2, 3)))
    for other in (np.ones((2, 3)), 2, np.ones(3)):
        with pytest.raises(ShapeError, match=r"matmul: expected \(n, k\) and \(k, m\)"):
            x @ other
    with pytest.raises(ValueError, match=r"\(2,3\) \(4,\)"):
        x + np.ones(4)


def test_a_sum_in_place_makes_a_new_variable() -> None:
    x = y = Var(np.ones(3))
    y += 1
    assert x is not y
    np.testing.assert_array_equal(x.value, 1)
    (g,) = gradient(ops.reduce_sum(y), [x])
    np.testing.assert_array_equal(g, 1)
    with pytest.raises(AutodiffError, match="has been used already"):
        gradient(ops.reduce_sum(y), [x])
