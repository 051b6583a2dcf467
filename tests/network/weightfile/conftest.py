"""A good weights file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from minstyle.network.weightfile import Weights, write_weights
from tests.support.small import random_weights


@pytest.fixture
def weights() -> Weights:
    made = random_weights("vgg16", (2, 3, 2, 3, 2))
    projection = np.random.default_rng(1).standard_normal((3, 2)).astype(np.float32)
    return dataclasses.replace(
        made, source="a file", source_sha256="12ab", licence="CC BY 4.0, © Oxford",
        projections={"block2_conv1": projection},
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path, weights: Weights) -> Path:
    """A good file."""
    write_weights(tmp_path / "vgg.h5", weights)
    return tmp_path / "vgg.h5"
