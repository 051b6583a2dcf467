"""weights/readers/keras_h5.py: every layout in which Keras's VGG files were published is read, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from minstyle.errors import WeightsError
from minstyle.weights.readers.keras_h5 import read_keras
from tests.support.damaged import flipped_files, outcomes_in_child
from tests.support.foreign_keras import DATASETS, write_keras
from tests.support.layers import assert_same_layers
from tests.support.memory import peak_memory
from tests.support.small import random_weights

# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("top", [False, True], ids=["no top", "top"])
@pytest.mark.parametrize("root", ["/", "model_weights"])
@pytest.mark.parametrize("names", list(DATASETS))
@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_every_published_layout_is_read(tmp_path: Path, network: str, names: str, root: str, top: bool) -> None:
    weights = random_weights(network, (2, 3, 2, 3, 2))
    path = write_keras(tmp_path / "vgg.h5", weights, names, root, top)
    assert_same_layers(read_keras(path), weights.layers)


def test_layers_come_in_network_order_whatever_the_order_in_the_file(tmp_path: Path) -> None:
    weights = random_weights("vgg16", (2, 3, 2, 3, 2))
    with h5py.File(tmp_path / "vgg.h5", "w", track_order=True) as file:
        for layer, (kernel, bias) in reversed(list(weights.layers.items())):
            file[f"{layer}/bias:0"], file[f"{layer}/kernel:0"] = bias, kernel
    assert_same_layers(read_keras(tmp_path / "vgg.h5"), weights.layers)


# ---------------------------------------------------------------- refusing


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_keras(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_keras(tmp_path / "vgg.h5", random_weights("vgg16", (2, 3, 2, 3, 2)))


def replaced(name: str, value: object) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[name]
        if value is not None:
            file[name] = value

    return edit


LAYER = "block3_conv2"


@pytest.mark.parametrize(("edit", "expected"), [
    (replaced(f"{LAYER}/{LAYER}/kernel:0", None), f"{LAYER}: expected a kernel and a bias"),
    (replaced(f"{LAYER}/{LAYER}/bias:0", None), f"{LAYER}: expected a kernel and a bias"),
    (replaced(f"{LAYER}/{LAYER}/kernel:0", np.zeros((3, 3, 2, 2), np.int8)), f"{LAYER}: expected a kernel and a bias"),
    (replaced(f"{LAYER}/{LAYER}/bias:0", h5py.Empty("f4")), ""),
    (replaced(LAYER, np.zeros(3, np.float32)), LAYER),
    (replaced(LAYER, np.float32(3)), LAYER),
    (replaced(LAYER, h5py.SoftLink("/nowhere")), ""),
    (replaced(LAYER, h5py.SoftLink(f"/{LAYER}")), ""),
    (lambda file: file.clear(), "expected Keras's VGG layers (block1_conv1, ...), found none"),
    (lambda file: (file.clear(), file.create_dataset("model_weights", data=3.0)), "expected Keras's VGG layers"),
    (lambda file: (file.clear(), file.create_dataset("model_weights", data=np.zeros((3, 3)))), "found none"),
], ids=[
    "no kernel", "no bias", "integers", "no data", "dataset for a layer", "number for a layer", "dangling link",
    "link to itself", "nothing in it", "number for the model", "dataset for the model",
])  # fmt: skip
def test_each_wrong_thing_is_refused_and_named(path: Path, edit: Callable[[h5py.File], None], expected: str) -> None:
    with h5py.File(path, "r+") as file:
        edit(file)
    assert expected in refusal(path)


@pytest.mark.parametrize("content", [b"", b"some text", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_hdf5_file_is_told_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vgg.h5").write_bytes(content)
    assert "not a whole HDF5 file" in refusal(tmp_path / "vgg.h5")


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for k in range(64):
        path.write_bytes(data[: len(data) * k // 64])
        refusal(path)


@pytest.mark.parametrize("shape", [(3, 3, 3, 2**40), (3, 3, 2048, 1800)])
def test_an_absurd_declared_size_is_refused_without_memory(path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "r+") as file:
        del file[f"{LAYER}/{LAYER}/kernel:0"]
        file.create_dataset(f"{LAYER}/{LAYER}/kernel:0", shape, np.float32)
    with peak_memory(below=64e6):
        assert LAYER in refusal(path)


def test_flipped_bits_are_refused_or_leave_a_valid_file(path: Path) -> None:
    outcomes = outcomes_in_child("minstyle.weights.readers.keras_h5.read_keras", flipped_files(path, 300))
    assert set(outcomes.values()) == {"refused", "valid"}
