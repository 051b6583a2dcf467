"""Small networks and pictures, made at random."""

from __future__ import annotations

import numpy as np

from minstyle.network.layers import BLOCKS
from minstyle.network.weightfile import Weights


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
