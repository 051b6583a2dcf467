"""The features of a network as PyTorch computes them, and how far a converted file's are from them."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from tests.support.small import picture
from tools.torch_twin.network import Network as Twin

CHANNELS = (4, 6, 8, 10, 10)


def torch_features(weights: Weights, preprocessed: np.ndarray) -> dict[str, np.ndarray]:
    """What PyTorch's twin of the network gives after each ReLU and pooling for an image (H, W, 3), in float64.

    The image is preprocessed as the authors of the network do: what the weights say of that is not used.
    """
    plain = dataclasses.replace(weights, mean=(0, 0, 0), std=(1, 1, 1), channel_order="RGB")
    twin = Twin(plain, torch.float64, torch.contiguous_format, unit=1, white=255, pooling="max", padding="constant")
    relus = {name: re.sub("block(.)_conv", r"relu\1_", name) for name in weights.layers}
    with torch.no_grad():
        maps = twin.features(torch.from_numpy(preprocessed.transpose(2, 0, 1).copy()), list(relus.values()))
        features = {name: maps[relu] for name, relu in relus.items()}
        for block, count in enumerate(twin.blocks, start=1):
            features[f"block{block}_pool"] = functional.max_pool2d(features[f"block{block}_conv{count}"], 2)
    return {name: x.numpy().transpose(1, 2, 0) for name, x in features.items()}


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
