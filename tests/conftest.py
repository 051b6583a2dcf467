"""What the tests share: array libraries, small networks, pictures, the real VGG16."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from minstyle.backend import choose_device
from minstyle.errors import WeightsError
from minstyle.network.layers import BLOCKS
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.fetch import fetch
from minstyle.weights.locate import find_weights

if TYPE_CHECKING:
    from .studio import Studio

GPU = choose_device("auto")


@pytest.fixture(params=["numpy", "cupy"])
def xp(request: pytest.FixtureRequest) -> ModuleType:
    """NumPy, and CuPy where a device answers."""
    if request.param == "cupy" and GPU.name != "gpu":
        pytest.skip(GPU.note)
    return GPU.xp if request.param == "cupy" else np


def random_weights(network: str, channels: tuple[int, ...], seed: int = 0, through: int | None = None) -> Weights:
    """A VGG of that name with ``channels`` in its five blocks and random kernels that keep activations of one size."""
    generator = np.random.default_rng(seed)
    layers, cin = {}, 3
    for block, (count, cout) in enumerate(zip(BLOCKS[network], channels, strict=True), start=1):
        for i in range(1, count + 1):
            kernel = generator.standard_normal((3, 3, cin, cout), dtype=np.float32) * np.sqrt(2 / (9 * cin))
            bias = 0.1 * generator.standard_normal(cout, dtype=np.float32)
            layers[f"block{block}_conv{i}"] = (kernel.astype(np.float32), bias)
            cin = cout
    return Weights(
        network=network,
        mean=(123.68, 116.779, 103.939),
        std=(1.0, 1.0, 1.0),
        channel_order="BGR",
        layers=dict(list(layers.items())[:through]),
        source="random",
    )


@pytest.fixture(scope="session")
def tiny_weights() -> Weights:
    return random_weights("vgg19", (4, 6, 8, 10, 10))


@pytest.fixture(scope="session")
def tiny_network(tiny_weights: Weights) -> Network:
    return Network(tiny_weights, dtype=np.float64)


@pytest.fixture(scope="session")
def vgg16_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real VGG16: fetched as a user would; without a network connection, the installed file."""
    try:
        return fetch("vgg16", tmp_path_factory.mktemp("weights"))
    except WeightsError:
        return find_weights("vgg16")


@pytest.fixture(scope="session")
def vgg16_weights(vgg16_file: Path) -> Weights:
    return read_weights(vgg16_file)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth random image (H, W, 3), 0..255: colours that change over some pixels, as in a photograph."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 16.0
    image = np.zeros((height, width, 3))
    for _ in range(6):
        fy, fx, phase = generator.uniform(0, 3, 3)
        image += np.sin(fy * y + fx * x + phase)[:, :, None] * generator.uniform(-1, 1, 3)
    image += 0.2 * generator.standard_normal(image.shape)
    image -= image.min()
    return (255 * image / image.max()).astype(np.float32)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    from .studio import Studio  # it needs this file

    return Studio(tmp_path)
