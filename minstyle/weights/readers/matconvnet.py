"""Read MatConvNet's ``imagenet-vgg-verydeep-19.mat``: kernels (h, w, in, out), and the mean that belongs to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import WeightsError
from .matlab import read_matlab
from .tensors import Allowance, Tensors, is_wanted


def read_matconvnet(path: Path) -> tuple[Tensors, tuple[float, ...]]:
    """(kernels (3, 3, Cin, Cout) as ``conv1_1/0`` and biases as ``conv1_1/1``, mean colour in RGB).

    Raises WeightsError.
    """
    found = read_matlab(path, ("layers", "meta", "normalization"))
    tensors: Tensors = {}
    allowance = Allowance()
    layers = found.get("layers")
    for layer in layers if isinstance(layers, list) else []:
        if not isinstance(layer, dict) or not is_wanted(f"{layer.get('name')}/0"):
            continue
        pair = layer["weights"] if "weights" in layer else [layer.get("filters"), layer.get("biases")]  # beta versions
        if not isinstance(pair, list) or len(pair) != 2 or f"{layer['name']}/0" in tensors:
            raise WeightsError(f"{layer['name']}: expected one layer with a kernel and a bias")
        for i, array in enumerate(pair):
            if not isinstance(array, np.ndarray):
                raise WeightsError(f"{layer['name']}: expected kernel and bias, got none or too large a one")
            allowance.take(f"{layer['name']}/{i}", array.dtype, array.shape)
            tensors[f"{layer['name']}/{i}"] = array
    return tensors, _mean(found)


def _mean(found: dict[str, Any]) -> tuple[float, ...]:
    """The mean colour: ``averageImage`` is a picture (224, 224, 3) in older files, three numbers in newer ones."""
    meta = found.get("meta")
    normalization = meta.get("normalization") if isinstance(meta, dict) else found.get("normalization")
    average = normalization.get("averageImage") if isinstance(normalization, dict) else None
    if not isinstance(average, np.ndarray) or average.size == 0 or average.size % 3:
        raise WeightsError("expected normalization.averageImage with three colours, found none")
    # Colours are the last axis, so also the slowest in MATLAB's order; a column of three is the mean itself.
    return tuple(float(m) for m in average.reshape(-1, 3, order="F").mean(axis=0, dtype=np.float64))
