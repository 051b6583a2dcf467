"""The table of formats that can be converted: how a file is recognised, which reader it goes to, and how the networks
of that format want their input normalised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from ..errors import WeightsError
from .readers import archive
from .readers.array_pickle import read_array_pickle
from .readers.caffemodel import read_caffemodel
from .readers.keras_h5 import read_keras
from .readers.matconvnet import read_matconvnet
from .readers.numpy_file import read_npy, read_npz
from .readers.onnx_file import read_onnx
from .readers.safetensors_file import read_safetensors
from .readers.tensors import Layers, Tensors, is_counted, to_layers
from .readers.torch_file import STREAM_MAGIC, read_torch_stream, read_torch_zip

Normalisation = dict[str, Any]  # mean, std, channel_order of a Weights

_CAFFE_MEAN = (123.68, 116.779, 103.939)
# How each family of weights wants its input, in 0..255 units, RGB order.
NORMALISATIONS: dict[str, Normalisation] = {
    "caffe": dict(mean=_CAFFE_MEAN, std=(1.0, 1.0, 1.0), channel_order="BGR"),
    "caffe-rgb": dict(mean=_CAFFE_MEAN, std=(1.0, 1.0, 1.0), channel_order="RGB"),
    "torchvision": dict(
        mean=tuple(255 * m for m in (0.485, 0.456, 0.406)),
        std=tuple(255 * s for s in (0.229, 0.224, 0.225)),
        channel_order="RGB",
    ),
}

# Caffe's weights under torchvision's names (J. Johnson's files, which neural-style-pt uses): the beginning of their
# SHA-256, by which they are named.
CAFFE_IN_TORCH = ("d01eb7cb", "00b39a1b")


@dataclass(frozen=True)
class Format:
    """A foreign format: ``matches(first 512 bytes, path)``, and ``read(path)`` -> layers and normalisation."""

    name: str
    matches: Callable[[bytes, Path], bool]
    read: Callable[[Path], tuple[Layers, Normalisation]]


def _by_names(read: Callable[[Path], Tensors]) -> Callable[[Path], tuple[Layers, Normalisation]]:
    """A reader of layers from one of arrays by name: counted modules are torchvision's, named blocks are Caffe's."""

    def read_layers(path: Path) -> tuple[Layers, Normalisation]:
        tensors = read(path)
        return to_layers(tensors), NORMALISATIONS["torchvision" if is_counted(tensors) else "caffe"]

    return read_layers


def _npz(path: Path) -> tuple[Layers, Normalisation]:
    tensors = read_npz(path)
    if is_counted(tensors):
        return to_layers(tensors), NORMALISATIONS["torchvision"]
    # conv1_1_W and conv1_1_b are the names of the TensorFlow conversion whose first kernel was turned to RGB.
    turned = any(name.endswith("_W") for name in tensors)
    return to_layers(tensors), NORMALISATIONS["caffe-rgb" if turned else "caffe"]


def _matconvnet(path: Path) -> tuple[Layers, Normalisation]:
    tensors, mean = read_matconvnet(path)
    return to_layers(tensors), {**NORMALISATIONS["caffe-rgb"], "mean": mean}


def _keras(path: Path) -> tuple[Layers, Normalisation]:
    return read_keras(path), NORMALISATIONS["caffe"]


def _onnx(path: Path) -> tuple[Layers, Normalisation]:
    return read_onnx(path), NORMALISATIONS["torchvision"]


def _zip_with(ending: str) -> Callable[[bytes, Path], bool]:
    def matches(first: bytes, path: Path) -> bool:
        if not first.startswith(b"PK\x03\x04"):
            return False
        with archive.opened(path) as zipped:
            return any(name.endswith(ending) for name in zipped.namelist())

    return matches


def _begins(*magics: bytes) -> Callable[[bytes, Path], bool]:
    return lambda first, path: first.startswith(magics)


# In this order: the first that matches is taken.
FORMATS = (
    Format("Keras HDF5", lambda first, path: bool(h5py.is_hdf5(path)), _keras),
    # Before the formats that are known by their first byte: safetensors begins with a length, that is with any byte.
    Format("safetensors", lambda first, path: first[4:9] == b"\0\0\0\0{", _by_names(read_safetensors)),
    Format("PyTorch zip", _zip_with("/data.pkl"), _by_names(read_torch_zip)),
    Format("NumPy .npz", _zip_with(".npy"), _npz),
    Format("PyTorch stream", _begins(STREAM_MAGIC), _by_names(read_torch_stream)),
    Format("pickle of arrays", _begins(b"\x80"), _by_names(read_array_pickle)),
    Format("NumPy .npy", _begins(b"\x93NUMPY"), _by_names(read_npy)),
    Format("MatConvNet .mat", _begins(b"MATLAB 5.0 MAT-file"), _matconvnet),
    Format("ONNX", _begins(b"\x08"), _onnx),
    # A NetParameter begins with its name or, if it has none, with an input or a layer of either generation.
    Format("Caffe", _begins(b"\x0a", b"\x12", b"\x1a", b"\xa2\x06"), _by_names(read_caffemodel)),
)


def find_format(path: Path) -> Format:
    """The format of a file, from its content. Raises WeightsError with the list of known ones."""
    with open(path, "rb") as file:
        first = file.read(512)
    for candidate in FORMATS:
        if candidate.matches(first, path):
            return candidate
    known = ", ".join(candidate.name for candidate in FORMATS)
    raise WeightsError(f"unknown format: known are {known}")
