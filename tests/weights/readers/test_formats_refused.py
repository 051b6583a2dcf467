"""Files of a known format in which there is no VGG, and formats that nobody knows: one line says what is there."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import scipy.io
import torch

from minstyle.errors import WeightsError
from minstyle.weights.convert import convert
from tests.support.conversions import refusal
from tests.support.foreign_arrays import message
from tests.support.foreign_files import FOREIGN, state_dict, torch_zip
from tests.support.small import random_weights

TINY = random_weights("vgg16", (2, 2, 2, 2, 2))
NONE = "expected VGG's convolutions (features.0.weight, conv1_1.weight and the like), found none"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "ours.h5"


def saved(path: Path, state: object) -> None:
    torch.save(state, path)


def without(*names: str) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in state_dict(TINY).items() if not name.startswith(names)}


def normed() -> dict[str, torch.Tensor]:
    """VGG with batch normalisation, which is another network."""
    return {**state_dict(TINY), "features.1.weight": torch.ones(2), "features.1.bias": torch.ones(2)}


def npz(path: Path, **arrays: np.ndarray) -> None:
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def npy(path: Path, array: np.ndarray) -> None:
    with open(path, "wb") as file:
        np.save(file, array, allow_pickle=True)


ONES = torch.ones(4)
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "ResNet": (lambda path: saved(path, {"conv1.weight": torch.ones(4, 3, 7, 7)}), NONE),
    "AlexNet": (lambda path: saved(path, {"features.0.weight": torch.ones(4, 3, 11, 11), "features.0.bias": ONES}),
                "features.0.weight: expected a kernel of 3 x 3, got (4, 3, 11, 11)"),
    "VGG16 of 12": (lambda path: saved(path, without("features.28.")), "the 13 convolutions of VGG16 or the 16 of"),
    "VGG16_bn": (lambda path: saved(path, normed()), "features.1.weight: expected a kernel of 3 x 3, got (2,)"),
    "no bias": (lambda path: saved(path, without("features.5.bias")), "features.5.weight: expected a bias beside it"),
    "no kernel": (lambda path: saved(path, without("features.5.weight")), "features.5.bias: expected a kernel beside"),
    "one tensor": (lambda path: saved(path, torch.ones(3)), "expected a state dictionary, got Tensor"),
    "a list": (lambda path: saved(path, [torch.ones(3)]), "expected a state dictionary, got list"),
    "integers": (lambda path: saved(path, {"features.0.weight": torch.ones(2, 3, 3, 3, dtype=torch.int64)}),
                 "features.0.weight: expected at most 2400000 floating-point numbers, got int64"),
    "bfloat16": (lambda path: saved(path, {"features.0.weight": torch.ones(2, 3, 3, 3, dtype=torch.bfloat16)}),
                 "the pickle names torch.BFloat16Storage"),
    "safetensors": (lambda path: safetensors.numpy.save_file({"a": np.ones(3)}, path), NONE),
    "npz": (lambda path: npz(path, a=np.ones(3)), NONE),
    "npz, one block": (lambda path: npz(path, conv1_1_W=np.ones((3, 3, 3, 2)), conv1_1_b=np.ones(2)),
                       "convolutions by block: 1; expected a whole VGG, numbered without a gap (vgg16 has 2-2-3-3-3"),
    "npz, two names": (lambda path: npz(path, **{"conv1_1_W": np.ones(3), "conv1_1.weight": np.ones(3)}),
                       "another array stands for the same place"),
    "npy": (lambda path: npy(path, np.ones(3)), "expected a dictionary of arrays, got one array of float64 (3,)"),
    "npy, list": (lambda path: npy(path, np.array([[1], [2, 3]], dtype=object)), "got one array of object (2,)"),
    "mat": (lambda path: scipy.io.savemat(path, {"a": np.ones(3)}, appendmat=False), "normalization.averageImage"),
    "Caffe": (lambda path: path.write_bytes(message(1, b"net") + message(2, message(4, b"conv1"))), NONE),
    "ONNX": (lambda path: path.write_bytes(b"\x08\x09" + message(7, message(1, message(4, b"Relu")))),
             "expected the 13 convolutions of VGG16 or the 16 of VGG19, found 0"),
    "MATLAB 4": (lambda path: scipy.io.savemat(path, {"a": np.ones(3)}, format="4", appendmat=False), "unknown format"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_file_without_a_vgg_is_refused_with_what_is_there(tmp_path: Path, target: Path, name: str) -> None:
    write, expected = REFUSED[name]
    write(tmp_path / "weights")
    assert expected in refusal(tmp_path / "weights", target)


def test_names_of_any_length_make_short_errors(tmp_path: Path, target: Path) -> None:
    saved(tmp_path / "weights", {"x" * 5000 + ".features.0.weight": torch.ones(3)})
    assert len(refusal(tmp_path / "weights", target)) < 700 + len(str(tmp_path))


WITHOUT = """
import sys, pathlib
for name in ("torch", "tensorflow", "keras", "onnx", "google.protobuf", "scipy.io", "caffe", "safetensors.torch"):
    sys.modules[name] = None
from minstyle.weights.convert import convert
for path in sys.argv[2:]:
    print(convert(path, sys.argv[1]).network)
"""


def test_no_framework_is_needed(tmp_path: Path) -> None:
    """All formats but Keras 3's, which is HDF5 as well, in a process in which no framework can be imported."""
    kinds = [kind for kind in FOREIGN if "Keras 3" not in kind.author]
    paths = [str(kind.write(tmp_path / str(i), TINY)) for i, kind in enumerate(kinds)]
    command = [sys.executable, "-W", "error", "-c", WITHOUT, str(tmp_path / "ours.h5"), *paths]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.stderr, run.stdout) == ("", "vgg16\n" * len(kinds))


def test_the_first_format_that_matches_is_the_right_one(tmp_path: Path, target: Path) -> None:
    """A model that is a zip, but holds neither PyTorch's pickle nor arrays."""
    with zipfile.ZipFile(torch_zip(tmp_path / "weights", TINY), "w") as archive:
        archive.writestr("model.weights.h5", b"")
    assert "unknown format" in refusal(tmp_path / "weights", target)


def test_an_onnx_graph_with_other_layers_between_its_convolutions_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Conv", ["x", "k", "b"], ["y"]), helper.make_node("BatchNormalization", ["y"] * 5, ["z"]),
             helper.make_node("Conv", ["z", "k2", "b2"], ["out"])]  # fmt: skip
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, None) for end in ("x", "out")]
    model = helper.make_model(helper.make_graph(nodes, "vgg19_bn", ends[:1], ends[1:]))
    (tmp_path / "bn.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match=r"bn\.onnx: expected convolutions, .* found 'BatchNormalization'"):
        convert(tmp_path / "bn.onnx", tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()
