"""network/vgg.py: the table of layers, and features that are what the definition says, no further than asked for."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minstyle.engine import kernels, ops
from minstyle.engine.autodiff import Var, gradient
from minstyle.engine.kernels import direct
from minstyle.engine.ops import reduce_sum
from minstyle.errors import LayerError, MinstyleError, ShapeError, WeightsError
from minstyle.network.layers import canonical, layer_names
from minstyle.network.vgg import Network, PlannedOp, plan
from minstyle.network.weightfile import Weights
from tests.support.small import picture, random_weights

# Simonyan and Zisserman 2014, table 1, columns D and E.
TABLE = {
    "vgg16": """block1_conv1 block1_conv2 block1_pool block2_conv1 block2_conv2 block2_pool
        block3_conv1 block3_conv2 block3_conv3 block3_pool block4_conv1 block4_conv2 block4_conv3 block4_pool
        block5_conv1 block5_conv2 block5_conv3 block5_pool""",
    "vgg19": """block1_conv1 block1_conv2 block1_pool block2_conv1 block2_conv2 block2_pool
        block3_conv1 block3_conv2 block3_conv3 block3_conv4 block3_pool
        block4_conv1 block4_conv2 block4_conv3 block4_conv4 block4_pool
        block5_conv1 block5_conv2 block5_conv3 block5_conv4 block5_pool""",
}
CHANNELS = (2, 3, 2, 3, 2)


def pooled(x: np.ndarray, pooling: str) -> Any:
    """2x2 windows with stride 2, an odd last row or column dropped, and the factor that belongs to the pooling."""
    height, width = x.shape[0] // 2, x.shape[1] // 2
    windows = x[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    if pooling == "max":
        return windows.max(axis=(1, 3))
    if pooling == "average":
        return 2 * windows.mean(axis=(1, 3))
    return 0.78 * np.sqrt((windows**2).sum(axis=(1, 3)))


def defined_features(weights: Weights, image: np.ndarray, pooling: str = "max") -> dict[str, np.ndarray]:
    """Every layer by the book, in float64: (image - mean) / std, the channels' order, then layer by layer."""
    x = (image.astype(np.float64) - weights.mean) / weights.std
    x = x[:, :, ::-1] if weights.channel_order == "BGR" else x
    found = {}
    for name in layer_names(weights.network):
        if name.endswith("pool"):
            x = pooled(x, pooling)
        else:
            kernel, bias = (array.astype(np.float64) for array in weights.layers[name])
            x = np.maximum(direct.convolve(np.ascontiguousarray(x), kernel, bias), 0)
        found[name] = x
    return found


def assert_close(ours: dict[str, Any], defined: dict[str, np.ndarray], tolerance: float = 1e-12) -> None:
    for name, value in ours.items():
        assert value.shape == defined[name].shape
        assert np.abs(value - defined[name]).max() <= tolerance * np.abs(defined[name]).max(), name


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("network", list(TABLE))
def test_the_layers_are_those_of_the_paper(network: str) -> None:
    assert layer_names(network) == tuple(TABLE[network].split())
    assert Network(random_weights(network, CHANNELS)).layers == layer_names(network)


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LayerError, match="unknown network 'vgg11': known are vgg16, vgg19"):
        layer_names("vgg11")
    with pytest.raises(WeightsError, match="unknown network 'vgg11': known are vgg16, vgg19"):
        Network(dataclasses.replace(random_weights("vgg16", CHANNELS), network="vgg11"))


@pytest.mark.parametrize(("name", "meaning"), [
    ("conv1_1", "block1_conv1"), ("relu1_1", "block1_conv1"), ("relu5_4", "block5_conv4"), ("conv3_2", "block3_conv2"),
    ("pool1", "block1_pool"), ("pool5", "block5_pool"), ("block4_conv2", "block4_conv2"),
    ("block2_pool", "block2_pool"), ("conv6_1", "conv6_1"), ("conv1_1 ", "conv1_1 "), ("xconv1_1", "xconv1_1"),
    ("pool6", "pool6"), ("", ""),
])  # fmt: skip
def test_synonyms_have_one_meaning_and_other_names_none(name: str, meaning: str) -> None:
    assert canonical(name) == meaning


def test_layers_come_by_canonical_name_whatever_they_were_called(tiny_network: Network) -> None:
    image = picture(33, 34)
    features = tiny_network.features(image, ["pool2", "relu1_1", "conv3_4", "block1_conv1"])
    assert list(features) == ["block1_conv1", "block2_pool", "block3_conv4"], "in network order, each once"


@pytest.mark.parametrize("layer", ["block9_conv1", "conv3_5", "fc1", "", "BLOCK1_CONV1", "relu6_1", "block1_conv1 "])
def test_an_unknown_layer_is_refused_with_the_known_ones(tiny_network: Network, layer: str) -> None:
    known = ", ".join(layer_names("vgg19"))
    for ask in (lambda: tiny_network.check_layer(layer), lambda: tiny_network.features(picture(32, 32), [layer])):
        with pytest.raises(LayerError) as caught:
            ask()
        assert str(caught.value) == f"unknown layer {layer!r} of vgg19: known are {known}"


def test_a_layer_of_vgg19_alone_is_unknown_to_vgg16() -> None:
    network = Network(random_weights("vgg16", CHANNELS))
    with pytest.raises(LayerError, match="unknown layer 'conv3_4' of vgg16"):
        network.check_layer("conv3_4")


# ---------------------------------------------------------------- the plan


def test_a_plan_fuses_what_nobody_reads() -> None:
    layers = layer_names("vgg19")[:4]
    assert plan(layers, {"block1_conv1", "block2_conv1"}) == [
        PlannedOp(ops.conv_relu, "block1_conv1", {"caller_keeps": True, "valid": False}, features="block1_conv1"),
        PlannedOp(ops.conv_relu_pool2, "block1_conv2", {"half": True}),
        PlannedOp(ops.conv_relu, "block2_conv1", {"caller_keeps": True, "valid": False}, features="block2_conv1"),
    ]
    assert plan(layers, {"block1_conv2"})[1:] == [
        PlannedOp(ops.conv_relu, "block1_conv2", {"caller_keeps": True, "valid": False}, features="block1_conv2"),
        PlannedOp(ops.max_pool2),
        PlannedOp(ops.conv_relu, "block2_conv1", {"caller_keeps": False, "valid": False}),
    ]


def test_a_plan_pads_before_the_first_convolution_and_scales_after_pooling() -> None:
    steps = plan(layer_names("vgg19")[:3], {"block1_pool"}, pooling="average", padding="reflect")
    assert steps == [
        PlannedOp(ops.pad, settings={"width": 1, "mode": "reflect"}),
        PlannedOp(ops.conv_relu, "block1_conv1", {"caller_keeps": False, "valid": True, "half": True}),
        PlannedOp(ops.conv_relu, "block1_conv2", {"caller_keeps": False, "valid": False}),
        PlannedOp(ops.avg_pool2),
        PlannedOp(ops.scale, settings={"factor": 2.0}, features="block1_pool"),
    ]
    assert plan(layer_names("vgg19")[:3], {"block1_pool"}, pooling_factor=3.0)[1:] == [
        PlannedOp(ops.conv_relu_pool2, "block1_conv2"),
        PlannedOp(ops.scale, settings={"factor": 3.0}, features="block1_pool"),
    ]
    assert plan((), set(), padding="reflect") == []


def test_a_plan_has_relu_of_its_own_where_features_before_it_are_wanted() -> None:
    linear = PlannedOp(ops.conv2d, "block1_conv2", {"valid": False}, features="block1_conv2_linear")
    layers = layer_names("vgg19")[:3]
    assert plan(layers[:2], {"block1_conv2_linear"})[1:] == [linear]
    assert plan(layers, {"block1_conv2_linear", "block1_pool"})[1:] == [
        linear, PlannedOp(ops.relu), PlannedOp(ops.max_pool2, features="block1_pool")
    ]  # fmt: skip


# ---------------------------------------------------------------- what is computed


@pytest.mark.parametrize(("layers", "convolutions"), [
    ([], 0), (["block1_conv1"], 1), (["block1_pool"], 2), (["block5_conv1", "block1_conv1"], 13),
    (["block5_pool"], 16), (["block2_conv1", "block2_conv1", "conv2_1"], 3),
])  # fmt: skip
def test_nothing_past_the_last_layer_is_computed(
    tiny_network: Network, monkeypatch: pytest.MonkeyPatch, layers: list[str], convolutions: int
) -> None:
    calls, convolve_relu = [], kernels.convolve_relu

    def counted(*arguments: Any, **settings: Any) -> Any:
        calls.append(arguments[0].shape)
        return convolve_relu(*arguments, **settings)

    monkeypatch.setattr(kernels, "convolve_relu", counted)
    tiny_network.features(picture(32, 32), layers)
    assert len(calls) == convolutions


@pytest.mark.parametrize("size", [(32, 32), (47, 38), (33, 95)])
@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_every_layer_is_what_the_definition_says(network: str, size: tuple[int, int]) -> None:
    weights = random_weights(network, (4, 6, 8, 10, 10))
    image = picture(*size)
    ours = Network(weights, dtype=np.float64).features(image.astype(np.float64), layer_names(network))
    assert_close(ours, defined_features(weights, image))


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("std", [(1.0, 1.0, 1.0), (58.4, 31.2, 90.1)])
def test_the_normalisation_in_the_kernel_is_exact_up_to_the_borders(order: str, std: Any) -> None:
    weights = dataclasses.replace(
        random_weights("vgg19", CHANNELS), mean=(120.0, 90.5, 33.3), std=std, channel_order=order
    )
    network, image = Network(weights, dtype=np.float64), picture(33, 36).astype(np.float64)
    ours = network.features(image, ["block1_conv1"])
    assert_close(ours, defined_features(weights, image), 1e-13)
    # Zero padding comes after normalisation: a frame of the mean colour changes nothing.
    framed = np.tile(np.array(weights.mean), (35, 38, 1))
    framed[1:-1, 1:-1] = image
    inside = network.features(framed, ["block1_conv1"])["block1_conv1"][1:-1, 1:-1]
    assert_close(ours, {"block1_conv1": inside}, 1e-13)


def test_an_image_of_the_mean_colour_gives_the_biases(tiny_network: Network, tiny_weights: Weights) -> None:
    image = np.tile(np.array(tiny_weights.mean), (8, 8, 1))
    features = tiny_network.features(image, ["block1_conv1"])["block1_conv1"]
    bias = tiny_weights.layers["block1_conv1"][1].astype(np.float64)
    np.testing.assert_allclose(features, np.tile(np.maximum(bias, 0), (8, 8, 1)), atol=1e-12)


def test_features_are_after_relu(tiny_network: Network) -> None:
    for value in tiny_network.features(picture(64, 64), layer_names("vgg19")).values():
        assert value.min() == 0.0
        assert value.max() > 0.0


def test_float32_stays_float32_and_is_close(tiny_weights: Weights) -> None:
    image = picture(40, 40)
    ours = Network(tiny_weights).features(image, layer_names("vgg19"))
    assert {value.dtype for value in ours.values()} == {np.dtype(np.float32)}
    assert_close(ours, defined_features(tiny_weights, image), 1e-5)


def test_half_precision_weights_compute_in_the_networks_type(tiny_weights: Weights) -> None:
    halves = {name: (k.astype(np.float16), b.astype(np.float16)) for name, (k, b) in tiny_weights.layers.items()}
    half = dataclasses.replace(tiny_weights, layers=halves)
    image = picture(33, 33)
    ours = Network(half, dtype=np.float64).features(image.astype(np.float64), ["block5_conv4"])
    assert ours["block5_conv4"].dtype == np.float64
    assert_close(ours, defined_features(half, image))


def test_a_var_gives_the_same_features_as_its_array_and_a_gradient(tiny_network: Network) -> None:
    image, layers = picture(35, 32).astype(np.float64), ["block1_conv1", "block3_pool", "block5_conv4"]
    plain, x = tiny_network.features(image, layers), Var(image)
    followed = tiny_network.features(x, layers)
    assert list(plain) == list(followed) == layers
    for name in layers:
        assert isinstance(followed[name], Var)
        assert isinstance(plain[name], np.ndarray)
        np.testing.assert_array_equal(followed[name].value, plain[name])
    (slope,) = gradient(reduce_sum(followed["block5_conv4"]), [x])
    assert slope.shape == image.shape
    assert np.abs(slope).max() > 0


def test_the_image_is_not_written_to(tiny_network: Network) -> None:
    image = picture(32, 32).astype(np.float64)
    before = image.copy()
    image.setflags(write=False)
    tiny_network.features(image, ["block5_pool"])
    np.testing.assert_array_equal(image, before)


# ---------------------------------------------------------------- pooling


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_each_pooling_has_its_factor(tiny_network: Network, tiny_weights: Weights, pooling: str) -> None:
    image = picture(47, 38)
    ours = tiny_network.features(image.astype(np.float64), layer_names("vgg19"), pooling=pooling)
    assert_close(ours, defined_features(tiny_weights, image, pooling))


@pytest.mark.parametrize(("pooling", "own"), [("max", 1.0), ("average", 2.0), ("l2", 0.78)])
def test_a_factor_given_replaces_the_poolings_own(tiny_network: Network, pooling: str, own: float) -> None:
    image = picture(32, 32).astype(np.float64)

    def first_pool(factor: float | None) -> np.ndarray:
        features = tiny_network.features(image, ["pool1"], pooling=pooling, pooling_factor=factor)
        value: np.ndarray = features["block1_pool"]
        return value

    np.testing.assert_allclose(first_pool(None), own * first_pool(1.0), rtol=1e-14)
    np.testing.assert_allclose(first_pool(1.7), 1.7 * first_pool(1.0), rtol=1e-14)


def test_an_unknown_pooling_is_refused_with_the_known_ones(tiny_network: Network) -> None:
    with pytest.raises(MinstyleError, match="pooling: expected max or average or l2, got 'median'"):
        tiny_network.features(picture(32, 32), ["pool1"], pooling="median")


# ---------------------------------------------------------------- what is refused


def reordered(weights: Weights, names: list[str]) -> Weights:
    """The layers of these names, in this order, with kernels of one size so that only the names are wrong."""
    layers, cin = {}, 3
    for name in names:
        layers[name] = (np.ones((3, 3, cin, 2), np.float32), np.zeros(2, np.float32))
        cin = 2
    return dataclasses.replace(weights, layers=layers)


@pytest.mark.parametrize("names", [
    ["block1_conv2"], ["block1_conv1", "block2_conv1"], ["block1_conv2", "block1_conv1"],
    ["block1_conv1", "block1_conv2", "block1_conv3"],
])  # fmt: skip
def test_layers_that_are_not_the_networks_are_refused(tiny_weights: Weights, names: list[str]) -> None:
    with pytest.raises(WeightsError) as caught:
        Network(reordered(tiny_weights, names))
    assert "layers of vgg19: expected block1_conv1 and those that follow it without a gap" in str(caught.value)
    assert str(caught.value).endswith(f"got {', '.join(names)}")


@pytest.mark.parametrize(("claimed", "actual"), [("vgg16", "vgg19"), ("vgg19", "vgg16")])
def test_a_network_under_the_others_name_is_refused(claimed: str, actual: str) -> None:
    with pytest.raises(WeightsError, match=f"layers of {claimed}"):
        Network(dataclasses.replace(random_weights(actual, CHANNELS), network=claimed))


@pytest.mark.parametrize(("through", "last"), [(1, "block1_conv1"), (2, "block1_pool"), (14, "block5_conv2")])
def test_a_network_that_stops_early_works_as_far_as_it_goes(through: int, last: str) -> None:
    whole, cut = random_weights("vgg19", CHANNELS), random_weights("vgg19", CHANNELS, through=through)
    network, image = Network(cut, dtype=np.float64), picture(33, 40)
    assert network.layers[-1] == last
    ours = network.features(image.astype(np.float64), [last])
    assert_close(ours, defined_features(whole, image))
    following = layer_names("vgg19")[layer_names("vgg19").index(last) + 1]
    with pytest.raises(LayerError, match=f"unknown layer '{following}'.* end at {last}; .* fetch vgg19$"):
        network.check_layer(following)


@pytest.mark.parametrize(("size", "pools"), [((1, 9), 0), ((9, 1), 0), ((2, 2), 1), ((31, 64), 4), ((32, 32), 5)])
def test_an_image_too_small_to_be_pooled_is_refused_at_that_layer(
    tiny_network: Network, size: tuple[int, int], pools: int
) -> None:
    image = picture(*size)
    if pools:
        assert min(tiny_network.features(image, [f"pool{pools}"])[f"block{pools}_pool"].shape) >= 1
    if pools < 5:
        with pytest.raises(
            ShapeError, match=f"image for block{pools + 1}_pool: expected {2 ** (pools + 1)} x .* or more, got"
        ):
            tiny_network.features(image, [f"pool{pools + 1}"])


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 4), (1, 32, 32, 3), (3, 32, 32)])
def test_what_is_no_image_is_refused(tiny_network: Network, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"image: expected \(H, W, 3\), got \("):
        tiny_network.features(np.zeros(shape), ["block1_conv1"])


def test_a_projection_is_applied_to_what_losses_see_and_to_nothing_else(tiny_weights: Weights) -> None:
    matrix = np.random.default_rng(0).standard_normal((6, 9)).astype(np.float32)
    plain = Network(tiny_weights, dtype=np.float64)
    thin = Network(dataclasses.replace(tiny_weights, projections={"block2_conv1": matrix}), dtype=np.float64)
    layers = ["block1_conv2", "block2_conv1", "block2_conv2"]
    expected, found = (network.features(picture(20, 24), layers) for network in (plain, thin))
    np.testing.assert_allclose(found["block2_conv1"], expected["block2_conv1"] @ matrix, rtol=1e-12)
    for layer in ("block1_conv2", "block2_conv2"):
        np.testing.assert_array_equal(found[layer], expected[layer])
    assert (thin.channel_share("block2_conv1"), thin.channel_share("block1_conv2")) == (9 / 128, 1.0)


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_network_can_be_copied_and_pickled(copied: Callable[[Network], Network], used: bool) -> None:
    """For process pools; a network that was used keeps its transformed kernels, those of one direction only."""
    network = Network(random_weights("vgg19", (4, 16, 16, 16, 20)))
    x, layers, fresh = picture(32, 40), ["block1_conv1", "block5_conv1"], len(pickle.dumps(network))
    before = network.features(x, layers) if used else None
    again = copied(network)
    assert repr(again) == repr(network) == "Network(vgg19, up to block5_pool, float32, cpu)"
    for name, f in (before or network.features(x, layers)).items():
        np.testing.assert_array_equal(again.features(x, layers)[name], f)
    assert fresh < len(pickle.dumps(network)) < 5 * fresh  # 36 numbers for 9
