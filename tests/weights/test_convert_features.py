"""weights/convert.py: a converted network computes the features that PyTorch computes with its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from minstyle.network.layers import BLOCKS
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.convert import convert
from tests.support.small import picture, random_weights
from tests.weights.readers.test_keras_h5 import write_keras
from tests.weights.test_convert import write_pickle


def torch_features(weights: Weights, preprocessed: np.ndarray) -> dict[str, np.ndarray]:
    """What torchvision's VGG, built with these weights, gives after each ReLU and pooling for an image (H, W, 3)."""
    modules: dict[str, list[torch.nn.Module]] = {}
    for block, count in enumerate(BLOCKS[weights.network], start=1):
        for i in range(1, count + 1):
            name = f"block{block}_conv{i}"
            kernel, bias = weights.layers[name]
            convolution = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1, dtype=torch.float64)
            convolution.weight.data = torch.from_numpy(kernel.transpose(3, 2, 0, 1).astype(np.float64))
            assert convolution.bias is not None
            convolution.bias.data = torch.from_numpy(bias.astype(np.float64))
            modules[name] = [convolution, torch.nn.ReLU()]
        modules[f"block{block}_pool"] = [torch.nn.MaxPool2d(2, 2)]
    x = torch.from_numpy(np.ascontiguousarray(preprocessed.transpose(2, 0, 1)))[None]
    features = {}
    with torch.no_grad():
        for name, steps in modules.items():
            x = torch.nn.Sequential(*steps)(x)
            features[name] = x[0].numpy().transpose(1, 2, 0)
    return features


def as_caffe(image: np.ndarray) -> Any:
    """Keras's preprocess_input for its VGGs: BGR, minus ImageNet's mean."""
    return image[:, :, ::-1] - np.array([103.939, 116.779, 123.68])


def as_torchvision(image: np.ndarray) -> Any:
    """torchvision's ToTensor and Normalize: 0..1, minus the mean, divided by the deviation."""
    return (image / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])


@pytest.mark.parametrize(("network", "write", "preprocess"), [
    ("vgg16", write_pickle, as_torchvision), ("vgg16", write_keras, as_caffe), ("vgg19", write_keras, as_caffe),
], ids=["vgg16 pickle", "vgg16 keras", "vgg19 keras"])  # fmt: skip
def test_a_converted_file_gives_the_features_of_pytorch(
    tmp_path: Path, network: str, write: Callable[[Path, Weights], Path],
    preprocess: Callable[[np.ndarray], np.ndarray],
) -> None:  # fmt: skip
    made = random_weights(network, (4, 6, 8, 10, 10))
    target = tmp_path / "converted.h5"
    convert(write(tmp_path / "source", made), target)
    image = picture(51, 38).astype(np.float64)
    ours = Network(read_weights(target), dtype=np.float64)
    features = ours.features(image, ours.layers)
    expected = torch_features(made, preprocess(image))
    assert features.keys() == expected.keys()
    for name, value in expected.items():
        assert value.max() > 0, "a layer that says nothing would hide a mistake"
        assert np.abs(features[name] - value).max() <= 1e-10 * np.abs(value).max()
