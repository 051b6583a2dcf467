"""Read a pickle of NumPy arrays without trusting it: nothing in the file can name anything but arrays of numbers.

A pickle is a program. This unpickler lets it call three names, each replaced by a stand-in of ours that only holds
numbers: ``numpy.ndarray`` and its ``_reconstruct``, and ``numpy.dtype``. Every other name is refused, so that no code
is run.
"""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError

_DTYPES = {"f2": np.float16, "f4": np.float32, "f8": np.float64}


class _DType:
    """Stand-in for numpy.dtype: a float type of little or big endian."""

    def __init__(self, code: str, *_: Any) -> None:
        if code not in _DTYPES:
            raise WeightsError(f"expected floating-point arrays, got type {code!r}")
        self.dtype = np.dtype(_DTYPES[code])

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(">" if state[1] == ">" else "<")


class _Array:
    """Stand-in for numpy.ndarray: takes its state and checks that the bytes are as many as the shape says."""

    def __init__(self, *_: Any) -> None:
        self.values = np.empty(0, dtype=np.float32)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DType) or not isinstance(data, bytes):
            raise WeightsError("expected arrays of plain floating-point numbers")
        if len(data) != math.prod(shape) * dtype.dtype.itemsize:
            raise WeightsError(f"array of shape {shape}: expected as many bytes, got {len(data)}")
        values = np.frombuffer(data, dtype=dtype.dtype).reshape(shape, order="F" if fortran else "C")
        self.values = values.astype(dtype.dtype.newbyteorder("="), copy=False)


_ADMITTED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise WeightsError(f"the pickle names {module}.{name}; only NumPy arrays are admitted")
        return _ADMITTED[module, name]


def read_array_pickle(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a pickled (nested) dictionary, by their path: ``{"VGG16_0/Conv_0/kernel": array, ...}``.

    Raises WeightsError for anything but dictionaries with text keys and arrays of floating-point numbers.
    """
    data = Path(path).read_bytes()
    try:
        tree = _ArrayUnpickler(io.BytesIO(data)).load()
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    except Exception as error:  # a broken pickle makes the unpickler raise almost anything
        raise WeightsError(f"{path}: not a whole pickle of arrays ({type(error).__name__}: {error})") from error
    arrays: dict[str, np.ndarray] = {}
    pending: list[tuple[str, Any, int]] = [("", tree, 0)]
    while pending:
        prefix, value, depth = pending.pop()
        if isinstance(value, _Array):
            arrays[prefix] = value.values
        elif isinstance(value, dict) and depth < 8 and all(isinstance(key, str) for key in value):
            pending += [(f"{prefix}/{key}".lstrip("/"), item, depth + 1) for key, item in value.items()]
        else:
            raise WeightsError(f"{path}: expected a dictionary of arrays, got {type(value).__name__} at {prefix!r}")
    return arrays
