"""engine/kernels/gpu: each kernel beside ``direct`` in float64, over odd sizes; on a card, or by the double."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from minstyle.backend import PRECISIONS, Device, to_host
from minstyle.engine import kernels, ops
from minstyle.engine.kernels import direct
from minstyle.engine.kernels.cpu.masks import NONE, MapReluMask
from minstyle.engine.kernels.gpu import compiled, convolution, grams
from minstyle.engine.kernels.gpu.convolution import Packed, shared_memory
from minstyle.engine.kernels.gpu.half import to_half
from minstyle.engine.kernels.gpu.matrices import matmul
from minstyle.errors import DeviceError, ShapeError
from tests.support import cupy_double, devices
from tests.support.arrays import normal
from tests.support.cupy_double.raw_kernels import RawModule

# Height, width, channels in and out: a patch of 8 x 16 pixels, less, more; channels that fill no tile, or several.
SHAPES = [(8, 16, 32, 64), (5, 3, 36, 72), (9, 17, 64, 136), (1, 1, 4, 8), (17, 33, 4, 64)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
# The double does not round factors to TF32, but multiplies such of 16 bits.
every_precision = pytest.mark.parametrize("precision", PRECISIONS if devices.REAL else ["fp32", "fp16"])
# Of the largest entry: TF32 and half precision have 10 bits of mantissa, bfloat16, back, has 7.
TOLERANCE = {"fp32": 3e-6, "tf32": 3e-3, "fp16": 3e-3, "bf16": 2e-2}
BACK = {"fp16": "bf16"}


def close(found: Any, expected: np.ndarray, precision: str = "fp32") -> None:
    assert found.dtype == np.float32
    np.testing.assert_allclose(to_host(found), expected, atol=TOLERANCE[precision] * max(1, abs(expected).max()))


def float32(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return normal(shape, seed).astype(np.float32)


def by_definition(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    return np.asarray(direct.convolve(x.astype(float), kernel.astype(float), bias))


@every_precision
@every_shape
def test_convolution_with_relu_and_pooling(shape: tuple[int, ...], precision: str, gpu: Device) -> None:
    height, width, cin, cout = shape
    x, k, bias = float32((height, width, cin), 0), float32((3, 3, cin, cout), 1), float32((cout,), 2)
    there = [gpu.asarray(a) for a in (x, k, bias)]
    expected = by_definition(x, k, bias)
    with kernels.use_precision(precision):
        close(kernels.convolve(*there), expected, precision)
        y, mask = kernels.convolve_relu(*there)
        pooled, argmax = kernels.convolve_relu_pool(*there)
    close(y, np.maximum(expected, 0), precision)
    g = float32(y.shape, 3)
    np.testing.assert_array_equal(to_host(mask.backward(gpu.asarray(g))), g * (to_host(y) > 0))
    with kernels.use_precision(precision):
        whole = to_host(kernels.convolve_relu(*there, caller_keeps=True)[0])
    largest, taken = kernels.max_pool(whole)
    np.testing.assert_array_equal(to_host(pooled), largest)
    index = to_host(argmax.index)
    np.testing.assert_array_equal(index == NONE, largest <= 0)
    if precision == "fp32":  # of values that are equal once they are rounded, any may be taken
        np.testing.assert_array_equal(index, np.where(largest > 0, taken.index, NONE))
    corners = np.stack(kernels.window_corners(whole))
    found = np.take_along_axis(corners, np.minimum(index, 3)[None].astype(int), axis=0)[0]
    np.testing.assert_array_equal(found[largest > 0], largest[largest > 0])


@every_precision
@every_shape
def test_gradient_through_each_mask_and_into_an_array(shape: tuple[int, ...], precision: str, gpu: Device) -> None:
    height, width, cin, cout = shape
    k, y = float32((3, 3, cin, cout), 1), float32((height, width, cout), 2)
    turned, into = k[::-1, ::-1].swapaxes(2, 3), float32((height, width, cin), 4)
    pooled, argmax = kernels.max_pool(gpu.asarray(np.maximum(y, 0)))
    g_of_map, g_of_pooled = float32(y.shape, 3), float32(pooled.shape, 5)
    cases = [
        (None, g_of_map, g_of_map),
        (MapReluMask(gpu.asarray(y)), g_of_map, g_of_map * (y > 0)),
        (argmax, g_of_pooled, to_host(argmax.backward(gpu.asarray(g_of_pooled)))),
    ]
    for mask, g, unmasked in cases:
        expected = by_definition(unmasked, turned)
        with kernels.use_precision(precision):
            found = kernels.input_gradient(gpu.asarray(g), gpu.asarray(k), mask)
            close(found, expected, BACK.get(precision, precision))
            there = gpu.asarray(into)
            assert kernels.input_gradient(gpu.asarray(g), gpu.asarray(k), mask, there) is there
        close(there, into + expected, BACK.get(precision, precision))


@pytest.mark.parametrize("last", [16, 12, 10], ids="{} channels".format)
def test_maps_in_half_precision_between_convolutions(last: int, gpu: Device) -> None:
    """Of 2e4, as VGG's are, and 1e-2; and where the one that reads them takes none, of 10 channels."""
    shapes = [(3, 3, 3, 8), (3, 3, 8, 24), (3, 3, 24, last)]
    x, ks = 50 * float32((18, 22, 3), 0), [float32(shape, 1) for shape in shapes]
    x[:9] *= 1e-6
    ks[1] *= 20
    there = [gpu.asarray(k) for k in ks]
    bias = [gpu.asarray(np.zeros(shape[3], np.float32)) for shape in shapes]
    expected = x
    for k in ks[:2]:
        expected = np.maximum(by_definition(expected, k), 0)
    assert expected.max() > 2e4
    largest = to_host(kernels.max_pool(gpu.asarray(expected.astype(np.float32)))[0])
    expected = np.maximum(by_definition(largest, ks[2]), 0)
    with kernels.use_precision("fp16"):
        first, _ = kernels.convolve_relu(gpu.asarray(x), there[0], bias[0], half=True)
        pooled, _ = kernels.convolve_relu_pool(first, there[1], bias[1], half=True)
        assert first.dtype == pooled.dtype == np.uint16
        found, _ = kernels.convolve_relu(pooled, there[2], bias[2])
        valid, _ = kernels.convolve_relu(gpu.asarray(x), there[0], bias[0], valid=True, half=True)
    close(found, expected, "fp16")
    np.testing.assert_array_equal(to_host(valid), to_host(first)[1:-1, 1:-1])
    small = (slice(0, 3), slice(None))
    np.testing.assert_allclose(to_host(found)[small], expected[small], rtol=0, atol=1e-2 * expected[small].max())


def test_beyond_half_precision_a_map_is_infinite_and_is_seen(gpu: Device) -> None:
    x, k = np.full((4, 4, 8), 1e5, np.float32), np.full((3, 3, 8, 8), 10, np.float32)
    zeros = gpu.asarray(np.zeros(8, np.float32))
    with kernels.use_precision("fp16"):
        y, _ = kernels.convolve_relu(gpu.asarray(x), gpu.asarray(k), zeros, half=True)
        found, _ = kernels.convolve_relu(y, gpu.asarray(k), zeros)
    assert not np.isfinite(to_host(found)).any()


@pytest.mark.parametrize("valid", [False, True], ids=["same", "valid"])
@pytest.mark.parametrize("shape", [(9, 11, 64), (4, 70, 16), (3, 3, 8), (12, 40, 72)], ids=str)
def test_first_layer(shape: tuple[int, int, int], valid: bool, gpu: Device) -> None:
    height, width, cout = shape
    x, k, bias = float32((height, width, 3), 0), float32((3, 3, 3, cout), 1), float32((cout,), 2)
    there = [gpu.asarray(a) for a in (x, k, bias)]
    inside = (slice(1, -1), slice(1, -1)) if valid else ()
    expected = by_definition(x, k, bias)[inside]
    close(kernels.convolve(*there, valid=valid), expected)
    y, mask = kernels.convolve_relu(*there, valid=valid)
    close(y, np.maximum(expected, 0))
    g, into = float32(expected.shape, 3), float32(x.shape, 4)
    masked = np.pad(g * (to_host(y) > 0), [(1, 1), (1, 1), (0, 0)] if valid else [(0, 0)] * 3)
    expected = by_definition(masked, k[::-1, ::-1].swapaxes(2, 3))
    close(kernels.input_gradient(gpu.asarray(g), there[1], mask, valid=valid), expected)
    close(kernels.input_gradient(gpu.asarray(g), there[1], mask, gpu.asarray(into), valid), into + expected)


@every_precision
@pytest.mark.parametrize("rows", [1, 31, 700])
@pytest.mark.parametrize("channels", [4, 64, 136])
def test_gram_matrix_is_the_same_each_time(rows: int, channels: int, precision: str, gpu: Device) -> None:
    f, weights = float32((rows, channels), 0), np.abs(float32((rows,), 1))
    for w in (None, weights):
        there = [gpu.asarray(f), None if w is None else gpu.asarray(w)]
        with kernels.use_precision(precision):
            first, again = kernels.gram(*there), kernels.gram(*there)
        np.testing.assert_array_equal(to_host(first), to_host(again))
        np.testing.assert_array_equal(to_host(first), to_host(first).T)
        close(first, (f.astype(float) * (1 if w is None else w[:, None])).T @ f, precision)


def test_a_block_adds_up_no_more_rows_than_float32_bears(gpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    grids: list[Any] = []

    def watched(kernel: Any, grid: Any, *arguments: Any) -> None:
        grids.append(grid)
        compiled.launch(kernel, grid, *arguments)

    monkeypatch.setattr(grams, "launch", watched)
    monkeypatch.setattr(grams, "_MOST_ROWS", 40)
    f = float32((700, 8), 0)
    close(kernels.gram(gpu.asarray(f)), f.astype(float).T @ f)
    assert grids[0] == (1, 18)
    monkeypatch.setattr(grams, "_MOST_PARTS", 5)
    close(kernels.gram(gpu.asarray(f)), f.astype(float).T @ f)
    assert grids[2] == (1, 5), "as many blocks as a grid may have"


def test_what_no_kernel_of_ours_made_is_rounded_before_matrix_units_cut_it_off(gpu: Device) -> None:
    """Maps after average and L2 pooling, a factor, ReLU by itself; gradients without a mask."""
    x, k = float32((6, 8, 8), 0), float32((3, 3, 8, 8), 1)
    there, turned = gpu.asarray(x), k[::-1, ::-1].swapaxes(2, 3)
    for op in (ops.avg_pool2, ops.l2_pool2, partial(ops.scale, factor=0.78), ops.relu):
        exact = op(x)
        with kernels.use_precision("fp32"):
            np.testing.assert_allclose(to_host(op(there)), exact, rtol=1e-6)
        with kernels.use_precision("tf32"):
            bits = to_host(op(there)).view(np.uint32)
        assert not (bits & 0x1FFF).any()
        error = bits.view(np.float32) - exact
        assert abs(error).max() > 0
        assert (abs(error) <= 2.0**-11 * abs(exact) * (1 + 1e-3)).all(), "to the nearest"
    with kernels.use_precision("tf32"):
        found = to_host(kernels.input_gradient(there, gpu.asarray(k), None))
        of_rounded = to_host(kernels.input_gradient(kernels.rounded(there), gpu.asarray(k), None))
    np.testing.assert_array_equal(found, of_rounded)
    close(found, by_definition(x, turned), "tf32")
    assert kernels.rounded(x) is x


@every_shape
def test_product_at_every_pixel(shape: tuple[int, ...], gpu: Device) -> None:
    height, width, cin, cout = shape
    f, matrix = float32((height, width, cin), 0), float32((cin, cout), 1)
    weights, into = np.abs(float32((height, width), 2)), float32((height, width, cout), 3)
    expected = f.astype(float) @ matrix
    close(kernels.add_product(gpu.asarray(f), gpu.asarray(matrix), None), expected)
    found = kernels.add_product(*map(gpu.asarray, (f, matrix, into, weights)))
    close(found, into + expected * weights[:, :, None])


@pytest.mark.parametrize("shape", [(1, 1, 1), (33, 5, 70), (64, 40, 31)], ids=str)
def test_products_of_small_matrices_in_float64(shape: tuple[int, int, int], gpu: Device) -> None:
    """As the square roots of matrices need them: times a number, and another matrix, times one, added."""
    n, k, m = shape
    a, b, c = normal((n, k), 0), normal((k, m), 1), normal((n, m), 2)
    found = matmul(gpu.asarray(np.ascontiguousarray(a.T)).T, gpu.asarray(b), 0.5, gpu.asarray(c), -2.0)
    assert found.dtype == np.float64
    np.testing.assert_allclose(to_host(found), 0.5 * (a @ b) - 2 * c, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(to_host(matmul(gpu.asarray(a), gpu.asarray(b))), a @ b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1), (33, 5, 70), (64, 40, 31)], ids=str)
def test_products_of_small_matrices(shape: tuple[int, int, int], gpu: Device) -> None:
    """Of transposes and of parts too, and with a vector."""
    n, k, m = shape
    a, b = float32((n, k), 0), float32((k, m), 1)
    expected = a.astype(float) @ b
    for left in (gpu.asarray(a), gpu.asarray(np.ascontiguousarray(a.T)).T, gpu.asarray(np.repeat(a, 2, 1))[:, ::2]):
        for right in (gpu.asarray(b), gpu.asarray(np.ascontiguousarray(b.T)).T):
            close(kernels.matmul(left, right), expected)
    found = kernels.matmul(gpu.asarray(a), gpu.asarray(b)[:, 0])
    assert found.shape == (n,)
    close(found, expected[:, 0])


@pytest.mark.parametrize(("rows", "channels"), [(1, 1), (63, 33), (700, 136)])
def test_weighted_sum_of_rows(rows: int, channels: int, gpu: Device) -> None:
    f, weights = float32((rows, channels), 0), np.abs(float32((rows,), 1))
    there = gpu.asarray(f), gpu.asarray(weights)
    found = kernels.weighted_sum(*there)
    np.testing.assert_allclose(to_host(found), weights.astype(float) @ f, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(to_host(found), to_host(kernels.weighted_sum(*there)))


@pytest.mark.parametrize("shape", [(7, 10, 3), (2, 2, 3), (16, 5, 4)], ids=str)
def test_half_sizes_and_inner_products(shape: tuple[int, int, int], gpu: Device) -> None:
    v, other = float32(shape, 0), float32(shape, 1)
    small = kernels.shrunk(v)
    close(kernels.shrunk(gpu.asarray(v)), small)
    there = gpu.asarray(other)
    kernels.add_enlarged(gpu.asarray(small), there, 1.6)
    kernels.add_enlarged(small, other, 1.6)
    close(there, other)
    found = float(kernels.shrunk_norm(gpu.asarray(v), 1.6, 5)[0])
    assert found == pytest.approx(kernels.shrunk_norm(v, 1.6, 5), rel=1e-5)
    pairs = [(v, other), (v, v), (other, other)]
    (on_device,) = kernels.fetched(kernels.dots(*[(gpu.asarray(a), gpu.asarray(b)) for a, b in pairs]))
    assert on_device.tolist() == pytest.approx(
        [float(np.sum(a.astype(float) * b)) for a, b in pairs], rel=1e-6, abs=1e-6
    )


def test_an_array_that_is_not_contiguous(gpu: Device) -> None:
    x, k = float32((6, 8, 8), 0), float32((3, 3, 8, 8), 1)
    seen = gpu.asarray(x).swapaxes(0, 1)
    close(kernels.convolve(seen, gpu.asarray(k), None), by_definition(x.swapaxes(0, 1), k))
    into = gpu.asarray(np.zeros((8, 6, 8), np.float32)).swapaxes(0, 1)
    kernels.input_gradient(gpu.asarray(x), gpu.asarray(k), None, into)
    close(into, by_definition(x, k[::-1, ::-1].swapaxes(2, 3)))


def test_what_a_kernel_would_read_beyond_is_refused(gpu: Device) -> None:
    x, k, first = (gpu.asarray(float32(shape, 0)) for shape in ((6, 8, 8), (3, 3, 8, 8), (3, 3, 3, 8)))
    short, wide = gpu.asarray(float32((4,), 1)), gpu.asarray(normal((8,), 1))
    wrong = gpu.asarray(float32((6, 7, 8), 1))
    for call in (
        lambda: kernels.convolve(x, k, short),
        lambda: kernels.convolve(x, k, wide),
        lambda: kernels.convolve(x[:, :, :4], k, None),
        lambda: kernels.convolve_relu(x[:, :, :3], first, short),
        lambda: kernels.input_gradient(x, k, None, wrong),
        lambda: kernels.input_gradient(x, k, None, gpu.asarray(normal((6, 8, 8), 1))),
        lambda: kernels.input_gradient(x, first, None, wrong),
        lambda: kernels.input_gradient(wrong, k, MapReluMask(x)),
        lambda: kernels.add_product(x, k[0, 0], None, wrong[:, :, 0]),
        lambda: kernels.gram(x.reshape(-1, 8), short),
        lambda: kernels.add_enlarged(short.reshape(2, 2, 1), x, 1.0),
        lambda: kernels.dots((x, wrong)),
        lambda: kernels.matmul(x[0], wrong[:, 0]),
        lambda: matmul(x[0], x[0].T, 1.0, wrong[0]),
        lambda: matmul(x[0], gpu.asarray(normal((8, 8), 1))),
        lambda: kernels.weighted_sum(x[0], short),
    ):
        with pytest.raises(ShapeError, match="of a kernel on a GPU: expected"):
            call()


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(DeviceError, match="'half'"), kernels.use_precision("half"):
        pass


def test_a_card_without_16_bits_refuses_them(gpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, refuses in ((75, True), (80, False)):
        monkeypatch.setattr(compiled, "_capability", lambda device, capability=capability: capability)
        for precision in (None, *PRECISIONS):
            wanted = refuses and precision == "fp16"
            with pytest.raises(DeviceError, match=r"got 7\.5; try") if wanted else contextlib.nullcontext():
                kernels.check_precision(precision)


@pytest.fixture
def double() -> Iterator[Any]:
    """CuPy's double, also where a card answers."""
    with cupy_double.installed() as cupy:
        yield cupy


@pytest.mark.parametrize("tile", [(64, 1), (64, 2), (128, 1)], ids=str)
@pytest.mark.parametrize(("name", "narrow"), [("convolve", 0), ("product", 0), ("convolve", 1)])
def test_hoppers_ring_on_the_processor(name: str, narrow: int, tile: tuple[int, int], double: Any) -> None:
    """Copies by a warp of their own and barriers in memory, which the double's own device does not have."""
    (n, up), taps = tile, 9 if name == "convolve" else 1
    code = compiled.sources_in_one("convolution.cu")
    module = RawModule(code=code, options=("-std=c++17", "-DRUNS=1", f"-DNARROW={narrow}"))
    height, width, cin, cout = 19, 21, 104, 72
    side = 3 if taps == 9 else 1
    x, k = float32((height, width, cin), 0), float32((side, side, cin, cout), 1)
    packed = Packed(double.asarray(k), False, lasting=True).tiles(n, False, compiled.Narrow(narrow))
    y, none, number = double.empty((height, width, cout), dtype=np.float32), np.uint64(0), np.int32
    kernel, shared = module.get_function(f"{name}_{n}_{up}"), shared_memory(tile, taps)
    kernel.max_dynamic_shared_size_bytes = shared
    blocks = -(-cout // n) * -(-height // (8 * up)) * -(-width // 16)
    given = to_half(double.asarray(x)) if narrow else double.asarray(x)
    arguments = [given, packed, none, none, y, none, none, none]
    kernel((blocks,), (288,), (*arguments, *map(number, (height, width, cin, cout, 0, 0))), shared_mem=shared)
    close(y, by_definition(x, k), "fp16" if narrow else "fp32")


def test_two_blocks_find_room_on_a_multiprocessor_of_hopper() -> None:
    """228 KB, of which CUDA takes 1 for each block."""
    for tile, taps in (((64, 1), 1), ((64, 1), 9), ((64, 2), 9), ((128, 1), 1), ((128, 1), 9)):
        assert 2 * (shared_memory(tile, taps) + 1024) <= 228 << 10, (tile, taps)


def test_a_value_that_is_no_number_stays_none(gpu: Device) -> None:
    x, bias = float32((8, 16, 4), 0), gpu.asarray(np.zeros(64, np.float32))
    x[3, 5, 1] = np.nan
    k, first = (gpu.asarray(float32((3, 3, cin, 64), 1)) for cin in (4, 3))
    for found, count in (
        (kernels.convolve_relu(gpu.asarray(x), k, bias)[0], 9 * 64),
        (kernels.convolve_relu_pool(gpu.asarray(x), k, bias)[0], 4 * 64),
        (kernels.convolve_relu(gpu.asarray(x[:, :, :3]), first, bias)[0], 9 * 64),
    ):
        assert np.isnan(to_host(found)).sum() == count


@pytest.mark.parametrize("kilobytes", [48, 64, 99])
def test_a_card_with_little_shared_memory_has_a_ring_of_two_stages(
    kilobytes: int, gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 KB as of cards of 2018, 99 as of many since 2020; with less than the tiles need it goes the plain way."""
    started: list[tuple[str, int]] = []

    def watched(kernel: Any, grid: Any, threads: int, arguments: Any, shared: int = 0) -> None:
        started.append((getattr(kernel, "name", ""), shared))
        compiled.launch(kernel, grid, threads, arguments, shared)

    monkeypatch.setattr(convolution, "launch", watched)
    monkeypatch.setattr(convolution, "most_shared", lambda: kilobytes << 10)
    x, k, bias = float32((9, 17, 68), 0), float32((3, 3, 68, 72), 1), float32((72,), 2)
    g = float32((9, 17, 72), 3)
    there = [gpu.asarray(a) for a in (x, k, bias)]
    expected = np.maximum(by_definition(x, k, bias), 0)
    close(kernels.convolve_relu(*there)[0], expected)
    close(kernels.convolve_relu_pool(*there)[0], kernels.max_pool(expected)[0])
    close(kernels.input_gradient(gpu.asarray(g), there[1]), by_definition(g, k[::-1, ::-1].swapaxes(2, 3)))
    close(kernels.add_product(there[0], there[1][0, 0], None), x.astype(float) @ k[0, 0])
    assert all(shared <= kilobytes << 10 for _, shared in started)
    assert {shared_memory((64, 1), 9, True), shared_memory((128, 1), 9, True)} & {shared for _, shared in started} == {
        48: set(), 64: {shared_memory((64, 1), 9, True)}, 99: {shared_memory((128, 1), 9, True)}
    }[kilobytes]  # fmt: skip
