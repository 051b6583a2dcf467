"""weights/convert.py: a converted network computes the features that PyTorch computes with its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.convert import convert
from tests.support.foreign_arrays import published_pickle
from tests.support.foreign_keras import write_keras
from tests.support.small import picture, random_weights
from tests.support.torch_features import CHANNELS, as_caffe, as_torchvision, torch_features


@pytest.mark.parametrize(("network", "write", "preprocess"), [
    ("vgg16", published_pickle, as_torchvision), ("vgg16", write_keras, as_caffe), ("vgg19", write_keras, as_caffe),
], ids=["vgg16 pickle", "vgg16 keras", "vgg19 keras"])  # fmt: skip
def test_a_converted_file_gives_the_features_of_pytorch(
    tmp_path: Path, network: str, write: Callable[[Path, Weights], Path],
    preprocess: Callable[[np.ndarray], np.ndarray],
) -> None:  # fmt: skip
    made = random_weights(network, CHANNELS)
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
