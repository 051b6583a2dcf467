"""Convolution kernels against their definition: linearity, adjointness, strips."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle import kernels, ops
from minstyle.autodiff import Var, gradient
from minstyle.backend import to_host
from minstyle.kernels import direct, strips, winograd


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


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (4, 4), (5, 9), (130, 97)])
def test_winograd_at_the_borders_of_any_shape(shape: tuple[int, int]) -> None:
    x, kernel = normal((*shape, 16), 0), normal((3, 3, 16, 16), 1)
    np.testing.assert_allclose(
        kernels.convolve(x, kernel, None), direct.convolve(x, kernel, None), rtol=1e-9, atol=1e-10
    )


def test_winograd_takes_any_memory_layout() -> None:
    x, kernel, bias = normal((9, 11, 16), 0), normal((3, 3, 16, 16), 1), normal((16,), 2)
    expected = kernels.convolve(x, kernel, bias)
    for view in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x[::-1].copy()[::-1]):
        np.testing.assert_array_equal(kernels.convolve(view, np.asfortranarray(kernel), bias), expected)


def test_the_results_are_the_same_bits_on_any_number_of_threads() -> None:
    x, kernel, bias = (
        a.astype(np.float32) for a in (normal((150, 170, 64), 0), normal((3, 3, 64, 64), 1), normal((64,), 2))
    )
    results = []
    for threads in (1, 2, 3, 7):
        with kernels.use_threads(threads):
            results.append(kernels.convolve_relu(x, kernel, bias)[0].tobytes())
    assert len(set(results)) == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 600), st.integers(1, 600), st.sampled_from([16, 64, 128, 512]), st.sampled_from([16, 64, 512]))
def test_the_blocks_cover_every_tile_once(height: int, width: int, cin: int, cout: int) -> None:
    covered = np.zeros((-(-height // 4), -(-width // 4)), dtype=int)
    for top, left, rows, columns in strips.cut(height, width, cin, cout):
        covered[top : top + rows, left : left + columns] += 1
        assert rows > 0 < columns
    assert (covered == 1).all()


@pytest.mark.parametrize("shape", [(8, 8, 3, 5), (9, 7, 16, 20), (130, 97, 16, 16)])
@pytest.mark.parametrize("wrap", [kernels.Kernel, np.asarray], ids=["prepared", "plain"])
def test_convolution_with_relu_is_the_composition(shape: tuple[int, int, int, int], wrap: type) -> None:
    height, width, cin, cout = shape
    x, kernel, bias = normal((height, width, cin), 0), normal((3, 3, cin, cout), 1), normal((cout,), 2)
    fused, plain = Var(x), Var(x)
    one, two = ops.conv_relu(fused, wrap(kernel), bias), ops.relu(ops.conv2d(plain, wrap(kernel), bias))
    np.testing.assert_array_equal(one.value, two.value)
    g = normal(one.shape, 3)
    np.testing.assert_array_equal(*(gradient(y, [v], cotangent=g)[0] for y, v in ((one, fused), (two, plain))))


def test_threads_leave_nothing_behind_and_hand_on_errors() -> None:
    import threading

    from threadpoolctl import threadpool_info

    def blas() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    def fail(block: winograd.Block, work: winograd.Workspace) -> None:
        assert all(n == 1 for n in blas())
        if block.top == 3:
            raise ZeroDivisionError

    before, threads = blas(), threading.active_count()
    with kernels.use_threads(3), pytest.raises(ZeroDivisionError):
        strips.run(fail, [winograd.Block(i, 0, 1, 1) for i in range(8)])
    assert (blas(), threading.active_count()) == (before, threads)


def test_convolutions_from_several_threads_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    x, kernel = normal((40, 50, 16), 0), normal((3, 3, 16, 16), 1)
    expected = kernels.convolve(x, kernel, None)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: kernels.convolve(x, kernel, None), range(24)):
            np.testing.assert_array_equal(result, expected)
