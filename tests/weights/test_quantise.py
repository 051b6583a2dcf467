"""weights/quantise.py: k-means on a line, and convert --bits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle.errors import WeightsError
from minstyle.network.weightfile import Weights, read_weights, write_weights
from minstyle.weights.__main__ import main
from minstyle.weights.convert import convert
from minstyle.weights.quantise import quantise
from tests.support.small import random_weights


def test_few_different_numbers_are_kept_exactly() -> None:
    kernel = np.random.default_rng(0).choice(np.linspace(-1, 2, 16, dtype=np.float32), (3, 3, 4, 5))
    codes, book = quantise(kernel, 4)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(book[codes], kernel)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.sampled_from([1, 2, 3]))
def test_every_number_gets_the_nearest_and_every_centre_is_a_mean(seed: int, bits: int) -> None:
    kernel = np.random.default_rng(seed).standard_normal((3, 3, 2, 9)).astype(np.float32)
    codes, book = quantise(kernel, bits)
    assert len(book) == 2**bits
    assert list(book) == sorted(book)
    assert (np.abs(kernel - book[codes]) <= np.abs(kernel[..., None] - book).min(axis=-1) + 1e-6).all()
    for c in np.unique(codes):
        assert kernel[codes == c].mean() == pytest.approx(book[c], abs=1e-5)


def test_eight_bits_of_a_normal_kernel_cost_less_than_a_percent() -> None:
    kernel = np.random.default_rng(0).standard_normal((3, 3, 64, 64)).astype(np.float32)
    errors = {}
    for bits in (8, 6, 5):
        codes, book = quantise(kernel, bits)
        errors[bits] = np.linalg.norm(book[codes] - kernel) / np.linalg.norm(kernel)
    assert errors[8] < 0.01 < errors[6] < 0.05
    assert errors[6] < errors[5]


@pytest.fixture
def plain(tmp_path: Path) -> Weights:
    weights = random_weights("vgg16", (4, 6, 8, 10, 10))
    write_weights(tmp_path / "plain.h5", weights)
    return weights


def test_convert_quantises_a_file_of_ours(tmp_path: Path, plain: Weights, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "plain.h5", tmp_path / "coded.h5"
    assert main(["convert", str(source), str(target), "--bits", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0] == "block1_conv1"
    found = read_weights(target)
    assert list(found.codes) == list(found.layers) == list(plain.layers)
    for line, (name, (kernel, bias)) in zip(lines[1:], plain.layers.items(), strict=True):
        error = np.linalg.norm(found.layers[name][0] - kernel) / np.linalg.norm(kernel)
        assert line.split() == [name, f"{error:.2%}"]
        assert error < 0.02
        np.testing.assert_array_equal(found.layers[name][1], bias)
    assert "quantised by k-means to 256 values a layer" in found.source
    assert main(["verify", str(target)]) == 0
    assert "13 as codes" in capsys.readouterr().out


def test_codes_stay_as_they_are_when_a_file_is_converted_again(tmp_path: Path, plain: Weights) -> None:
    once = convert(tmp_path / "plain.h5", tmp_path / "coded.h5", bits=3)
    again = convert(tmp_path / "coded.h5", tmp_path / "cut.h5", through="block3_conv1")
    assert list(again.layers)[-1] == "block3_conv1"
    for name in again.layers:
        np.testing.assert_array_equal(again.codes[name].codes, once.codes[name].codes)
        np.testing.assert_array_equal(read_weights(tmp_path / "cut.h5").layers[name][0], once.layers[name][0])


@pytest.mark.parametrize("bits", [0, 9])
def test_bits_are_one_to_eight(tmp_path: Path, plain: Weights, bits: int) -> None:
    with pytest.raises(WeightsError, match=f"bits: expected 1 to 8, got {bits}"):
        convert(tmp_path / "plain.h5", tmp_path / "coded.h5", bits=bits)
    assert not (tmp_path / "coded.h5").exists()


def test_a_small_network_is_quantised_with_its_projections(tmp_path: Path, plain: Weights) -> None:
    projections = {"block2_conv1": np.eye(6, dtype=np.float32)}
    write_weights(tmp_path / "small.h5", dataclasses.replace(plain, projections=projections))
    found = convert(tmp_path / "small.h5", tmp_path / "coded.h5", bits=8)
    np.testing.assert_array_equal(found.projections["block2_conv1"], projections["block2_conv1"])
