"""Read safetensors files with the safetensors library, which checks every offset and runs no code from the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import safe_open

from ...errors import WeightsError
from .tensors import Allowance, Tensors, is_wanted

_TYPES = {"F16": np.dtype("f2"), "F32": np.dtype("f4"), "F64": np.dtype("f8")}
_MAX_TABLE = 1 << 20  # bytes of the table of contents; VGG19's has 4 thousand


def read_safetensors(path: Path) -> Tensors:
    """The convolutions' arrays (out, in, 3, 3) and biases, by name. Raises WeightsError."""
    with open(path, "rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
    if size > _MAX_TABLE:
        raise WeightsError(f"expected a table of contents of at most {_MAX_TABLE} bytes, got {size}")
    tensors: Tensors = {}
    allowance = Allowance()
    with safe_open(path, framework="numpy") as file:
        for name in filter(is_wanted, file.keys()):  # it has keys and is no dictionary
            declared = file.get_slice(name)
            kind = declared.get_dtype()
            allowance.take(name, _TYPES.get(kind, kind), declared.get_shape())
            tensors[name] = file.get_tensor(name)
    return tensors
