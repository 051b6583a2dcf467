"""Read NumPy's own files: ``.npz`` archives of arrays, ``.npy`` files that hold a dictionary."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import WeightsError
from . import archive
from .array_pickle import flatten
from .pickles import PickledArray, load_pickle
from .tensors import MAX_TOTAL, Allowance, Tensors, is_wanted

_MAX_HEADER = 10_000  # bytes of what an array says of itself; NumPy takes no more
_MAX_PICKLE = 8 * MAX_TOTAL + (1 << 20)  # bytes of a pickle inside an archive, which may be packed a thousandfold


def read_npz(path: Path) -> Tensors:
    """The convolutions' arrays in a ``.npz`` (``conv1_1_W``, ``conv1_1_b``; or ``conv1_1`` with both), by name.

    Each array's declared size is checked before it is read, however well the archive is packed. Raises WeightsError.
    """
    tensors: Tensors = {}
    allowance, left = Allowance(), _MAX_PICKLE
    with archive.opened(path) as zipped:
        for record in zipped.infolist():
            name = record.filename.removesuffix(".npy")
            if not is_wanted(name) and not is_wanted(f"{name}/0"):
                continue
            with zipped.open(record) as file:
                shape, order, dtype = _header(file)
                if not dtype.hasobject:
                    tensors[name] = _numbers(file, name, shape, order, dtype, allowance)
                    continue
                data = file.read(left + 1)
            left -= len(data)
            if left < 0:
                raise WeightsError(f"{name}: expected pickles of at most {_MAX_PICKLE} bytes, got more")
            tensors |= _taken(flatten({name: load_pickle(data)}), allowance)
    return tensors


def read_npy(path: Path) -> Tensors:
    """The arrays of a dictionary saved with ``numpy.save``: ``{"conv1_1": [weights, biases]}``. Raises WeightsError."""
    with open(path, "rb") as file:
        shape, _, dtype = _header(file)
        if not dtype.hasobject or shape != ():
            raise WeightsError(f"expected a dictionary of arrays, got one array of {dtype} {shape}")
        value = load_pickle(file)
        if not isinstance(value, PickledArray):
            raise WeightsError(f"expected an array with a dictionary in it, got {type(value).__name__}")
        found = flatten(value.values)
    return _taken({name: array for name, array in found.items() if is_wanted(name)}, Allowance())


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], str, np.dtype[Any]]:
    """Shape, order and type of the array in a ``.npy`` file, which is left where the array's numbers begin."""
    version = np.lib.format.read_magic(file)
    first = version == (1, 0)
    read_header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    size = file.read(2 if first else 4)
    length = int.from_bytes(size, "little")
    if length > _MAX_HEADER:
        raise WeightsError(f"expected an array's header of at most {_MAX_HEADER:,} bytes, got {length:,}")
    text = re.sub(rb"(\d)\s*L\b", rb"\1", file.read(length))  # Python 2 wrote 3L for 3, of which NumPy warns
    shape, fortran, dtype = read_header(BytesIO(len(text).to_bytes(len(size), "little") + text))
    return shape, "F" if fortran else "C", dtype


def _numbers(
    file: IO[bytes], name: str, shape: tuple[int, ...], order: Any, dtype: np.dtype[Any], allowance: Allowance
) -> np.ndarray:
    count = allowance.take(name, dtype, shape)
    data = file.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise WeightsError(f"{name}: expected {count} numbers, got {len(data)} bytes")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order=order)


def _taken(tensors: Tensors, allowance: Allowance) -> Tensors:
    for name, array in tensors.items():
        allowance.take(name, array.dtype, array.shape)
    return tensors
