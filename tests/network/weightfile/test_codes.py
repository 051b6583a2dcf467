"""network/codes.py and the weights file: kernels as codes with a codebook."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from minstyle.errors import WeightsError
from minstyle.network.codes import Codes
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights, write_weights
from tests.support.small import picture, random_weights


def coded(size: int = 7) -> Weights:
    """A tiny VGG whose second and third kernels are codes."""
    weights, generator = random_weights("vgg19", (2, 3, 2, 3, 2)), np.random.default_rng(1)
    layers, codes = dict(weights.layers), {}
    for name in list(layers)[1:3]:
        kernel, bias = layers[name]
        book = np.sort(generator.standard_normal(size)).astype(np.float32)
        codes[name] = Codes(generator.integers(0, size, kernel.shape).astype(np.uint8), book)
        layers[name] = (codes[name].decode(), bias)
    return dataclasses.replace(weights, layers=layers, codes=codes)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("size", [1, 7, 256])
def test_codes_come_back_as_they_were(tmp_path: Path, size: int, dtype: Any) -> None:
    weights = coded(size)
    write_weights(tmp_path / "net.h5", weights, dtype)
    found = read_weights(tmp_path / "net.h5")
    assert list(found.codes) == list(weights.codes)
    for name, codes in weights.codes.items():
        np.testing.assert_array_equal(found.codes[name].codes, codes.codes)
        np.testing.assert_array_equal(found.codes[name].codebook, codes.codebook)
        np.testing.assert_array_equal(found.layers[name][0], weights.layers[name][0])
        assert found.layers[name][0].dtype == np.float32
    with h5py.File(tmp_path / "net.h5") as file:
        name = next(iter(weights.codes))
        assert file[name]["kernel"].dtype == np.uint8
        assert file[name]["codebook"].dtype == np.float32


def test_a_network_computes_with_the_decoded_kernels(tmp_path: Path) -> None:
    weights = coded()
    write_weights(tmp_path / "net.h5", weights)
    plain = dataclasses.replace(weights, codes={})
    one, other = (
        Network(w).features(picture(32, 40), ["block5_conv2"])["block5_conv2"]
        for w in (read_weights(tmp_path / "net.h5"), plain)
    )
    np.testing.assert_array_equal(one, other)


def replace(file: h5py.File, part: str, data: Any) -> None:
    group = file["block1_conv2"]
    del group[part]
    if data is not None:
        group.create_dataset(part, data=data)


@pytest.mark.parametrize(("edit", "words"), [
    (lambda f: replace(f, "codebook", np.zeros(6, np.float32)), r"codes: expected codes below 6, the codebook's size"),
    (lambda f: replace(f, "codebook", np.zeros(257, np.float32)), "codebook: expected 1 to 256 numbers"),
    (lambda f: replace(f, "codebook", np.zeros(0, np.float32)), "codebook: expected 1 to 256 numbers"),
    (lambda f: replace(f, "codebook", np.zeros((7, 1), np.float32)), "codebook: expected 1 to 256 numbers"),
    (lambda f: replace(f, "codebook", np.full(7, np.nan, np.float32)), "codebook: expected finite numbers"),
    (lambda f: replace(f, "codebook", np.zeros(7, np.float64)), "codebook: expected float32, got float64"),
    (lambda f: replace(f, "codebook", None), "kernel: expected float32 or float16, got uint8"),
    (lambda f: replace(f, "kernel", np.zeros((3, 3, 2, 2), np.float32)), "kernel: expected uint8, got float32"),
    (lambda f: replace(f, "kernel", np.zeros((3, 3, 2, 3), np.uint8)), "block"),
], ids=["too small", "too large", "empty", "two axes", "NaN", "float64", "missing", "no codes", "shape"])  # fmt: skip
def test_what_is_wrong_with_codes_is_one_line(tmp_path: Path, edit: Callable[[h5py.File], None], words: str) -> None:
    path = tmp_path / "net.h5"
    write_weights(path, coded())
    with h5py.File(path, "a") as file:
        edit(file)
    with pytest.raises(WeightsError, match=words) as caught:
        read_weights(path)
    assert len(str(caught.value).splitlines()) == 1
    assert str(path) in str(caught.value)


def test_codes_that_stand_for_another_kernel_are_refused() -> None:
    weights = coded()
    name = next(iter(weights.codes))
    layers = {**weights.layers, name: (weights.layers[name][0] + 1, weights.layers[name][1])}
    with pytest.raises(WeightsError, match=f"{name}/kernel: expected the kernel that its codes stand for"):
        dataclasses.replace(weights, layers=layers)
