"""Read the VGG files that Keras published: HDF5, one group a layer, with or without the classifier on top."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ..errors import WeightsError
from ..weightfile import FORMAT, LAYER_NAME

MAX_NUMBERS = 1 << 22  # of one dataset; VGG's largest kernel has 2.4 million


def read_keras(path: str | Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{"block1_conv1": (kernel (3, 3, Cin, Cout), bias (Cout,)), ...} in network order.

    Groups may lie at the root or under ``model_weights``; datasets are told apart by their rank, since their names
    changed between versions (``block1_conv1_W_1:0``, ``block1_conv1/kernel:0``). Layers other than convolutions are
    passed over. Raises WeightsError when the file is no such file.
    """
    try:
        with h5py.File(path, "r") as file:
            if "format" in file.attrs and "channel_order" in file.attrs:
                raise WeightsError(f"{path}: is of format {FORMAT} already; nothing to convert")
            root = file.get("model_weights", file)
            names = sorted(name for name in root if LAYER_NAME.fullmatch(name))
            layers = {name: _layer(path, name, root[name]) for name in names}
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, WeightsError):
            raise
        reason = " ".join(str(error).split())
        raise WeightsError(f"{path}: not a whole HDF5 file ({reason})") from error
    if not layers:
        raise WeightsError(f"{path}: expected Keras's VGG layers (block1_conv1, ...), found none")
    return layers


def _layer(path: str | Path, name: str, group: h5py.Group) -> tuple[np.ndarray, np.ndarray]:
    found: dict[int, np.ndarray] = {}
    if not isinstance(group, h5py.Group):
        raise WeightsError(f"{path}: {name}: expected a group with a kernel and a bias, got a dataset")

    def visit(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f" and 0 < (item.size or 0) <= MAX_NUMBERS:
            found[item.ndim] = item[()]

    group.visititems(visit)
    if 4 not in found or 1 not in found:
        raise WeightsError(f"{path}: {name}: expected a kernel and a bias, found ranks {sorted(found)}")
    return found[4], found[1]
