"""network/weightfile.py: what is written is what is read."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from minstyle.errors import FileError, WeightsError
from minstyle.network.weightfile import Weights, read_weights, write_weights
from tests.network.weightfile.refusals import TEXTS
from tests.support.small import random_weights

# ---------------------------------------------------------------- writing and reading back


@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_float32_comes_back_bit_by_bit(tmp_path: Path, network: str) -> None:
    written = random_weights(network, (2, 3, 2, 3, 2))
    write_weights(tmp_path / "w.h5", written)
    read = read_weights(tmp_path / "w.h5")
    assert list(read.layers) == list(written.layers)
    for name, arrays in written.layers.items():
        for ours, theirs in zip(read.layers[name], arrays, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs)
    for field in ("mean", "std", *TEXTS):
        assert getattr(read, field) == getattr(written, field)


def test_float16_comes_back_within_half_precision(tmp_path: Path, weights: Weights) -> None:
    write_weights(tmp_path / "half.h5", weights, np.float16)
    for name, arrays in read_weights(tmp_path / "half.h5").layers.items():
        for half, full in zip(arrays, weights.layers[name], strict=True):
            assert half.dtype == np.float16
            # Half a unit in the last place: relative for normal numbers, absolute below 2^-14.
            assert np.all(np.abs(half.astype(np.float64) - full) <= np.maximum(2.0**-11 * np.abs(full), 2.0**-25))


def test_arrays_of_any_float_type_byte_order_and_layout_are_written(tmp_path: Path, weights: Weights) -> None:
    kernel, bias = weights.layers["block1_conv1"]
    odd = (np.asfortranarray(kernel.astype(">f8")), np.repeat(bias, 2).astype(">f4")[::2])
    write_weights(tmp_path / "w.h5", dataclasses.replace(weights, layers={"block1_conv1": odd}, projections={}))
    for ours, theirs in zip(read_weights(tmp_path / "w.h5").layers["block1_conv1"], (kernel, bias), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_file_is_laid_out_as_documented(path: Path, weights: Weights) -> None:
    def plain(value: object) -> object:
        return value.decode() if isinstance(value, bytes) else value

    with h5py.File(path) as file:
        attributes = {name: plain(file.attrs[name]) for name in file.attrs}
        assert attributes.pop("format") == "minstyle-weights"
        assert attributes.pop("version") == 1
        for name in ("mean", "std"):
            np.testing.assert_array_equal(attributes.pop(name), getattr(weights, name))
        assert attributes == {name: getattr(weights, name) for name in TEXTS}
        assert set(file) == set(weights.layers)
        for name, (kernel, bias) in weights.layers.items():
            assert set(file[name]) == set(weights.parts(name))
            assert file[f"{name}/kernel"].shape == kernel.shape
            assert file[f"{name}/bias"].shape == bias.shape


def test_layers_come_in_network_order_whatever_the_order_in_the_file(path: Path, weights: Weights) -> None:
    shuffled = path.with_name("shuffled.h5")
    with h5py.File(path) as good, h5py.File(shuffled, "w", track_order=True) as file:
        file.attrs.update(good.attrs)
        for name in reversed(list(good)):
            good.copy(name, file)
        assert next(iter(file)) == "block5_conv3"
    assert list(read_weights(shuffled).layers) == list(weights.layers)


# ---------------------------------------------------------------- writing that fails


@pytest.mark.parametrize(("part", "value", "dtype"), [
    ("kernel", 7e4, np.float16), ("bias", -1e5, np.float16), ("kernel", 1e39, np.float32),
])  # fmt: skip
def test_numbers_beyond_the_range_are_refused_not_stored_as_infinite(
    tmp_path: Path, weights: Weights, part: str, value: float, dtype: Any
) -> None:
    layers = {
        name: (kernel.astype(np.float64), bias.astype(np.float64)) for name, (kernel, bias) in weights.layers.items()
    }
    layers["block2_conv1"][part == "bias"].flat[0] = value
    with pytest.raises(WeightsError, match=f"block2_conv1/{part}.*{np.dtype(dtype)}"):
        write_weights(tmp_path / "w.h5", dataclasses.replace(weights, layers=layers), dtype)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dtype", [np.int32, np.float64, ">f4"])
def test_other_types_in_a_file_are_refused(tmp_path: Path, weights: Weights, dtype: Any) -> None:
    with pytest.raises(WeightsError, match=r"dtype: expected float32 or float16, got"):
        write_weights(tmp_path / "w.h5", weights, dtype)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_a_failing_write_keeps_the_older_file_and_leaves_no_other(
    path: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before, create = path.read_bytes(), h5py.Group.create_dataset

    def fail_in_block3(group: h5py.Group, *arguments: Any, **keywords: Any) -> h5py.Dataset:
        if group.name.startswith("/block3"):
            raise error
        return create(group, *arguments, **keywords)

    monkeypatch.setattr(h5py.Group, "create_dataset", fail_in_block3)
    with pytest.raises(FileError if isinstance(error, OSError) else type(error)):
        write_weights(path, weights)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
