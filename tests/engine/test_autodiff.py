"""The tape: order, fan-out, what it frees and when, what it refuses."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from minstyle import build_objective
from minstyle.engine import ops
from minstyle.engine.autodiff import Var, differentiable, gradient
from minstyle.engine.ops import moments as moments_file
from minstyle.errors import AutodiffError, ShapeError
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import Term
from tests.support.small import picture


@pytest.fixture(autouse=True)
def _no_garbage_collector() -> Iterator[None]:
    """Memory has to go by reference counts alone: a cycle would keep it until the collector comes."""
    gc.disable()
    yield
    gc.enable()


def test_plain_arrays_give_plain_arrays() -> None:
    assert isinstance(ops.gram(np.ones((2, 3, 4))), np.ndarray)
    assert isinstance(ops.gram(Var(np.ones((2, 3, 4)))), Var)


def test_a_chain_deeper_than_the_recursion_limit() -> None:
    x = Var(np.array(1.0))
    y = x
    for _ in range(20_000):
        y = ops.scale(y, factor=1.0)
    (g,) = gradient(y, [x])
    assert g == 1


def test_every_consumer_is_seen_before_the_node_itself() -> None:
    # y is read early (by z) and late (by a long chain): its gradient is complete only after both.
    x = Var(np.array(3.0))
    y = ops.multiply(x, x)
    z = ops.multiply(y, x)  # x^3
    late = y
    for _ in range(10):
        late = ops.add(late, y)  # 11 x^2
    (g,) = gradient(ops.add(z, late), [x])
    assert g == pytest.approx(3 * 9 + 22 * 3)


def test_an_input_that_was_not_used_gets_zeros() -> None:
    x, unused = Var(np.ones(3)), Var(np.ones((2, 2)))
    dx, du = gradient(ops.reduce_sum(x), [x, unused])
    np.testing.assert_array_equal(dx, 1)
    np.testing.assert_array_equal(du, np.zeros((2, 2)))


def test_an_intermediate_result_can_be_asked_for() -> None:
    x = Var(np.array([1.0, 2.0]))
    y = ops.multiply(x, x)
    dx, dy = gradient(ops.reduce_sum(ops.multiply(y, y)), [x, y])
    np.testing.assert_allclose(dy, 2 * y.value)
    np.testing.assert_allclose(dx, 4 * x.value**3)


def test_a_graph_is_used_once() -> None:
    x = Var(np.ones(3))
    y = ops.reduce_sum(ops.multiply(x, x))
    gradient(y, [x])
    with pytest.raises(AutodiffError, match="has been used already"):
        gradient(y, [x])
    (g,) = gradient(ops.reduce_sum(x), [x])  # the variable itself can be used again
    np.testing.assert_array_equal(g, 1)


def test_an_array_needs_a_cotangent() -> None:
    with pytest.raises(AutodiffError, match="cotangent"):
        gradient(ops.scale(Var(np.ones(3)), factor=2), [])


@pytest.mark.parametrize("shape", [(), (3,), (3, 2)])
def test_a_cotangent_has_the_shape_of_the_output(shape: tuple[int, ...]) -> None:
    x = Var(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"cotangent: expected \(2, 3\)"):
        gradient(ops.scale(x, factor=2), [x], cotangent=np.ones(shape))


def test_a_cotangent_takes_the_type_of_the_output() -> None:
    x = Var(np.ones((2, 3), dtype=np.float32))
    (g,) = gradient(ops.scale(x, factor=2), [x], cotangent=np.ones((2, 3)))
    assert g.dtype == np.float32


def test_a_variable_in_a_constant_place_is_refused() -> None:
    @differentiable
    def op(x: Any, constant: Any) -> Any:
        return x * constant, (lambda g: g * constant,)

    with pytest.raises(AutodiffError, match="op is not differentiable in argument 1"):
        op(np.ones(2), Var(np.ones(2)))


@pytest.mark.parametrize("op", [ops.conv2d, ops.conv_relu], ids=lambda op: op.__name__)
def test_convolution_keeps_its_input_only_for_the_kernel(op: Any) -> None:
    def is_kept(kernel: Any) -> bool:
        x = Var(np.ones((8, 8, 5)))
        y = op(x, kernel, np.zeros(4))
        seen = weakref.ref(x.value)
        del x
        alive = seen() is not None
        assert y.shape == (8, 8, 4)
        return alive

    assert not is_kept(np.ones((3, 3, 5, 4)))
    assert is_kept(Var(np.ones((3, 3, 5, 4))))


@pytest.mark.parametrize("strip", [1, 300, 1 << 20])
def test_what_is_made_of_a_picture_is_computed_again_and_not_kept(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments_file, "STRIP", strip)
    generator = np.random.default_rng(0)
    x, kernel, bias = (generator.standard_normal(shape) for shape in ((17, 11, 3), (3, 3, 3, 32), (32,)))

    def loss(f: Any) -> Any:
        return ops.reduce_sum(ops.multiply(ops.gram(f), ops.gram(f)))

    picture, same = Var(x), Var(x)
    f = ops.conv_relu(picture, kernel, bias)
    seen, total = weakref.ref(f.value), ops.add(loss(f), ops.reduce_sum(f))
    del f
    assert seen() is None
    other = ops.relu(ops.conv2d(same, kernel, bias))
    (g,), (expected,) = gradient(total, [picture]), gradient(ops.add(loss(other), ops.reduce_sum(other)), [same])
    np.testing.assert_allclose(g, expected, rtol=1e-11, atol=1e-9)


def test_a_feature_map_that_no_loss_reads_is_freed_when_the_next_layer_has_read_it(
    tiny_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps: list[weakref.ref[Any]] = []
    most_alive = 0

    def watch(name: str) -> None:
        op = getattr(ops, name)

        def watched(*args: Any, **settings: Any) -> Any:
            nonlocal most_alive
            y = op(*args, **settings)
            maps.append(weakref.ref(y.value))
            most_alive = max(most_alive, sum(ref() is not None for ref in maps))
            return y

        monkeypatch.setattr(ops, name, watched)

    for name in ("add", "conv_relu", "conv_relu_pool2"):
        watch(name)
    found = tiny_network.features(Var(picture(32, 32).astype(np.float64)), ["block1_conv2", "block4_conv1"])
    alive = {id(ref()) for ref in maps if ref() is not None}
    assert alive == {id(x.value) for x in found.values()}, "only the maps asked for are left"
    assert most_alive <= len(found) + 2, "on the way: those asked for, the one read and the one made"
    assert len(maps) == 1 + 9


def test_the_backward_pass_frees_what_a_closure_keeps_before_it_goes_on() -> None:
    kept: list[weakref.ref[Any]] = []
    alive: list[list[bool]] = []

    @differentiable
    def link(x: Any) -> Any:
        ballast = np.ones(1000)
        kept.append(weakref.ref(ballast))

        def vjp(g: Any) -> Any:
            alive.append([ref() is not None for ref in kept])
            return g * ballast[0]

        return x + 0, (vjp,)

    x = Var(np.array(1.0))
    gradient(link(link(link(x))), [x])
    assert alive == [[True, True, True], [True, True, False], [True, False, False]]


def test_no_graph_outlives_its_evaluation(tiny_network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Any]] = []

    def watch(name: str) -> None:
        op = getattr(ops, name)

        def watched(x: Any, *parameters: Any, **settings: Any) -> Any:
            y = op(x, *parameters, **settings)
            made.append(weakref.ref(y.value if isinstance(y, Var) else y))
            return y

        monkeypatch.setattr(ops, name, watched)

    image = picture(32, 32).astype(np.float64)
    recipe = Recipe("r", (Term("gram_paper", "block1_conv1"), Term("content_sum", "block4_conv1")))
    objective = build_objective(image, [image], recipe, tiny_network)
    for name in ("conv_relu", "conv_relu_pool2"):
        watch(name)
    objective(image + 1)
    assert len(made) == 9
    assert not any(ref() is not None for ref in made)


def test_evaluations_do_not_share_state(tiny_network: Network) -> None:
    image = picture(36, 33).astype(np.float64)
    objective = build_objective(image, [picture(36, 33, 1)], RECIPES["document"], tiny_network)
    first, _ = objective(image + 3), objective(image - 8)
    again = objective(image + 3)
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_gradients_are_added_in_place_only_to_arrays_that_nobody_else_holds(order: tuple[int, ...]) -> None:
    # w's gradient comes from an op that hands on its own g (identity), from a Gram matrix that adds in place, and from
    # an op whose result lies in another order in memory.
    start, weights = np.random.default_rng(0).standard_normal((2, 5, 6, 3))
    padded = np.random.default_rng(1).standard_normal((7, 8, 3))

    def terms(w: Any) -> list[Any]:
        return [
            ops.reduce_sum(ops.multiply(ops.add(w, np.zeros(3)), weights)),
            ops.scale(ops.reduce_sum(ops.gram(w)), factor=1.0),
            ops.reduce_sum(ops.multiply(ops.pad(w, width=1, mode="replicate"), padded)),
        ]

    def slope(pick: Sequence[int]) -> np.ndarray:
        x = Var(start)
        found = terms(ops.scale(x, factor=1.0))
        (g,) = gradient(functools.reduce(ops.add, [found[i] for i in pick]), [x])
        return g

    np.testing.assert_allclose(slope(order), slope([0]) + slope([1]) + slope([2]), rtol=1e-12)


def test_a_gradient_that_was_asked_for_is_not_added_to() -> None:
    f = Var(np.random.default_rng(0).standard_normal((5, 6, 3)))
    same = ops.add(f, np.zeros(3))  # its adjoint hands on g itself
    total = ops.add(ops.reduce_sum(ops.multiply(same, same)), ops.scale(ops.reduce_sum(ops.gram(f)), factor=1.0))
    of_f, of_same = gradient(total, [f, same])
    np.testing.assert_allclose(of_same, 2 * f.value, rtol=1e-12)
    np.testing.assert_allclose(of_f, 2 * f.value + 2 * f.value.sum(axis=2, keepdims=True), rtol=1e-12)
