"""Read Caffe's ``.caffemodel``: a protocol buffer, of which four messages matter.

NetParameter     layers = 2 (V1LayerParameter, older) or layer = 100 (LayerParameter)
V1LayerParameter name = 4, blobs = 6          LayerParameter  name = 1, blobs = 7
BlobProto        num, channels, height, width = 1..4 or shape = 7 (BlobShape: dim = 1); data = 5, double_data = 8
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import WeightsError
from . import wire
from .tensors import Allowance, Tensors, is_wanted
from .wire import BYTES, VARINT, Field, Wire

# The field of a network's layers: those of a layer's name and blobs.
_GENERATIONS = {2: (4, 6), 100: (1, 7)}
_MOST_BLOBS = 2  # a kernel and a bias


def read_caffemodel(path: Path) -> Tensors:
    """Kernels (out, in, 3, 3) as ``conv1_1/0`` and biases as ``conv1_1/1``. Raises WeightsError."""
    tensors: Tensors = {}
    allowance = Allowance()
    with wire.opened(path) as file:
        for layer in file.fields():
            if layer.number not in _GENERATIONS or layer.kind != BYTES:
                continue
            name_field, blob_field = _GENERATIONS[layer.number]
            name, blobs = "", []
            for field in file.fields(layer.start, layer.end):
                if field.number == name_field and field.kind == BYTES:
                    name = file.text(field)
                elif field.number == blob_field and field.kind == BYTES:
                    blobs.append(field)
            if not is_wanted(f"{name}/0"):
                continue
            if len(blobs) > _MOST_BLOBS or f"{name}/0" in tensors:
                raise WeightsError(f"{name}: expected one layer with a kernel and a bias, got {len(blobs)} blobs")
            for i, blob in enumerate(blobs):
                tensors[f"{name}/{i}"] = _blob(file, blob, f"{name}/{i}", allowance)
    return tensors


def _blob(file: Wire, blob: Field, name: str, allowance: Allowance) -> np.ndarray:
    old_shape, new_shape = [1, 1, 1, 1], []
    numbers: dict[int, list[Field]] = {5: [], 8: []}
    for field in file.fields(blob.start, blob.end):
        if field.number in (1, 2, 3, 4) and field.kind == VARINT:
            old_shape[field.number - 1] = field.value
        elif field.number == 7 and field.kind == BYTES:
            dimensions = [part for part in file.fields(field.start, field.end) if part.number == 1]
            new_shape = [n for part in dimensions[:9] for n in file.integers(part)]
        elif field.number in numbers and field.kind != VARINT:
            numbers[field.number].append(field)
    dtype, parts = (np.dtype("<f8"), numbers[8]) if numbers[8] else (np.dtype("<f4"), numbers[5])
    shape = new_shape or old_shape
    needed = allowance.take(name, dtype, shape) * dtype.itemsize
    have = sum(part.end - part.start for part in parts)
    if have != needed:
        raise WeightsError(f"{name}: expected {needed} bytes for shape {shape}, got {have}")
    return np.frombuffer(b"".join(file.bytes(part) for part in parts), dtype=dtype).reshape(shape)
