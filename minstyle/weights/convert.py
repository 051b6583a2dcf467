"""Foreign weights files to minstyle's format: recognise, read, name, attach what the network must know of its input."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import WeightsError
from ..files import check_writable
from ..vgg import BLOCKS, layer_names
from ..weightfile import Weights, write_weights
from .array_pickle import read_array_pickle
from .keras_h5 import read_keras

Layers = dict[str, tuple[np.ndarray, np.ndarray]]

# How each family of weights wants its input, in 0..255 units, RGB order.
CAFFE = dict(mean=(123.68, 116.779, 103.939), std=(1.0, 1.0, 1.0), channel_order="BGR")
TORCHVISION = dict(
    mean=tuple(255 * m for m in (0.485, 0.456, 0.406)),
    std=tuple(255 * s for s in (0.229, 0.224, 0.225)),
    channel_order="RGB",
)


def convert(
    source: str | Path,
    target: str | Path,
    *,
    dtype: Any = np.float32,
    licence: str = "",
    origin: str = "",
) -> Weights:
    """Convert a Keras VGG file (HDF5) or a pickle of arrays to ``target``; returns what was written.

    The format is recognised from the content, the network from its layers. ``origin`` names the source in the file
    (default: the file's name). Raises WeightsError, FileError; ``target`` is written whole or not at all.
    """
    source = Path(source)
    if not source.is_file():
        raise WeightsError(f"{source} not found: expected a file with VGG weights")
    check_writable(target)
    try:
        layers, normalisation = _read(source)
    except OSError as error:
        raise WeightsError(f"{source}: cannot be read ({error.strerror or error})") from error
    try:
        weights = Weights(
            network=_recognise(layers),
            layers=layers,
            source=origin or source.name,
            source_sha256=sha256(source),
            licence=licence or "not stated by the source file",
            **normalisation,
        )
        write_weights(target, weights, dtype)
    except WeightsError as error:
        raise WeightsError(f"{source}: {error}") from None
    return weights


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read(source: Path) -> tuple[Layers, dict[str, Any]]:
    if h5py.is_hdf5(source):
        return read_keras(source), CAFFE
    with open(source, "rb") as file:
        first = file.read(1)
    if first == b"\x80":  # the opcode that begins a pickle of protocol 2 or later
        return _flax_layers(source, read_array_pickle(source)), TORCHVISION
    raise WeightsError(f"{source}: unknown format: expected a Keras HDF5 file or a pickle of NumPy arrays")


def _flax_layers(source: Path, arrays: Mapping[str, np.ndarray]) -> Layers:
    """``VGG16_0/Conv_<i>/kernel`` with i counted over all convolutions -> named layers."""
    names = [name for name in layer_names("vgg16") if "conv" in name]
    layers: Layers = {}
    for i, name in enumerate(names):
        try:
            layers[name] = (arrays[f"VGG16_0/Conv_{i}/kernel"], arrays[f"VGG16_0/Conv_{i}/bias"])
        except KeyError as error:
            raise WeightsError(f"{source}: expected an array {error}, found none of that name") from None
    return layers


def _recognise(layers: Layers) -> str:
    """The network whose convolutions these are, from their names."""
    counts = Counter(int(name[5]) for name in layers)
    for network in BLOCKS:
        if list(layers) == [name for name in layer_names(network) if "conv" in name]:
            return network
    have = "-".join(str(counts[block]) for block in sorted(counts))
    want = ", ".join(f"{name} has {'-'.join(map(str, blocks))}" for name, blocks in BLOCKS.items())
    raise WeightsError(f"convolutions by block: {have}; expected a whole VGG, numbered without a gap ({want})")
