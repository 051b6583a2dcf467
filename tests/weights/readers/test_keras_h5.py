"""weights/keras_h5.py: every layout in which Keras's VGG files were published is read, and nothing else."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from minstyle.errors import WeightsError
from minstyle.network.layers import layer_names
from minstyle.network.weightfile import Weights
from minstyle.weights.readers.keras_h5 import read_keras
from tests.support.small import random_weights

# What the kernel and the bias of a layer were called, from the first files on.
DATASETS = {
    "W_1:0": ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0"),
    "W:0": ("{0}/{0}_W:0", "{0}/{0}_b:0"),
    "kernel:0": ("{0}/{0}/kernel:0", "{0}/{0}/bias:0"),
    "kernel": ("{0}/kernel", "{0}/bias"),
}


def write_keras(path: Path, weights: Weights, names: str = "kernel:0", root: str = "/", top: bool = False) -> Path:
    """A VGG as Keras saves it: groups for all layers, those without weights too, and names in attributes."""
    order = ["input_1", *layer_names(weights.network)]
    kernel_name, bias_name = DATASETS[names]
    arrays: dict[str, np.ndarray] = {}
    for layer, (kernel, bias) in weights.layers.items():
        arrays |= {kernel_name.format(layer): kernel, bias_name.format(layer): bias}
    if top:
        order += ["flatten", "fc1", "fc2", "predictions"]
        for layer, shape in (("fc1", (98, 12)), ("fc2", (12, 12)), ("predictions", (12, 7))):
            arrays |= {
                kernel_name.format(layer): np.ones(shape, "f4"),
                bias_name.format(layer): np.ones(shape[1], "f4"),
            }
    with h5py.File(path, "w") as file:
        base = file.require_group(root)
        base.attrs["layer_names"] = np.array(order, "S")
        base.attrs["backend"], base.attrs["keras_version"] = np.bytes_("tensorflow"), np.bytes_("2.2.4")
        for layer in order:
            names_inside = [name.removeprefix(f"{layer}/") for name in arrays if name.split("/")[0] == layer]
            base.create_group(layer).attrs["weight_names"] = np.array(names_inside, "S60")
        for name, array in arrays.items():
            base[name] = array
        if root != "/":
            file["optimizer_weights/iteration:0"] = 3
    return path


# ---------------------------------------------------------------- shared by the tests of all readers of files

READ_ALL = """
import importlib, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))
from minstyle.errors import WeightsError
module, function = sys.argv[1].rsplit(".", 1)
read = getattr(importlib.import_module(module), function)
for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
    try:
        read(path)
        outcome = "valid"
    except WeightsError as error:
        good = str(error).startswith(str(path)) and len(str(error).splitlines()) == 1
        good = good and not isinstance(error.__cause__, MemoryError)
        outcome = "refused" if good else f"refused with {error!r}"
    except BaseException as error:
        outcome = f"raised {error!r}"
    print(path.name, outcome, flush=True)
"""


def outcomes_in_child(reader: str, folder: Path, seconds: float = 60) -> dict[str, str]:
    """What ``reader`` ("module.function") makes of each file in ``folder``: "refused", "valid", or what it raised.

    In a process of its own, of at most 4 GiB: a file may crash, hang or swell the reader; the test then fails and
    the suite goes on.
    """
    command = [sys.executable, "-c", READ_ALL, reader, str(folder)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"the reader hung after: {(error.stdout or b'')[-200:]!r}")
    assert run.returncode == 0, f"the reader died with {run.returncode} after: {run.stdout[-200:]} {run.stderr[-500:]}"
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


def flipped_files(path: Path, count: int) -> Path:
    """A folder of ``count`` copies of the file, each with 1 to 10 bits flipped."""
    data, folder = path.read_bytes(), path.with_name("flipped")
    folder.mkdir()
    for seed in range(count):
        generator, damaged = random.Random(seed), bytearray(data)
        for _ in range(generator.choice((1, 3, 10))):
            damaged[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        (folder / f"{seed:03}").write_bytes(damaged)
    return folder


@contextlib.contextmanager
def peak_memory(below: float) -> Iterator[None]:
    """Fails if more than ``below`` bytes are allocated at once inside."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < below, f"{peak / 1e6:.0f} MB"


def assert_same_layers(ours: object, theirs: object) -> None:
    """Equal names in equal order, equal numbers."""
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    assert list(ours) == list(theirs)
    for name, arrays in theirs.items():
        for a, b in zip(ours[name], arrays, strict=True):
            np.testing.assert_array_equal(a, b)


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
