"""Whatever else lies in a weights file is refused in one line, and does no harm."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from minstyle.network.weightfile import Weights
from tests.network.weightfile.refusals import TEXTS, Edit, refusal
from tests.support.damaged import flipped_files, outcomes_in_child
from tests.support.memory import peak_memory

# ---------------------------------------------------------------- files that are refused


def attribute(name: str, value: object) -> Edit:
    """Set an attribute; texts in the form, of fixed or variable length, in which the file's own texts are."""

    def edit(file: h5py.File) -> None:
        fixed = isinstance(file.attrs["network"], bytes)
        file.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) and fixed else value

    return edit


def without(name: str) -> Edit:
    return lambda file: file.attrs.__delitem__(name)


def item(name: str, value: object) -> Edit:
    """Replace (or, with None, delete) a dataset or group."""

    def edit(file: h5py.File) -> None:
        for old in (name.removesuffix("/inside"), name):
            if old in file:
                del file[old]
        if value is not None:
            file[name] = value

    return edit


def entry(name: str, value: float) -> Edit:
    """Set the last number of a dataset."""
    return lambda file: file[name].__setitem__((-1,) * file[name].ndim, value)


def zeros(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.zeros(shape, dtype)


KERNEL, BIAS = "block2_conv1/kernel", "block2_conv1/bias"  # of shapes (3, 3, 2, 3) and (3,)
WRONG: dict[str, tuple[Edit, str]] = {
    "no format": (without("format"), "not of format minstyle-weights"),
    "another format": (attribute("format", "weights of ours"), "not of format minstyle-weights"),
    "a later version": (attribute("version", 2), "version: expected 1, got 2"),
    "no version": (without("version"), "version: expected 1, got None"),
    "no mean": (without("mean"), "mean: expected three finite numbers"),
    "no std": (without("std"), "std: expected three finite numbers"),
    "a short mean": (attribute("mean", (1.0, 2.0)), "mean: expected three finite numbers, got (1.0, 2.0)"),
    "a long std": (attribute("std", np.ones((2, 2))), "std: expected three finite numbers, got (1.0, 1.0, 1.0, 1.0)"),
    "a mean of words": (attribute("mean", "grey"), "mean: expected three finite numbers, got b'grey'"),
    "NaN in mean": (attribute("mean", (1.0, np.nan, 2.0)), "mean: expected three finite numbers, got (1.0, nan"),
    "infinite std": (attribute("std", (1.0, 1.0, np.inf)), "std: expected three finite numbers, got (1.0, 1.0, inf"),
    "zero std": (attribute("std", (1.0, 0.0, 1.0)), "std: expected numbers above 0, got (1.0, 0.0, 1.0)"),
    "negative std": (attribute("std", (1.0, 1.0, -1.0)), "std: expected numbers above 0, got (1.0, 1.0, -1.0)"),
    "channels GBR": (attribute("channel_order", "GBR"), "channel_order: expected RGB or BGR, got GBR"),
    "channels rgb": (attribute("channel_order", "rgb"), "channel_order: expected RGB or BGR, got rgb"),
    "several lines": (attribute("channel_order", "RGB\npainted out.png"), "channel_order"),
    "a layer's name of two lines": (item("a\nb/kernel", zeros(3)), "a b"),
    "rank 3": (item(KERNEL, zeros(3, 3, 6)), f"{KERNEL}: expected shape (3, 3, 2, Cout), got (3, 3, 6)"),
    "5x5": (item(KERNEL, zeros(5, 5, 2, 3)), f"{KERNEL}: expected shape (3, 3, 2, Cout), got (5, 5, 2, 3)"),
    "broken chain": (item(KERNEL, zeros(3, 3, 4, 3)), f"{KERNEL}: expected shape (3, 3, 2, Cout), got (3, 3, 4, 3)"),
    "first not RGB": (item("block1_conv1/kernel", zeros(3, 3, 4, 2)), "shape (3, 3, 3, Cout), got (3, 3, 4, 2)"),
    "no channel": (item(KERNEL, zeros(3, 3, 2, 0)), f"{KERNEL}: expected shape (3, 3, 2, Cout), got (3, 3, 2, 0)"),
    "long bias": (item(BIAS, zeros(4)), f"{BIAS}: expected shape (3,), got (4,)"),
    "scalar bias": (item(BIAS, np.float32(1)), f"{BIAS}: expected shape (3,), got ()"),
    "bias of rank 2": (item(BIAS, zeros(3, 1)), f"{BIAS}: expected shape (3,), got (3, 1)"),
    "integers": (item(KERNEL, zeros(3, 3, 2, 3, dtype=np.int32)), f"{KERNEL}: expected float32 or float16, got int32"),
    "doubles": (item(BIAS, zeros(3, dtype=np.float64)), f"{BIAS}: expected float32 or float16, got float64"),
    "words": (item(BIAS, "zero"), f"{BIAS}: expected float32 or float16, got object"),
    "no data": (item(BIAS, h5py.Empty("f4")), ""),
    "NaN": (entry(KERNEL, np.nan), f"{KERNEL}: expected finite numbers"),
    "infinite": (entry(BIAS, -np.inf), f"{BIAS}: expected finite numbers"),
    "no kernel": (item(KERNEL, None), f"{KERNEL}: expected a dataset"),
    "no bias": (item(BIAS, None), f"{BIAS}: expected a dataset"),
    "group for kernel": (item(f"{KERNEL}/inside", zeros(3)), f"{KERNEL}: expected a dataset"),
    "dataset for layer": (item("block2_conv1", zeros(3)), "block2_conv1"),
    "dangling link": (item(KERNEL, h5py.SoftLink("/nowhere")), KERNEL),
    "link to itself": (item(KERNEL, h5py.SoftLink(f"/{KERNEL}")), ""),
    "unknown layer": (lambda file: file.move("block5_conv3", "fc1"), "names like block1_conv1, got fc1"),
    "layer 10": (lambda file: file.move("block5_conv3", "block5_conv10"), "names like block1_conv1, got block5_conv10"),
}  # fmt: skip
for name in TEXTS:
    WRONG[f"no {name}"] = (without(name), f"attribute {name}: expected a text, got None")
    WRONG[f"{name} a number"] = (attribute(name, 16), f"attribute {name}: expected a text, got 16")


@pytest.mark.parametrize(("edit", "expected"), list(WRONG.values()), ids=list(WRONG))
def test_each_wrong_thing_is_refused_and_named(path: Path, edit: Edit, expected: str) -> None:
    with h5py.File(path, "r+") as file:
        edit(file)
    assert expected in refusal(path)


def test_a_file_without_layers_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.clear()
    assert "at least one layer" in refusal(path)


def test_a_missing_file_and_a_folder_are_told_so(tmp_path: Path) -> None:
    assert "not found" in refusal(tmp_path / "vgg19.h5")
    assert "not found" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF", b"\x89HDF\r\n\x1a\n", b"\x80\x04}.", b"some text\n" * 500])
def test_what_is_no_hdf5_file_is_told_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.h5").write_bytes(content)
    assert "not a whole HDF5 file" in refusal(tmp_path / "w.h5")


def test_a_keras_file_is_refused_with_the_way_to_convert_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        file["block1_conv1/block1_conv1/kernel:0"] = zeros(3, 3, 3, 64)
    assert "python -m minstyle.weights convert SRC DST" in refusal(tmp_path / "keras.h5")


@pytest.mark.parametrize("where", ["front", "back"])
def test_a_file_cut_anywhere_is_refused(path: Path, where: str) -> None:
    data = path.read_bytes()
    for k in range(1, 64):
        at = len(data) * k // 64
        path.write_bytes(data[:at] if where == "front" else data[at:])
        refusal(path)


# ---------------------------------------------------------------- files made to harm


@pytest.mark.parametrize("storage", ["never written", "compressed"])
@pytest.mark.parametrize("shape", [(3, 3, 3, 2**40), (3, 3, 3, 4_000_000), (3, 3, 4096, 4096), (2**30,)])
def test_an_absurd_declared_size_is_refused_without_memory(path: Path, shape: tuple[int, ...], storage: str) -> None:
    options = {"chunks": (1,) * (len(shape) - 1) + (1024,), "compression": 9} if storage == "compressed" else {}
    with h5py.File(path, "r+") as file:
        del file["block1_conv1/kernel"]
        file.create_dataset("block1_conv1/kernel", shape, np.float32, **options)
    with peak_memory(below=64e6):
        assert "block1_conv1/kernel" in refusal(path)


def test_many_large_layers_are_refused_before_they_fill_the_memory(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for block in range(6, 10):
            for i in range(1, 10):
                file.create_dataset(f"block{block}_conv{i}/kernel", (3, 3, 512, 512), np.float32)
                file.create_dataset(f"block{block}_conv{i}/bias", (512,), np.float32)
    with peak_memory(below=200e6):  # VGG19 itself needs 80 MB
        refusal(path)


def test_damaged_text_storage_does_not_hang_the_reader(path: Path, weights: Weights) -> None:
    """HDF5 walks its heap of variable-length texts by the sizes found there; a size of nothing is walked forever."""
    folder = path.with_name("damaged")
    folder.mkdir()
    with h5py.File(path) as good, h5py.File(folder / "w.h5", "w") as file:
        for name in good:
            good.copy(name, file)
        file.attrs.update(good.attrs)
        for name in ("format", *TEXTS):
            file.attrs[name] = "minstyle-weights" if name == "format" else getattr(weights, name)
    data = bytearray((folder / "w.h5").read_bytes())
    at = data.index(b"GCOL") + 16
    while struct.unpack_from("<H", data, at)[0] != 0:  # the objects' numbers; 0 is the free space after them
        at += 16 + (struct.unpack_from("<Q", data, at + 8)[0] + 7) // 8 * 8
    struct.pack_into("<Q", data, at + 8, 0)
    (folder / "w.h5").write_bytes(data)
    assert outcomes_in_child("minstyle.network.weightfile.read_weights", folder, seconds=10) == {"w.h5": "refused"}


def test_flipped_bits_are_refused_or_leave_a_valid_file(path: Path) -> None:
    outcomes = outcomes_in_child("minstyle.network.weightfile.read_weights", flipped_files(path, 300))
    assert set(outcomes.values()) == {"refused", "valid"}
