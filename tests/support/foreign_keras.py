"""VGG files as Keras writes them: Keras 3 itself, and older layouts by h5py. See foreign_files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from minstyle.network.layers import layer_names
from minstyle.network.weightfile import Weights
from tests.weights.readers.test_keras_h5 import write_keras

KERAS3 = """
import sys, numpy, keras
arrays = numpy.load(sys.argv[1])
layers = [name for name in sys.argv[3].split(",")]
x = image = keras.Input((32, 32, 3))
for name in layers:
    if name.endswith("pool"):
        x = keras.layers.MaxPooling2D(2, name=name)(x)
    else:
        kernel = arrays[name + "_kernel"]
        x = keras.layers.Conv2D(kernel.shape[3], 3, padding="same", activation="relu", name=name)(x)
model = keras.Model(image, x)
for name in layers:
    if not name.endswith("pool"):
        model.get_layer(name).set_weights([arrays[name + "_kernel"], arrays[name + "_bias"]])
for path in sys.argv[2].split(","):
    if path.endswith(".weights.h5"):
        model.save_weights(path)
    elif path.endswith("nested.h5"):
        keras.Sequential([model, keras.layers.Flatten(), keras.layers.Dense(3)]).save(path)
    else:
        model.save(path)
"""


def write_keras3(weights: Weights, *paths: Path) -> None:
    """Keras itself, on its PyTorch backend, saves keras.applications' VGG with these weights; a name decides how."""
    numbers = paths[0].with_name("arrays.npz")
    kernels = {f"{layer}_kernel": kernel for layer, (kernel, _) in weights.layers.items()}
    biases = {f"{layer}_bias": bias for layer, (_, bias) in weights.layers.items()}
    np.savez(numbers, **kernels, **biases)
    arguments = [str(numbers), ",".join(map(str, paths)), ",".join(layer_names(weights.network))]
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", KERAS3, *arguments], env=environment, check=True,
                   capture_output=True)  # fmt: skip


def keras3_weights(path: Path, weights: Weights) -> Path:
    write_keras3(weights, path.with_suffix(".weights.h5"))
    return path.with_suffix(".weights.h5")


def keras3_legacy(path: Path, weights: Weights) -> Path:
    write_keras3(weights, path.with_suffix(".h5"))
    return path.with_suffix(".h5")


def keras3_nested(path: Path, weights: Weights) -> Path:
    write_keras3(weights, path.with_name("nested.h5"))
    return path.with_name("nested.h5")


def keras_old(path: Path, weights: Weights) -> Path:
    return write_keras(path, weights, names="W_1:0", top=True)


def keras_old_model(path: Path, weights: Weights) -> Path:
    return write_keras(path, weights, names="kernel:0", root="model_weights/vgg19")
