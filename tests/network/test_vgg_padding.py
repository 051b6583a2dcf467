"""network/vgg.py: how the first convolution continues the picture, and features before ReLU, against PyTorch."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from minstyle.backend import CPU, Device, to_host
from minstyle.engine import kernels, ops
from minstyle.engine.autodiff import Var, gradient
from minstyle.engine.gradcheck import check_vjp
from minstyle.errors import LayerError, ShapeError
from minstyle.network.layers import canonical
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from tests.support.arrays import normal
from tests.support.small import picture, random_weights

LAYERS = ["block1_conv1", "block1_conv2_linear", "block2_conv1_linear", "block2_conv1", "block3_conv1"]


@pytest.fixture(scope="module")
def weights() -> Weights:
    return random_weights("vgg19", (32, 20, 10, 8, 8))  # a map of 32 channels is computed again


def network_on(xp: ModuleType, weights: Weights, dtype: Any = np.float64) -> Network:
    return Network(weights, CPU if xp is np else Device("gpu", xp), dtype)


def torch_features(weights: Weights, image: np.ndarray, padding: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(the image as a leaf (H, W, 3), features (1, C, H', W') with and without ReLU up to block 3), in float64."""
    leaf = torch.from_numpy(image.astype(np.float64)).requires_grad_()
    mean, std = (torch.tensor(a, dtype=torch.float64) for a in (weights.mean, weights.std))
    x = ((leaf - mean) / std).permute(2, 0, 1).flip(0)[None]
    found = {}
    for name in ("block1_conv1", "block1_conv2", "pool", "block2_conv1", "block2_conv2", "pool", "block3_conv1"):
        if name == "pool":
            x = functional.max_pool2d(x, 2)
            continue
        kernel, bias = (torch.from_numpy(a.astype(np.float64)) for a in weights.layers[name])
        kernel = kernel.permute(3, 2, 0, 1)
        if name == "block1_conv1" and padding != "zero":
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), padding), kernel, bias)
        else:
            x = functional.conv2d(x, kernel, bias, padding=1)
        found[name + "_linear"] = x
        x = x.relu()
        found[name] = x
    return leaf, found


def distance(f: Any, share: Any) -> Any:
    """A loss that reads a map both entry by entry and by its Gram matrix."""
    return ops.add(ops.reduce_sum(ops.multiply(f, share)), ops.scale(ops.reduce_sum(ops.gram(f)), factor=1e-5))


@pytest.mark.parametrize("padding", ["zero", "replicate", "reflect"])
@pytest.mark.parametrize("size", [(9, 11), (4, 4), (33, 70)])
def test_features_and_gradients_are_pytorchs(
    size: tuple[int, int], padding: str, weights: Weights, xp: ModuleType
) -> None:
    image = picture(*size).astype(np.float64)
    leaf, theirs = torch_features(weights, image, padding)
    x, expected, total = Var(xp.asarray(image)), torch.zeros((), dtype=torch.float64), Var(xp.zeros(()))
    ours = network_on(xp, weights).features(x, LAYERS, padding=padding)
    assert list(ours) == LAYERS
    for i, (name, f) in enumerate(ours.items()):
        twin = theirs[name][0].permute(1, 2, 0)
        np.testing.assert_allclose(to_host(f.value), twin.detach().numpy(), rtol=1e-9, atol=1e-9)
        share, flat = normal(f.shape, i), twin.reshape(-1, twin.shape[2])
        total = ops.add(total, distance(f, xp.asarray(share)))
        expected = expected + (twin * torch.from_numpy(share)).sum() + 1e-5 * (flat.T @ flat).sum()
    expected.backward()
    (g,) = gradient(total, [x])
    assert leaf.grad is not None
    np.testing.assert_allclose(to_host(g), leaf.grad.numpy(), rtol=1e-8, atol=1e-8 * float(leaf.grad.abs().max()))


@pytest.mark.parametrize("padding", ["replicate", "reflect"])
def test_padding_in_float32_is_close_to_that_in_float64(padding: str, weights: Weights) -> None:
    image, found = picture(20, 24), []
    for dtype in (np.float32, np.float64):
        x = Var(image.astype(dtype))
        f = Network(weights, dtype=dtype).features(x, ["block1_conv1"], padding=padding)["block1_conv1"]
        (g,) = gradient(distance(f, normal(f.shape).astype(dtype)), [x])
        assert f.value.dtype == g.dtype == dtype
        found.append((f.value, g))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize("padding", ["replicate", "reflect"])
def test_a_flat_picture_has_no_borders(padding: str, weights: Weights) -> None:
    flat, network = np.tile(np.array([200.0, 30.0, 90.0]), (6, 7, 1)), Network(weights, dtype=np.float64)
    f = network.features(flat, ["conv1_1"], padding=padding)["block1_conv1"]
    np.testing.assert_allclose(f, np.broadcast_to(f[2, 2], f.shape), rtol=1e-12, atol=1e-10)
    zero = network.features(flat, ["conv1_1"])["block1_conv1"]
    np.testing.assert_allclose(f[1:-1, 1:-1], zero[1:-1, 1:-1], rtol=1e-12, atol=1e-10)
    assert np.abs(f - zero).max() > 1


def test_with_padding_the_first_map_is_still_computed_again_and_not_kept(weights: Weights) -> None:
    f = Network(weights).features(Var(picture(8, 9)), ["block1_conv1"], padding="replicate")["block1_conv1"]
    assert f.recompute is not None
    for rows in (slice(0, 8), slice(0, 1), slice(3, 5), slice(7, 8)):
        np.testing.assert_allclose(f.recompute(rows), f.value[rows], rtol=1e-5, atol=1e-3)  # of features up to hundreds


# ---------------------------------------------------------------- valid convolutions


@pytest.mark.parametrize("channels", [(3, 20), (3, 2), (16, 16), (10, 4)])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_valid_convolution_is_the_inside_of_the_padded_one(k: int, channels: tuple[int, int], xp: ModuleType) -> None:
    for height, width in ((k, k), (k, 9), (7, 8)):
        x = xp.asarray(normal((height, width, channels[0])))
        kernel, bias = xp.asarray(normal((k, k, *channels), 1)), xp.asarray(normal((channels[1],), 2))
        y, r = ops.conv2d(x, kernel, bias, valid=True), k // 2
        inside = ops.conv2d(x, kernel, bias)[r : height - r, r : width - r]
        xp.testing.assert_allclose(y, inside, rtol=1e-10, atol=1e-10)
        check_vjp(ops.conv2d, [x, kernel, bias], valid=True)
        # With ReLU: the composition, value and gradients.
        found, g = [], xp.asarray(normal(y.shape, 3))
        for op in (lambda *a: ops.conv_relu(*a, valid=True), lambda *a: ops.relu(ops.conv2d(*a, valid=True))):
            variables = [Var(x), Var(kernel), Var(bias)]
            z = op(*variables)
            (only_x,) = gradient(op(variables[0], kernel, bias), variables[:1], cotangent=g)
            found.append((z.value, only_x, *gradient(z, variables, cotangent=g)))
        for one, other in zip(*found, strict=True):
            xp.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_gradient_of_a_large_valid_convolution_is_its_adjoint(kept: bool, threads: int) -> None:
    x, kernel = normal((70, 330, 3)), normal((3, 3, 3, 24), 1)
    with kernels.use_threads(threads):
        y, mask = kernels.convolve_relu(x, kernel, None, kept, valid=True)
        g = normal(y.shape, 2)
        dx = kernels.input_gradient(g, kernel, mask, valid=True)
        into = kernels.input_gradient(g, kernel, mask, np.ones_like(x), valid=True)
    assert y.shape == (68, 328, 24)
    assert np.vdot(dx, x) == pytest.approx(np.vdot(g, y), rel=1e-11)
    np.testing.assert_allclose(into, dx + 1, rtol=1e-12)


def test_a_valid_convolution_needs_a_map_as_large_as_the_kernel() -> None:
    for op in (ops.conv2d, ops.conv_relu):
        with pytest.raises(ShapeError, match=r"valid conv2d: x: expected 3 x 3 or more, got \(2, 9, 3\)"):
            op(np.ones((2, 9, 3)), np.ones((3, 3, 3, 4)), np.ones(4), valid=True)


# ---------------------------------------------------------------- names and what is refused


@pytest.mark.parametrize(("name", "meaning"), [
    ("conv4_2_linear", "block4_conv2_linear"), ("block4_conv2_linear", "block4_conv2_linear"),
    ("relu4_2_linear", "relu4_2_linear"), ("pool4_linear", "pool4_linear"),
])  # fmt: skip
def test_names_of_features_before_relu(name: str, meaning: str) -> None:
    assert canonical(name) == meaning


@pytest.mark.parametrize("layer", ["relu4_2_linear", "block4_pool_linear", "block4_conv9_linear", "_linear",
                                   "block4_conv2_linear_linear"])  # fmt: skip
def test_what_has_no_features_before_relu_is_refused(tiny_network: Network, layer: str) -> None:
    with pytest.raises(LayerError, match=f"unknown layer '{layer}' of vgg19: known are block1_conv1, "):
        tiny_network.check_layer(layer)


def test_features_before_relu_are_computed_to_the_last_one_only(
    tiny_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(32, 32).astype(np.float64)
    whole = tiny_network.features(image, ["conv2_2", "conv2_2_linear", "pool2", "conv3_1"])
    assert list(whole) == ["block2_conv2_linear", "block2_conv2", "block2_pool", "block3_conv1"]
    np.testing.assert_array_equal(np.maximum(whole["block2_conv2_linear"], 0), whole["block2_conv2"])
    plain = tiny_network.features(image, ["pool2", "conv3_1"])
    for name in plain:
        np.testing.assert_allclose(whole[name], plain[name], rtol=1e-10)
    # Only the features before ReLU and what follows: the pooled map is the same.
    np.testing.assert_allclose(
        tiny_network.features(image, ["conv2_2_linear", "pool2"])["block2_pool"], plain["block2_pool"], rtol=1e-10
    )
    monkeypatch.setattr(ops, "relu", lambda x: pytest.fail("nobody reads it"))
    (last,) = tiny_network.features(image, ["conv2_2_linear"]).values()
    assert last.min() < 0


def test_a_small_network_has_no_features_before_relu(tiny_weights: Weights) -> None:
    matrix = np.eye(6, dtype=np.float32)
    small = Network(dataclasses.replace(tiny_weights, projections={"block2_conv1": matrix}))
    assert small.check_loss_layer("conv2_1") == "block2_conv1"
    with pytest.raises(LayerError, match="a small network stands in for vgg19 at block2_conv1 only, got layer"):
        small.check_loss_layer("conv2_1_linear")


def test_a_padding_that_is_not_known_or_cannot_be_is_refused(tiny_network: Network) -> None:
    with pytest.raises(LayerError, match="padding: expected zero or replicate or reflect, got 'wrap'"):
        tiny_network.features(picture(8, 8), ["conv1_1"], padding="wrap")
    with pytest.raises(ShapeError, match=r"more than 1 x 1, got \(1, 8, 3\)"):
        tiny_network.features(picture(1, 8), ["conv1_1"], padding="reflect")
    assert tiny_network.features(picture(1, 1), ["conv1_1"], padding="replicate")["block1_conv1"].shape == (1, 1, 4)
    assert tiny_network.features(picture(1, 1), [], padding="reflect") == {}
