"""Read the VGG files that Keras published: HDF5, one group a layer, with or without the classifier on top."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from ...errors import WeightsError
from ...network.weightfile import FORMAT, LAYER_NAME, member
from .tensors import MAX_PER_ARRAY, Allowance, Layers, name_in_order

_KERAS3_NAME = re.compile(r"conv2d(?:_(\d{1,3}))?")
# Groups in which a model's layers may lie; one inside another where a VGG is a layer of a larger model.
_ROOTS = ("model_weights", "layers", "vgg16", "vgg19", "functional", "model")
_MAX_NESTED, _MAX_LAYERS = 4, 1000
_MAX_DEPTH, _MAX_MEMBERS = 3, 6  # of the groups of a layer; Keras's are 2 deep and hold 2 arrays


def read_keras(path: str | Path) -> Layers:
    """{"block1_conv1": (kernel (3, 3, Cin, Cout), bias (Cout,)), ...} in network order.

    Groups may lie at the root, under ``model_weights`` or ``layers``, or in a model within; Keras 3 counts them
    (``conv2d``, ``conv2d_1``) instead of naming them. Datasets are told apart by their rank, since their names changed
    between versions (``block1_conv1_W_1:0``, ``block1_conv1/kernel:0``, ``vars/0``). Other layers are passed over.
    Raises WeightsError for any other file.
    """
    try:
        with h5py.File(path, "r") as file:
            if "format" in file.attrs and "channel_order" in file.attrs:
                raise WeightsError(f"is of format {FORMAT} already; nothing to convert")
            for root in _roots(file):
                if layers := _layers(root):
                    return layers
        raise WeightsError("expected Keras's VGG layers (block1_conv1, ...), found none")
    except WeightsError as error:
        raise WeightsError(f"{path}: {' '.join(str(error).split())}") from None
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{path}: not a whole HDF5 file ({reason})") from error


def _roots(group: h5py.Group, depth: int = 0) -> Iterator[h5py.Group]:
    """The group and the groups in it that may hold a model's layers."""
    yield group
    for name in _ROOTS if depth < _MAX_NESTED else ():
        inner = member(group, name)
        if isinstance(inner, h5py.Group):
            yield from _roots(inner, depth + 1)


def _layers(root: h5py.Group) -> Layers:
    """The convolutions among the groups of ``root``."""
    names, allowance = sorted(_members(root, _MAX_LAYERS)), Allowance()
    if named := [name for name in names if LAYER_NAME.fullmatch(name)]:
        return {name: _layer(name, root, allowance) for name in named}
    counted = {int(match[1] or 0): name for name in names if (match := _KERAS3_NAME.fullmatch(name))}
    pairs = [_layer(counted[number], root, allowance) for number in sorted(counted)]
    return name_in_order(pairs) if pairs else {}


def _layer(name: str, root: h5py.Group, allowance: Allowance) -> tuple[np.ndarray, np.ndarray]:
    group = member(root, name)
    if not isinstance(group, h5py.Group):
        raise WeightsError(f"{name}: expected a group with a kernel and a bias, got none")
    found: dict[int, np.ndarray] = {}
    for dataset in _datasets(group):
        if dataset.dtype.kind == "f" and 0 < (dataset.size or 0) <= MAX_PER_ARRAY and dataset.ndim not in found:
            allowance.take(f"{name}: {dataset.name}", dataset.dtype, dataset.shape)
            found[dataset.ndim] = dataset[()]
    if 4 not in found or 1 not in found:
        raise WeightsError(f"{name}: expected a kernel and a bias, found ranks {sorted(found)}")
    return found[4], found[1]


def _datasets(group: h5py.Group, depth: int = 0) -> Iterator[h5py.Dataset]:
    """The datasets in a layer's group and in the groups in it."""
    for name in _members(group, _MAX_MEMBERS):
        item = member(group, name)
        if isinstance(item, h5py.Dataset):
            yield item
        elif isinstance(item, h5py.Group) and depth < _MAX_DEPTH:
            yield from _datasets(item, depth + 1)


def _members(group: h5py.Group, most: int) -> list[str]:
    if len(group) > most:
        raise WeightsError(f"{group.name}: expected at most {most} members, found {len(group)}")
    return list(group)
