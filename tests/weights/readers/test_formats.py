"""weights/formats.py: every format, as other programs write it, is recognised, and its network computes the same."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from minstyle.errors import LayerError, WeightsError
from minstyle.network.vgg import Network
from minstyle.network.weightfile import read_weights
from minstyle.weights.convert import convert
from minstyle.weights.formats import NORMALISATIONS, find_format
from tests.support.foreign_files import FOREIGN, Foreign, state_dict, torch_zip
from tests.support.hostile import judge
from tests.support.small import random_weights
from tests.support.torch_features import CHANNELS, difference, rounded

KINDS = pytest.mark.parametrize("kind", FOREIGN, ids=str)


@KINDS
def test_a_converted_file_gives_the_features_of_pytorch(tmp_path: Path, kind: Foreign) -> None:
    made = random_weights("vgg19", CHANNELS)
    source = kind.write(tmp_path / "weights.bin", made)
    assert find_format(source).name == kind.format
    convert(source, tmp_path / "ours.h5", network="vgg19")
    converted = read_weights(tmp_path / "ours.h5")
    expected = NORMALISATIONS[kind.normalisation]
    assert converted.channel_order == expected["channel_order"]
    np.testing.assert_allclose(converted.mean, expected["mean"], rtol=1e-6)  # MatConvNet's are single precision
    np.testing.assert_allclose(converted.std, expected["std"], rtol=1e-12)
    as_stored = rounded(made, kind.precision)
    assert difference(converted, as_stored, kind.normalisation, np.float64) <= 1e-6
    assert difference(converted, as_stored, kind.normalisation, np.float32) <= 1e-5


@KINDS
@pytest.mark.parametrize("channels", [(2, 3, 2, 3, 2), (3, 3, 3, 3, 4)], ids=str)
def test_vgg16_is_read_number_by_number_whatever_the_channels(
    tmp_path: Path, kind: Foreign, channels: tuple[int, ...]
) -> None:
    """Kernels (3, 3, 3, 3) say nothing about the order of their axes; the network's others do."""
    made = random_weights("vgg16", channels)
    weights = convert(kind.write(tmp_path / "weights.bin", made), tmp_path / "ours.h5")
    assert weights.network == "vgg16"
    assert list(weights.layers) == list(made.layers)
    for name, pair in rounded(made, kind.precision).layers.items():
        for ours, theirs in zip(read_weights(tmp_path / "ours.h5").layers[name], pair, strict=True):
            np.testing.assert_array_equal(ours, theirs.astype(np.float32))


# ---------------------------------------------------------------- choices


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return torch_zip(tmp_path / "vgg19.pth", random_weights("vgg19", CHANNELS))


@pytest.mark.parametrize("length", range(0, 300, 8))
def test_safetensors_are_recognised_whatever_the_length_of_their_table(tmp_path: Path, length: int) -> None:
    """Its first byte can be that of a pickle, of Caffe's or ONNX's."""
    tensors = {name: tensor.numpy() for name, tensor in state_dict(random_weights("vgg16", CHANNELS)).items()}
    safetensors.numpy.save_file(tensors, tmp_path / "w", {"note": "x" * length})
    assert find_format(tmp_path / "w").name == "safetensors"


@pytest.mark.parametrize(("through", "count"), [("block5_conv2", 14), ("conv1_1", 1), ("relu3_4", 8), (None, 16)])
def test_layers_after_the_one_named_are_left_out(tmp_path: Path, source: Path, through: str | None, count: int) -> None:
    convert(source, tmp_path / "ours.h5", through=through)
    read = read_weights(tmp_path / "ours.h5")
    assert list(read.layers) == list(random_weights("vgg19", CHANNELS).layers)[:count]
    assert read.network == "vgg19"
    assert "block1_conv1" in Network(read).layers


def test_a_layer_that_there_is_not_is_told_so(tmp_path: Path, source: Path) -> None:
    with pytest.raises(LayerError, match="unknown layer 'block6_conv1' of vgg19"):
        convert(source, tmp_path / "ours.h5", through="block6_conv1")
    assert not (tmp_path / "ours.h5").exists()


def test_the_network_that_is_asked_for_has_to_be_the_one_found(tmp_path: Path, source: Path) -> None:
    with pytest.raises(WeightsError, match=r"vgg19.pth: expected vgg16, found the layers of vgg19"):
        convert(source, tmp_path / "ours.h5", network="vgg16")


@pytest.mark.parametrize("normalisation", list(NORMALISATIONS))
def test_a_normalisation_can_be_chosen(tmp_path: Path, source: Path, normalisation: str) -> None:
    convert(source, tmp_path / "ours.h5", normalisation=normalisation)
    made = random_weights("vgg19", CHANNELS)
    assert difference(read_weights(tmp_path / "ours.h5"), made, normalisation, np.float64) <= 1e-10


def test_an_unknown_normalisation_is_told_so(tmp_path: Path, source: Path) -> None:
    with pytest.raises(WeightsError, match="unknown normalisation 'keras': known are caffe, caffe-rgb, torchvision"):
        convert(source, tmp_path / "ours.h5", normalisation="keras")


def test_caffes_weights_under_torchvisions_names_are_known_by_their_checksum(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("minstyle.weights.convert")
    monkeypatch.setattr(module, "digest", lambda path: "d01eb7cb" + 56 * "0")
    convert(source, tmp_path / "ours.h5")
    assert read_weights(tmp_path / "ours.h5").channel_order == "BGR"


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_precision_can_be_chosen(tmp_path: Path, source: Path, dtype: str) -> None:
    convert(source, tmp_path / "ours.h5", dtype=dtype)
    assert read_weights(tmp_path / "ours.h5").layers["block3_conv1"][0].dtype == dtype
    with pytest.raises(WeightsError, match=r"vgg19.pth: dtype: expected float32 or float16, got int8"):
        convert(source, tmp_path / "ours.h5", dtype="int8")


def test_a_whole_vgg19_takes_seconds_and_little_memory(tmp_path: Path) -> None:
    made = random_weights("vgg19", (64, 128, 256, 512, 512))
    source = torch_zip(tmp_path / "vgg19.pth", made)
    assert source.stat().st_size > 80e6
    verdict = judge([source])  # converts, reads again and builds the network: 5 seconds, 500 MB
    assert verdict.valid == 1
    convert(source, tmp_path / "ours.h5")
    figure = difference(read_weights(tmp_path / "ours.h5"), made, "torchvision", np.float32)
    assert figure <= 1e-5
    print(f"{verdict.slowest:.1f} s, {verdict.megabytes:.0f} MB, difference {figure:.1e}")
