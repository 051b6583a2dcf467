"""The features of a network as PyTorch computes them, and how far a converted file's are from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from minstyle.network.layers import BLOCKS
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from tests.support.small import picture

CHANNELS = (4, 6, 8, 10, 10)


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


PREPROCESS = {
    "caffe": as_caffe,
    "caffe-rgb": lambda image: as_caffe(image)[:, :, ::-1],
    "torchvision": as_torchvision,
}


def difference(converted: Weights, made: Weights, normalisation: str, dtype: Any) -> float:
    """The largest difference of any layer's features to PyTorch's in double precision, as a part of the largest."""
    image = picture(51, 38).astype(np.float64)
    ours = Network(converted, dtype=dtype)
    features = ours.features(image.astype(dtype), ours.layers)
    expected = torch_features(made, PREPROCESS[normalisation](image))
    assert features.keys() == expected.keys()
    assert all(value.max() > 0 for value in expected.values()), "a layer that says nothing would hide a mistake"
    return max(float(np.abs(features[name] - value).max() / value.max()) for name, value in expected.items())


def rounded(weights: Weights, precision: Any) -> Weights:
    layers = {name: (k.astype(precision), b.astype(precision)) for name, (k, b) in weights.layers.items()}
    return Weights("vgg19", weights.mean, weights.std, weights.channel_order, layers)
