"""network/weightfile.py: projections, written, read, and refused where they do not fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest

from minstyle.errors import WeightsError
from minstyle.network.weightfile import Weights, read_weights, write_weights


def test_a_projection_is_written_and_read(tmp_path: Path, tiny_weights: Weights) -> None:
    matrix = np.random.default_rng(0).standard_normal((6, 9)).astype(np.float16)
    weights = dataclasses.replace(tiny_weights, projections={"block2_conv1": matrix})
    write_weights(tmp_path / "thin.h5", weights, np.float16)
    read = read_weights(tmp_path / "thin.h5")
    assert list(read.projections) == ["block2_conv1"]
    np.testing.assert_array_equal(read.projections["block2_conv1"], matrix)


@pytest.mark.parametrize(
    ("name", "projection", "message"),
    [
        ("block9_conv1", np.ones((4, 2)), "block9_conv1/projection: expected that of a layer"),
        ("block2_conv1", np.ones((5, 2)), r"block2_conv1/projection: expected shape \(6, K\).*, got \(5, 2\)"),
        ("block2_conv1", np.ones((6, 0)), r"block2_conv1/projection: expected shape \(6, K\).*, got \(6, 0\)"),
        (
            "block2_conv1",
            np.ones((6, 513)),
            r"block2_conv1/projection: expected shape \(6, K\), K up to 512, got \(6, 513\)",
        ),
        ("block2_conv1", np.ones(6), r"block2_conv1/projection: expected shape \(6, K\).*, got \(6,\)"),
        ("block2_conv1", np.full((6, 2), np.nan), "block2_conv1/projection: expected finite numbers"),
        ("block2_conv1", np.ones((6, 2), dtype=int), "block2_conv1/projection: expected floating-point numbers"),
    ],
)
def test_a_projection_that_does_not_fit_is_refused(
    tiny_weights: Weights, name: str, projection: np.ndarray, message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        dataclasses.replace(tiny_weights, projections={name: projection})


def test_a_projection_of_the_wrong_kind_in_a_file_is_refused(tmp_path: Path, tiny_weights: Weights) -> None:
    path = tmp_path / "thin.h5"
    write_weights(path, tiny_weights)
    with h5py.File(path, "r+") as file:
        file["block2_conv1"].create_group("projection")
    with pytest.raises(WeightsError, match="block2_conv1/projection: expected a dataset"):
        read_weights(path)
