"""Read ONNX models: a protocol buffer, of which four messages matter.

ModelProto   graph = 7                        GraphProto  node = 1, initializer = 5
NodeProto    input = 1, op_type = 4
TensorProto  dims = 1, data_type = 2, float_data = 4, name = 8, raw_data = 9, double_data = 10, external_data = 13

The onnx package is not used: it builds all messages of a file in memory before any of them can be checked, up to eighty
times the size of a file that was made for that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import WeightsError
from . import wire
from .tensors import Allowance, Layers, name_in_order, to_hwio
from .wire import BYTES, VARINT, Field, Wire

_TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
_NUMBERS = {4: 1, 9: None, 10: 11}  # the field of a tensor's numbers: the type that it is for
_EXTERNAL = 13
_HARMLESS = ("Relu", "MaxPool", "AveragePool", "Identity", "Constant", "Dropout")  # between VGG's convolutions


def read_onnx(path: Path) -> Layers:
    """The convolutions of a VGG in the order of the graph, whatever its arrays are called. Raises WeightsError."""
    with wire.opened(path) as file:
        arrays: dict[str, Field] = {}
        convolutions: list[list[str]] = []
        others: list[str] = []  # what else the graph does, since the last convolution
        for graph in file.fields():
            if graph.number != 7 or graph.kind != BYTES:
                continue
            for item in file.fields(graph.start, graph.end):
                if item.number == 5 and item.kind == BYTES:
                    arrays[_texts(file, item, 8)[-1]] = item
                elif item.number == 1 and item.kind == BYTES:
                    kind = _texts(file, item, 4)[-1]
                    if kind != "Conv":
                        others.append(kind)
                        continue
                    if strange := [other for other in others if other not in _HARMLESS]:
                        raise WeightsError(f"expected convolutions, ReLU and pooling, found {strange[0]!r} among them")
                    convolutions.append(_texts(file, item, 1)[1:])
                    others = []
        names = [name for inputs in convolutions for name in inputs[1:]]
        if any(len(inputs) != 3 for inputs in convolutions):
            raise WeightsError("expected convolutions with kernel and bias")
        if len(set(names)) != len(names):
            raise WeightsError("expected convolutions with arrays of their own, found shared ones")
        allowance = Allowance()
        tensors = {name: _tensor(file, arrays.get(name), name, allowance) for name in names}
    kernels = to_hwio({inputs[1]: tensors[inputs[1]] for inputs in convolutions})
    return name_in_order([(kernels[inputs[1]], tensors[inputs[2]].reshape(-1)) for inputs in convolutions])


def _texts(file: Wire, message: Field, number: int) -> list[str]:
    """An empty text and the texts of a field."""
    fields = file.fields(message.start, message.end)
    return ["", *(file.text(field) for field in fields if field.number == number and field.kind == BYTES)]


def _tensor(file: Wire, message: Field | None, name: str, allowance: Allowance) -> np.ndarray:
    if message is None:
        raise WeightsError(f"{name!r}: expected an array in the file, found none")
    shape: list[int] = []
    kind, parts = 0, []
    for field in file.fields(message.start, message.end):
        if field.number == 1 and len(shape) <= 8:
            shape += file.integers(field)
        elif field.number == 2 and field.kind == VARINT:
            kind = field.value
        elif field.number == _EXTERNAL:
            raise WeightsError(f"{name!r}: its numbers lie in another file; save the model with them inside")
        elif field.number in _NUMBERS and field.kind != VARINT and _NUMBERS[field.number] in (kind, None):
            parts.append(field)
    if kind not in _TYPES:
        raise WeightsError(f"{name!r}: expected floating-point numbers, got ONNX's type {kind}")
    dtype = _TYPES[kind]
    needed = allowance.take(name, dtype, shape) * dtype.itemsize
    have = sum(part.end - part.start for part in parts)
    if have != needed:
        raise WeightsError(f"{name!r}: expected {needed} bytes for shape {shape}, got {have}")
    return np.frombuffer(b"".join(file.bytes(part) for part in parts), dtype=dtype).reshape(shape)
