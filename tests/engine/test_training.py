"""The engine can train a network too: gradients to kernels and biases, and a small network that learns a wider one's.

training/train_mini.py does this at full size, with PyTorch.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from minstyle.engine import ops
from minstyle.engine.autodiff import Var, gradient, value_of
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from tests.support.small import picture, random_weights

TAPS = ("block1_conv1", "block2_conv1")
Parameters = dict[str, np.ndarray]


def features(x: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """A thin VGG up to block2_conv1 whose features at TAPS are mapped to the teacher's channels."""
    found = {}
    for name in ("block1_conv1", "block1_conv2", "block2_conv1"):
        x = ops.max_pool2(x) if name == "block2_conv1" else x
        x = ops.relu(ops.conv2d(x, parameters[f"{name}/kernel"], parameters[f"{name}/bias"]))
        if name in TAPS:
            projection = parameters[f"{name}/projection"]
            found[name] = ops.conv2d(x, projection, np.zeros(projection.shape[3]))
    return found


def loss_of(parameters: dict[str, Any], image: np.ndarray, targets: dict[str, np.ndarray]) -> Any:
    """The sum of the relative squared errors at TAPS."""
    errors = [
        ops.scale(ops.squared_error(f, targets[name]), factor=1 / float((targets[name] ** 2).sum()))
        for name, f in features((image - 118) / 58, parameters).items()
    ]
    return functools.reduce(ops.add, errors)


def start(teacher: Weights, random: np.random.Generator) -> Parameters:
    parameters, cin = {}, 3
    for name in ("block1_conv1", "block1_conv2", "block2_conv1"):
        parameters[f"{name}/kernel"] = random.standard_normal((3, 3, cin, 4)) * np.sqrt(2 / (9 * cin))
        parameters[f"{name}/bias"] = np.zeros(4)
        cin = 4
    for name in TAPS:
        parameters[f"{name}/projection"] = random.standard_normal((1, 1, 4, teacher.layers[name][1].size)) / 2
    return parameters


def test_a_thin_network_learns_the_features_of_a_wider_one() -> None:
    teacher, random = random_weights("vgg16", (6, 8, 8, 8, 8)), np.random.default_rng(0)
    network, images = Network(teacher, dtype=np.float64), [picture(16, 16, seed) for seed in range(6)]
    targets = [network.features(image, TAPS) for image in images]
    parameters, first, second = start(teacher, random), {}, {}
    before = np.mean([float(loss_of(parameters, *pair)) for pair in zip(images, targets, strict=True)])
    for step in range(1, 121):  # Adam (Kingma, Ba 2015)
        i = step % 5  # the last picture is held back
        variables = {name: Var(value) for name, value in parameters.items()}
        gradients = gradient(loss_of(variables, images[i], targets[i]), list(variables.values()))
        for (name, value), g in zip(list(parameters.items()), gradients, strict=True):
            first[name] = 0.9 * first.get(name, 0.0) + 0.1 * g
            second[name] = 0.99 * second.get(name, 0.0) + 0.01 * g * g
            change = first[name] / (1 - 0.9**step) / (np.sqrt(second[name] / (1 - 0.99**step)) + 1e-12)
            parameters[name] = value - 0.02 * change
    after = [float(value_of(loss_of(parameters, *pair))) for pair in zip(images, targets, strict=True)]
    assert np.mean(after[:5]) < 0.4 * before
    assert after[5] < 0.5 * before
