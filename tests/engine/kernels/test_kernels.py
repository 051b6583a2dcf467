"""Convolution kernels against their definition: linearity, adjointness, strips."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle.backend import to_host
from minstyle.engine import kernels, ops
from minstyle.engine.autodiff import Var, gradient
from minstyle.engine.kernels import direct
from minstyle.engine.kernels.cpu import strips, winograd


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


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([16, 17, 32]), st.sampled_from([16, 20]), st.integers(0, 99)
)
def test_winograd_is_the_convolution(height: int, width: int, cin: int, cout: int, seed: int) -> None:
    x, kernel, bias = normal((height, width, cin), seed), normal((3, 3, cin, cout), seed + 1), normal((cout,), seed + 2)
    assert kernels._suits_winograd(x, kernels.Kernel(kernel))
    expected = direct.convolve(x, kernel, bias)
    np.testing.assert_allclose(kernels.convolve(x, kernel, bias), expected, rtol=1e-9, atol=1e-10)
    single = kernels.convolve(*(a.astype(np.float32) for a in (x, kernel, bias)))
    assert np.abs(single - expected).max() < 1e-5 * np.abs(expected).max()


# Channels for blocks that take all steps at once (16 and, of other sizes, 144), and for steps one by one (176).
BOTH_WAYS = [(16, 16), (160, 144), (160, 176)]


@pytest.mark.parametrize("channels", BOTH_WAYS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (4, 4), (5, 9), (61, 97)])
def test_winograd_and_its_gradient_at_the_borders_of_any_shape(
    shape: tuple[int, int], channels: tuple[int, int]
) -> None:
    x, kernel, g = normal((*shape, channels[0]), 0), normal((3, 3, *channels), 1), normal((*shape, channels[1]), 2)
    np.testing.assert_allclose(
        kernels.convolve(x, kernel, None), direct.convolve(x, kernel, None), rtol=1e-9, atol=1e-9
    )
    expected = direct.convolve(g, kernel[::-1, ::-1].swapaxes(2, 3), None)
    np.testing.assert_allclose(kernels.input_gradient(g, kernel), expected, rtol=1e-9, atol=1e-9)


def test_a_turned_kernel_has_the_planes_of_the_inverse_points() -> None:
    np.testing.assert_allclose(winograd.G[:, ::-1], winograd.G[winograd.INVERSE], rtol=1e-15)
    kernel = normal((3, 3, 2, 3), 0)
    turned = winograd.transform_kernel(kernel[::-1, ::-1]).reshape(6, 6, 2, 3)
    expected = winograd.transform_kernel(kernel).reshape(6, 6, 2, 3)[winograd.INVERSE][:, winograd.INVERSE]
    np.testing.assert_allclose(turned, expected, rtol=1e-12, atol=1e-14)


def test_a_small_map_of_many_channels_is_cut_into_small_tiles() -> None:
    assert [strips._tiling(n, n) for n in (1, 8, 16, 32)] == [(2, (1, 1)), (2, (4, 4)), (4, (4, 4)), (4, (8, 8))]
    points = np.array(winograd.POINTS)[winograd.FEW[:-1]]
    for mine, taken in zip(winograd.cook_toom(tuple(points), outputs=2)[1], winograd.FEW, strict=True):
        np.testing.assert_array_equal(mine, winograd.G[taken])  # so its planes of a kernel are among the 36


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 5000), (70, 150)])
def test_the_first_layer_and_its_gradient_are_the_convolution(shape: tuple[int, int], k: int) -> None:
    x, kernel, bias = normal((*shape, 3), 0), normal((k, k, 3, 20), 1), normal((20,), 2)
    np.testing.assert_allclose(
        kernels.convolve(x, kernel, bias), direct.convolve(x, kernel, bias), rtol=1e-12, atol=1e-12
    )
    g = normal((*shape, 20), 3)
    expected = direct.convolve(g, kernel[::-1, ::-1].swapaxes(2, 3), None)
    np.testing.assert_allclose(kernels.input_gradient(g, kernel), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 20), st.booleans())
def test_masks_remember_what_relu_and_pooling_did(height: int, width: int, channels: int, whole: bool) -> None:
    y = np.maximum(normal((height, width, channels), height + 20 * width), 0)
    mask = kernels.BitReluMask.of(y) if whole else kernels.BitReluMask(y.shape)
    if not whole:
        mask.put(slice(0, 4), slice(0, width), y[:4] > 0)
        mask.put(slice(4, 20), slice(0, width), y[4:] > 0)
    g = normal(y.shape, 1)
    np.testing.assert_array_equal(mask.backward(g), g * (y > 0))
    np.testing.assert_array_equal(mask.get(slice(1, 3), slice(0, 2)), y[1:3, :2] > 0)


def test_winograd_takes_any_memory_layout() -> None:
    x, kernel, bias = normal((9, 11, 16), 0), normal((3, 3, 16, 16), 1), normal((16,), 2)
    expected = kernels.convolve(x, kernel, bias)
    for view in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x[::-1].copy()[::-1]):
        np.testing.assert_array_equal(kernels.convolve(view, np.asfortranarray(kernel), bias), expected)


@pytest.mark.parametrize("channels", [(3, 32), *BOTH_WAYS])
def test_the_results_are_the_same_bits_on_any_number_of_threads(channels: tuple[int, int]) -> None:
    x, kernel, bias, g = (
        a.astype(np.float32)
        for a in (normal((90, 110, channels[0]), 0), normal((3, 3, *channels), 1), normal(channels[1:], 2),
                  normal((90, 110, channels[1]), 3))
    )  # fmt: skip
    results = set()
    for count in (1, 2, 3, 7):
        with kernels.use_threads(count):
            y, mask = kernels.convolve_relu(x, kernel, bias)
            pooled, argmax = kernels.convolve_relu_pool(x, kernel, bias)
            flat = g.reshape(-1, channels[1])
            gram = kernels.gram(flat)
            found = (
                y, pooled, argmax.index, kernels.input_gradient(g, kernel, mask),
                kernels.input_gradient(pooled, kernel, argmax), gram, kernels.add_product(g, gram, g.copy()),
            )  # fmt: skip
            results.add(b"".join(a.tobytes() for a in found))
    assert len(results) == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 300))
def test_the_blocks_cover_every_tile_once(down: int, across: int, tiles: int) -> None:
    covered = np.zeros((down, across), dtype=int)
    for top, left, rows, columns in strips.cut(down, across, tiles):
        covered[top : top + rows, left : left + columns] += 1
        assert rows > 0 < columns
        assert rows * columns <= tiles
    assert (covered == 1).all()


def conv_relu_kept(*args: Any) -> Any:
    return ops.conv_relu(*args, caller_keeps=True)


FUSED = {
    ops.conv_relu: lambda *args: ops.relu(ops.conv2d(*args)),
    conv_relu_kept: lambda *args: ops.relu(ops.conv2d(*args)),
    ops.conv_relu_pool2: lambda *args: ops.max_pool2(ops.relu(ops.conv2d(*args))),
}


@pytest.mark.parametrize(
    "shape",
    [
        (8, 8, 3, 5),
        (9, 7, 16, 20),
        (2, 3, 16, 16),
        (47, 39, 16, 16),
        (19, 34, 160, 144),
        (19, 34, 160, 176),
        (7, 10, 160, 176),
        (5, 5, 9, 4),
        (6, 7, 20, 5),
    ],
)
@pytest.mark.parametrize("wrap", [kernels.Kernel, np.asarray], ids=["prepared", "plain"])
@pytest.mark.parametrize("op", FUSED, ids=lambda op: op.__name__)
def test_a_fused_convolution_is_the_composition(
    op: Callable[..., Any], shape: tuple[int, int, int, int], wrap: type
) -> None:
    height, width, cin, cout = shape
    x, kernel, bias = normal((height, width, cin), 0), normal((3, 3, cin, cout), 1), normal((cout,), 2)
    fused, plain = Var(x), Var(x)
    one, two = op(fused, wrap(kernel), bias), FUSED[op](plain, wrap(kernel), bias)
    np.testing.assert_array_equal(one.value, two.value)
    g = normal(one.shape, 3)
    np.testing.assert_array_equal(*(gradient(y, [v], cotangent=g)[0] for y, v in ((one, fused), (two, plain))))


@pytest.mark.parametrize(
    "shape",
    [(9, 7, 3, 20), (9, 7, 16, 20), (18, 31, 160, 144), (18, 31, 160, 176), (7, 10, 160, 176), (9, 7, 9, 12)],
)
def test_a_gradient_can_be_added_to_another(shape: tuple[int, int, int, int]) -> None:
    height, width, cin, cout = shape
    x, kernel = normal((height, width, cin), 0), normal((3, 3, cin, cout), 1)
    for fused in (kernels.convolve_relu, kernels.convolve_relu_pool):
        y, mask = fused(x, kernel, None)
        g, other = normal(y.shape, 3), normal(x.shape, 4)
        into = other.copy()
        assert kernels.input_gradient(g, kernel, mask, into) is into
        np.testing.assert_allclose(into, other + kernels.input_gradient(g, kernel, mask), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("op", [ops.conv_relu, ops.conv_relu_pool2])
def test_nothing_is_given_to_a_window_that_is_no_number(op: Callable[..., Any]) -> None:
    x, kernel, bias = normal((8, 8, 16), 0), normal((3, 3, 16, 16), 1), normal((16,), 2)
    x[4, 4] = np.nan
    fused, plain = Var(x), Var(x)
    one, two = op(fused, kernel, bias), FUSED[op](plain, kernel, bias)
    g = normal(one.shape, 3)
    np.testing.assert_array_equal(*(gradient(y, [v], cotangent=g)[0] for y, v in ((one, fused), (two, plain))))


def test_large_maps_of_many_channels_are_done_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    x, kernel, bias = normal((30, 45, 160), 0), normal((3, 3, 160, 176), 1), normal((176,), 2)
    expected = direct.convolve(x, kernel, bias)
    monkeypatch.setattr(strips, "_PLANE", 176 * 17)  # of 8 x 12 tiles
    monkeypatch.setattr(strips, "_LINE", 176 * 2)  # of the parts' lines of up to 12
    np.testing.assert_allclose(kernels.convolve(x, kernel, bias), expected, rtol=1e-9, atol=1e-9)


def test_a_kernel_converts_maps_to_its_own_type_whatever_was_done_before() -> None:
    x, kernel = normal((9, 7, 16), 0), kernels.Kernel(normal((3, 3, 16, 20), 1).astype(np.float32))
    expected = kernels.convolve(x.astype(np.float32), kernel, None)
    for _ in range(2):
        np.testing.assert_array_equal(kernels.convolve(x, kernel, None), expected)
        assert kernels.input_gradient(expected.astype(np.float64), kernel).dtype == np.float32


@pytest.mark.parametrize("order", ["C", "F", "swapped"])
def test_what_is_added_to_may_lie_in_memory_in_any_order(order: str) -> None:
    def laid(a: np.ndarray) -> np.ndarray:
        return a.swapaxes(0, 1).copy().swapaxes(0, 1) if order == "swapped" else a.copy(order=order)

    other = normal((9, 10, 16), 0)
    f, s, g = normal((9, 10, 20), 1), normal((20, 16), 2), normal((9, 10, 16), 3)
    into = laid(other)
    np.testing.assert_allclose(kernels.add_product(f, s, into), other + f @ s, rtol=1e-12)
    np.testing.assert_allclose(into, other + f @ s, rtol=1e-12)
    kernel, into = kernels.Kernel(normal((3, 3, 16, 16), 4)), laid(other)
    expected = other + kernels.input_gradient(g, kernel)
    np.testing.assert_allclose(kernels.input_gradient(laid(g), kernel, None, into), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(into, expected, rtol=1e-12, atol=1e-12)
    relu_mask, argmax = kernels.BitReluMask.of(other), kernels.max_pool(normal((18, 20, 16), 5))[1]
    for mask in (relu_mask, argmax):
        np.testing.assert_array_equal(
            kernels.input_gradient(laid(g), kernel, mask), kernels.input_gradient(g, kernel, mask)
        )


@pytest.mark.parametrize("rows", [1, 7, 20_000])
def test_gram_products_are_those_of_the_whole(rows: int) -> None:
    f, s = normal((rows, 1, 48), 0), normal((48, 40), 1)
    np.testing.assert_allclose(kernels.gram(f[:, 0]), f[:, 0].T @ f[:, 0], rtol=1e-11, atol=1e-11)
    into = normal((rows, 1, 40), 2)
    expected = into + f @ s
    assert kernels.add_product(f, s, into) is into
    np.testing.assert_allclose(into, expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(kernels.add_product(f, s, None), f @ s, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("channels", [1, 3, 64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_plus_its_transpose(channels: int, order: str, xp: ModuleType) -> None:
    g = normal((channels, channels), 0).copy(order=order)
    total = kernels.plus_transpose(xp.asarray(g))
    np.testing.assert_array_equal(to_host(total), g + g.T)
