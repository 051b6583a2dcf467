"""VGG files as other programs write them: by those programs' own libraries, else byte by byte to the published layout.

Each writer takes a path and a Weights, writes the file and returns its path; FOREIGN lists them all.
"""

from __future__ import annotations

import struct
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors.numpy
import safetensors.torch
import torch
from onnx import TensorProto, helper, numpy_helper

from minstyle.network.layers import BLOCKS, layer_names
from minstyle.network.weightfile import Weights
from tests.support import foreign_arrays as arrays
from tests.support import foreign_keras as keras
from tests.support.foreign_arrays import short
from tests.support.harmful_pickles import Call
from tests.support.torch_records import Pickler, Stored

Writer = Callable[[Path, Weights], Path]


def counted(network: str, prefix: str = "features.") -> list[str]:
    """The names of the convolutions as torchvision counts its modules, ReLU and pooling among them."""
    names, number = [], 0
    for count in BLOCKS[network]:
        names += [f"{prefix}{number + 2 * i}" for i in range(count)]
        number += 2 * count + 1
    return names


def state_dict(weights: Weights, names: list[str] | None = None, dtype: Any = np.float32) -> dict[str, torch.Tensor]:
    """Names (default: torchvision's) to kernels (out, in, 3, 3) and biases, with a classifier behind them."""
    found = {}
    for name, (kernel, bias) in zip(names or counted(weights.network), weights.layers.values(), strict=True):
        found[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)).astype(dtype))
        found[f"{name}.bias"] = torch.from_numpy(bias.astype(dtype))
    return found | {"classifier.0.weight": torch.ones(4, 98), "classifier.0.bias": torch.ones(4)}


# ---------------------------------------------------------------- PyTorch


def torch_zip(path: Path, weights: Weights) -> Path:
    torch.save(state_dict(weights), path)
    return path


def torch_stream(path: Path, weights: Weights) -> Path:
    torch.save(state_dict(weights), path, _use_new_zipfile_serialization=False)
    return path


def torch_of_2017(path: Path, weights: Weights) -> Path:
    """The stream of PyTorch 0.1 under Python 2: another function's name, and ordered dictionaries as lists of pairs."""
    pairs, storages = [], {}
    for i, (name, tensor) in enumerate(state_dict(weights).items()):
        storages[f"{7 * i}"] = tensor.numpy()
        stored = Stored(tensor.numel(), torch.FloatStorage, f"{7 * i}", None)
        rebuilt = Call(torch._utils._rebuild_tensor, stored, 0, tuple(tensor.shape), tensor.stride())
        pairs.append([name, rebuilt])
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    with open(path, "wb") as file:
        for content in (0x1950A86A20F9469CFC6C, 1001, system, Call(OrderedDict, pairs), sorted(storages)):
            Pickler(file, 2).dump(content)
        for key in sorted(storages):
            file.write(struct.pack("<q", storages[key].size) + storages[key].tobytes())
    return path


def torch_checkpoint(path: Path, weights: Weights) -> Path:
    """What a training program saves: more than the network, whose names begin with "module."."""
    state = state_dict(weights, counted(weights.network, "module.features."))
    adam = {"state": {0: {"step": 3, "exp_avg": torch.ones(5)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    torch.save({"epoch": 3, "arch": "vgg", "best": 71.5, "state_dict": state, "optimizer": adam}, path)
    return path


def torch_checkpoint_stream(path: Path, weights: Weights) -> Path:
    torch_checkpoint(path, weights)
    torch.save(torch.load(path), path, _use_new_zipfile_serialization=False)
    return path


def torch_half(path: Path, weights: Weights) -> Path:
    torch.save(state_dict(weights, dtype=np.float16), path)
    return path


def torch_double_stream(path: Path, weights: Weights) -> Path:
    torch.save(state_dict(weights, dtype=np.float64), path, _use_new_zipfile_serialization=False)
    return path


def torch_caffe_names(path: Path, weights: Weights) -> Path:
    torch.save(state_dict(weights, [short(layer) for layer in weights.layers]), path)
    return path


def torch_module(path: Path, weights: Weights) -> Path:
    """A real module's dictionary, with PyTorch's remarks on it, and kernels that are views of one transposed array."""
    module = torch.nn.Module()
    module.features = torch.nn.Sequential()
    names = [name.removeprefix("features.") for name in counted(weights.network)]
    for name, (kernel, bias) in zip(names, weights.layers.values(), strict=True):
        convolution = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
        convolution.weight = torch.nn.Parameter(torch.from_numpy(kernel.copy()).permute(3, 2, 0, 1))
        convolution.bias = torch.nn.Parameter(torch.from_numpy(bias))
        module.features.add_module(name, convolution)
    torch.save(dict(module.named_parameters()) | dict(module.state_dict()), path)
    return path


def numpy_npz_torch(path: Path, weights: Weights) -> Path:
    tensors = {name: tensor.numpy() for name, tensor in state_dict(weights).items()}
    with open(path, "wb") as file:
        np.savez_compressed(file, **tensors)
    return path


def safetensors_torch(path: Path, weights: Weights) -> Path:
    safetensors.torch.save_file(state_dict(weights), path)
    return path


def safetensors_numpy(path: Path, weights: Weights) -> Path:
    tensors = state_dict(weights, [short(layer) for layer in weights.layers], np.float64)
    safetensors.numpy.save_file({name: tensor.numpy() for name, tensor in tensors.items()}, path)
    return path


# ---------------------------------------------------------------- ONNX


def onnx_helper(path: Path, weights: Weights, raw: bool = True) -> Path:
    """Built with onnx's own helpers: the names say nothing, the graph's order does."""
    nodes, initializers, x = [], [], "image"
    for i, (kernel, bias) in enumerate(weights.layers.values()):
        for name, array in ((f"a{97 * i % 31}", kernel.transpose(3, 2, 0, 1)), (f"b{i}", bias)):
            if raw:
                initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
            else:
                values = array.ravel().tolist()
                initializers.append(helper.make_tensor(name, TensorProto.FLOAT, array.shape, values))
        nodes.append(helper.make_node("Conv", [x, f"a{97 * i % 31}", f"b{i}"], [f"c{i}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [x := f"r{i}"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "H", "W"])
    result = helper.make_tensor_value_info(x, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "vgg", [image], [result], initializers[::-1])
    onnx.save(helper.make_model(graph), str(path))
    return path


def onnx_exported(path: Path, weights: Weights) -> Path:
    """By torch.onnx, from a module as torchvision builds it."""
    modules: list[torch.nn.Module] = []
    for layer in layer_names(weights.network):
        if layer.endswith("pool"):
            modules.append(torch.nn.MaxPool2d(2))
            continue
        kernel, bias = weights.layers[layer]
        convolution = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
        convolution.weight.data = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        convolution.bias = torch.nn.Parameter(torch.from_numpy(bias))
        modules += [convolution, torch.nn.ReLU()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that another exporter is preferred
        torch.onnx.export(torch.nn.Sequential(*modules), (torch.zeros(1, 3, 32, 32),), str(path), dynamo=False)
    return path


def onnx_floats(path: Path, weights: Weights) -> Path:
    return onnx_helper(path, weights, raw=False)


# ---------------------------------------------------------------- all of them


@dataclass(frozen=True)
class Foreign:
    """A kind of file: the format as it is recognised, who wrote it, how, and what its network takes as input."""

    format: str
    variant: str
    author: str
    write: Writer
    normalisation: str = "caffe"
    precision: Any = np.float32

    def __str__(self) -> str:
        return f"{self.format}, {self.variant}".replace(" ", "_")


TORCH, KERAS, BYTES = f"torch {torch.__version__}", "Keras 3 on PyTorch", "byte by byte"
SAFETENSORS = f"safetensors {safetensors.__version__}"
FOREIGN = [
    Foreign("Keras HDF5", "first layout, with top", "h5py, to the layout", keras.keras_old),
    Foreign("Keras HDF5", "model within a model", "h5py, to the layout", keras.keras_old_model),
    Foreign("Keras HDF5", ".weights.h5", KERAS, keras.keras3_weights),
    Foreign("Keras HDF5", "model.save, .h5", KERAS, keras.keras3_legacy),
    Foreign("Keras HDF5", "model.save of a model within a model", KERAS, keras.keras3_nested),
    Foreign("PyTorch zip", "state_dict", TORCH, torch_zip, "torchvision"),
    Foreign("PyTorch zip", "parameters of a module, transposed", TORCH, torch_module, "torchvision"),
    Foreign("PyTorch zip", "checkpoint, names module.features.N", TORCH, torch_checkpoint, "torchvision"),
    Foreign("PyTorch zip", "half precision", TORCH, torch_half, "torchvision", np.float16),
    Foreign("PyTorch zip", "names conv1_1", TORCH, torch_caffe_names),
    Foreign("PyTorch stream", "state_dict", TORCH, torch_stream, "torchvision"),
    Foreign("PyTorch stream", "as PyTorch 0.1 and Python 2 wrote it", BYTES, torch_of_2017, "torchvision"),
    Foreign("PyTorch stream", "checkpoint", TORCH, torch_checkpoint_stream, "torchvision"),
    Foreign("PyTorch stream", "double precision", TORCH, torch_double_stream, "torchvision"),
    Foreign("safetensors", "torchvision's names", SAFETENSORS, safetensors_torch, "torchvision"),
    Foreign("safetensors", "names conv1_1, doubles", SAFETENSORS, safetensors_numpy),
    Foreign("Caffe", "older layers", BYTES, arrays.caffe_old),
    Foreign("Caffe", "newer layers", BYTES, arrays.caffe_new),
    Foreign("Caffe", "older layers, numbers not packed", BYTES, arrays.caffe_unpacked),
    Foreign("Caffe", "newer layers, doubles", BYTES, arrays.caffe_double),
    Foreign("MatConvNet .mat", "older", arrays.SCIPY, arrays.matconvnet_old, "caffe-rgb"),
    Foreign("MatConvNet .mat", "newer", arrays.SCIPY, arrays.matconvnet_new, "caffe-rgb"),
    Foreign("MatConvNet .mat", "newer, packed", arrays.SCIPY, arrays.matconvnet_new_compressed, "caffe-rgb"),
    Foreign("NumPy .npz", "conv1_1_W, conv1_1_b", arrays.NUMPY, arrays.numpy_npz, "caffe-rgb"),
    Foreign("NumPy .npz", "conv1_1 with both, packed", arrays.NUMPY, arrays.numpy_npz_pairs),
    Foreign("NumPy .npz", "torchvision's names, packed", arrays.NUMPY, numpy_npz_torch, "torchvision"),
    Foreign("NumPy .npy", "dictionary of lists", arrays.NUMPY, arrays.numpy_npy),
    Foreign("NumPy .npy", "dictionary of dictionaries", arrays.NUMPY, arrays.numpy_npy_named),
    Foreign("NumPy .npy", "as Python 2 wrote it", BYTES, arrays.numpy_npy_python2),
    Foreign("ONNX", "raw numbers", f"onnx {onnx.__version__}", onnx_helper, "torchvision"),
    Foreign("ONNX", "numbers as floats", f"onnx {onnx.__version__}", onnx_floats, "torchvision"),
    Foreign("ONNX", "exported from a module", f"torch.onnx of {TORCH}", onnx_exported, "torchvision"),
    Foreign("pickle of arrays", "the published VGG16's layout", "pickle", arrays.array_pickle, "torchvision"),
]
# One file of each format, and a second of those whose variants are read in another way.
EACH_FORMAT = [
    kind
    for kind in FOREIGN
    if kind.variant
    in {
        "first layout, with top", "state_dict", "torchvision's names",
        "older layers", "newer", "newer, packed", "conv1_1 with both, packed", "dictionary of lists",
        "raw numbers", "the published VGG16's layout",
    }
]  # fmt: skip
