"""engine/ops: the variations of the known programs, padding, and gradients of unit size, against PyTorch."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from minstyle.backend import CPU, Device, to_host
from minstyle.engine import ops
from minstyle.engine.autodiff import Var, gradient
from tests.support.arrays import normal
from tests.support.small import picture

SIZES = [(7, 9), (1, 6), (6, 1), (2, 2)]


def nchw(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None].requires_grad_()


def absolute(x: torch.Tensor) -> torch.Tensor:
    """The sum of both directions (neural-style-pt, tf.image.total_variation)."""
    return (x[..., 1:] - x[..., :-1]).abs().sum() + (x[..., 1:, :] - x[..., :-1, :]).abs().sum()


def squares(x: torch.Tensor) -> torch.Tensor:
    """2 (l2_loss(dx) / its size + l2_loss(dy) / its size), where l2_loss is half a sum of squares (Athalye)."""
    total = torch.zeros((), dtype=x.dtype)
    for d in (x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]):
        total = total + 2 * (d.pow(2).sum() / 2) / max(1, d.numel())
    return total


def nine_points(x: torch.Tensor) -> torch.Tensor:
    """Each pixel's eight neighbours, half of every pair, as kernels of a convolution (Crowson)."""
    x = functional.pad(x, (1, 1, 1, 1), "replicate").transpose(0, 1)  # the channels one by one

    def mean_square(kernel: list[list[float]]) -> torch.Tensor:
        return functional.conv2d(x, torch.tensor(kernel, dtype=x.dtype)[None, None]).pow(2).mean()

    right = mean_square([[0, 0, 0], [0, -1, 1], [0, 0, 0]])
    below = mean_square([[0, 0, 0], [0, -1, 0], [0, 1, 0]])
    diagonals = mean_square([[-1, 0], [0, 1]]) + mean_square([[0, -1], [1, 0]])
    return 2 * (right / 3 + below / 3 + diagonals / 12)


def halves(x: torch.Tensor) -> torch.Tensor:
    """Half of both directions' squares: ours."""
    return ((x[..., 1:] - x[..., :-1]).pow(2).sum() + (x[..., 1:, :] - x[..., :-1, :]).pow(2).sum()) / 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("op", "theirs"), [
    (ops.absolute_variation, absolute), (ops.mean_variation, squares), (ops.nine_point_variation, nine_points),
    (ops.summed_variation, halves),
])  # fmt: skip
def test_variations_and_their_gradients_are_those_of_the_programs(
    op: Any, theirs: Any, size: tuple[int, int], xp: ModuleType
) -> None:
    image = picture(*size).astype(np.float64)
    twin, x = nchw(image), Var(xp.asarray(image))
    expected, ours = theirs(twin), op(x)
    expected.backward()
    (g,) = gradient(ours, [x])
    assert ours.value.dtype == np.float64
    assert float(ours.value) == pytest.approx(float(expected.detach()), rel=1e-12)
    assert twin.grad is not None
    np.testing.assert_allclose(to_host(g), twin.grad[0].numpy().transpose(1, 2, 0), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("mode", ["zero", "replicate", "reflect"])
@pytest.mark.parametrize("width", [0, 1, 3])
def test_padding_and_its_gradient_are_pytorchs(mode: str, width: int, xp: ModuleType) -> None:
    image, g = normal((4, 7, 2)), normal((4 + 2 * width, 7 + 2 * width, 2), 1)
    twin, x = nchw(image), Var(xp.asarray(image))
    expected = functional.pad(twin, (width,) * 4, "constant" if mode == "zero" else mode)
    ours = ops.pad(x, width=width, mode=mode)
    (expected * nchw(g).detach()).sum().backward()
    (dx,) = gradient(ours, [x], cotangent=xp.asarray(g))
    assert twin.grad is not None
    np.testing.assert_array_equal(to_host(ours.value), expected.detach()[0].numpy().transpose(1, 2, 0))
    np.testing.assert_allclose(to_host(dx), twin.grad[0].numpy().transpose(1, 2, 0), rtol=1e-13)


def test_a_unit_gradient_has_its_strength_whatever_stands_before_it(xp: ModuleType) -> None:
    image, v = xp.asarray(normal((5, 6, 3))), xp.asarray(normal((5, 6, 3), 1))
    for factor in (1e-3, 1.0, 1e4):
        x = Var(image)
        y = ops.normalize_gradient(x, strength=2.5)
        xp.testing.assert_array_equal(y.value, image)
        (g,) = gradient(ops.scale(ops.reduce_sum(ops.multiply(y, v)), factor=factor), [x])
        total = factor * xp.abs(v).sum()
        xp.testing.assert_allclose(g, 2.5 * factor * v / (total + 1e-8), rtol=1e-12)
    x = Var(image)
    (g,) = gradient(ops.reduce_sum(ops.scale(ops.normalize_gradient(x), factor=0.0)), [x])
    assert not g.any()


def test_a_unit_gradient_does_not_keep_what_can_be_computed_again() -> None:
    f = ops.conv_relu(Var(normal((5, 6, 3))), normal((3, 3, 3, 32), 1), normal((32,), 2))
    assert ops.normalize_gradient(f).recompute is f.recompute


FORMS = [*(partial(ops.total_variation, exponent=e) for e in (1.25, 1.0, 0.5)), ops.absolute_variation,
         ops.mean_variation, ops.nine_point_variation, ops.summed_variation]  # fmt: skip


@pytest.mark.parametrize("size", [*SIZES, (33, 40)])
@pytest.mark.parametrize("op", FORMS, ids=range(len(FORMS)))
def test_on_a_device_one_pass_gives_value_and_gradient_the_same_each_time(
    op: Any, size: tuple[int, int], gpu: Device
) -> None:
    image = picture(*size)
    image[:, : size[1] // 2] = 7  # flat in a part
    found = []
    for device, dtype in ((CPU, np.float64), (gpu, np.float32), (gpu, np.float32)):
        x = Var(device.asarray(image, dtype))
        (g,) = gradient(ops.scale(op(x), factor=0.3), [x])
        found.append((float(op(x).value), to_host(g)))
    (value, slope), *others = found
    for other, g in others:
        assert other == pytest.approx(value, rel=1e-6)
        assert g.dtype == np.float32
        np.testing.assert_allclose(g, slope, rtol=1e-4, atol=1e-5 * max(1, abs(slope).max()))
    assert others[0][0] == others[1][0]
    np.testing.assert_array_equal(others[0][1], others[1][1])


@pytest.mark.parametrize("op", FORMS, ids=range(len(FORMS)))
def test_on_a_device_a_value_that_is_no_number_is_seen(op: Any, gpu: Device) -> None:
    image = picture(8, 9)
    image[3, 4, 1] = np.nan
    x = Var(gpu.asarray(image))
    value = op(x)
    (g,) = gradient(value, [x])
    assert np.isnan(float(value.value))
    assert np.isnan(to_host(g)).any()
