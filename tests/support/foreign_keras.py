"""VGG files as Keras writes them: Keras 3 itself, and older layouts by h5py. See foreign_files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from minstyle.network.layers import layer_names
from minstyle.network.weightfile import Weights

# What the kernel and the bias of a layer were called, from the first files on.
DATASETS = {
    "W_1:0": ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0"),
    "W:0": ("{0}/{0}_W:0", "{0}/{0}_b:0"),
    "kernel:0": ("{0}/{0}/kernel:0", "{0}/{0}/bias:0"),
    "kernel": ("{0}/kernel", "{0}/bias"),
}


def write_keras(path: Path, weights: Weights, names: str = "kernel:0", root: str = "/", top: bool = False) -> Path:
    """A VGG as Keras saves it: groups for all layers, those without weights too, and names in attributes."""
    order = ["input_1", *layer_names(weights.network)]
    kernel_name, bias_name = DATASETS[names]
    arrays: dict[str, np.ndarray] = {}
    for layer, (kernel, bias) in weights.layers.items():
        arrays |= {kernel_name.format(layer): kernel, bias_name.format(layer): bias}
    if top:
        order += ["flatten", "fc1", "fc2", "predictions"]
        for layer, shape in (("fc1", (98, 12)), ("fc2", (12, 12)), ("predictions", (12, 7))):
            arrays |= {
                kernel_name.format(layer): np.ones(shape, "f4"),
                bias_name.format(layer): np.ones(shape[1], "f4"),
            }
    with h5py.File(path, "w") as file:
        base = file.require_group(root)
        base.attrs["layer_names"] = np.array(order, "S")
        base.attrs["backend"], base.attrs["keras_version"] = np.bytes_("tensorflow"), np.bytes_("2.2.4")
        for layer in order:
            names_inside = [name.removeprefix(f"{layer}/") for name in arrays if name.split("/")[0] == layer]
            base.create_group(layer).attrs["weight_names"] = np.array(names_inside, "S60")
        for name, array in arrays.items():
            base[name] = array
        if root != "/":
            file["optimizer_weights/iteration:0"] = 3
    return path


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
