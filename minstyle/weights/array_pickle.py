"""Read a pickle of NumPy arrays without trusting it: nothing in the file can name anything but arrays of numbers.

A pickle is a program. This unpickler lets it call a few names, each replaced by a stand-in of ours that only holds
numbers: ``numpy.ndarray``, the functions that rebuild one, and ``numpy.dtype``. Every other name is refused, so that no
code is run. The program's steps are looked at before it runs: only those that dictionaries of arrays are made of, and
no more of them than a network needs, so that none can fill the memory or the stack.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError

MAX_STEPS = 20_000  # VGG16's 26 arrays take about 700
MAX_ARRAYS = 1_000
_STEPS = {
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPUT",
    "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET",
}  # fmt: skip
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
        self._take(shape, dtype, "F" if fortran else "C", data)

    def _take(self, shape: Any, dtype: Any, order: Any, data: Any) -> None:
        if not isinstance(dtype, _DType) or not isinstance(data, bytes | bytearray):
            raise WeightsError("expected arrays of plain floating-point numbers")
        if len(data) != math.prod(shape) * dtype.dtype.itemsize:
            raise WeightsError(f"array of shape {shape}: expected as many bytes, got {len(data)}")
        values = np.frombuffer(data, dtype=dtype.dtype).reshape(shape, order=order)
        self.values = values.astype(dtype.dtype.newbyteorder("="), copy=False)


class _FromBuffer(_Array):
    """Stand-in for NumPy's rebuilder in protocol 5, which is handed everything at once."""

    def __init__(self, data: Any, dtype: Any, shape: Any, order: Any) -> None:
        self._take(shape, dtype, order, data)


class _Encoded(bytes):
    """Stand-in for codecs.encode, by which protocol 2 writes bytes as text."""

    def __new__(cls, text: str, encoding: str) -> _Encoded:
        if encoding != "latin1":
            raise WeightsError(f"expected bytes as latin1, got {encoding!r}")
        return super().__new__(cls, text.encode(encoding))

    def __setstate__(self, state: Any) -> None:
        raise WeightsError("expected bytes without a state")


_ADMITTED = {
    ("_codecs", "encode"): _Encoded,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer,
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
        _check_steps(data)
        tree = _ArrayUnpickler(io.BytesIO(data)).load()
    except WeightsError as error:
        raise WeightsError(f"{path}: {' '.join(str(error).split())}") from None
    except Exception as error:  # a broken pickle makes the unpickler raise almost anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise WeightsError(f"{path}: not a whole pickle of arrays ({reason})") from error
    arrays: dict[str, np.ndarray] = {}
    pending: list[tuple[str, Any, int]] = [("", tree, 0)]
    while pending:
        prefix, value, depth = pending.pop()
        if len(arrays) + len(pending) > MAX_ARRAYS:
            raise WeightsError(f"{path}: expected the arrays of a network, got more than {MAX_ARRAYS}")
        if isinstance(value, _Array):
            arrays[prefix] = value.values
        elif isinstance(value, dict) and depth < 8 and all(isinstance(key, str) for key in value):
            pending += [(f"{prefix}/{key}".lstrip("/"), item, depth + 1) for key, item in value.items()]
        else:
            raise WeightsError(f"{path}: expected a dictionary of arrays, got {type(value).__name__} at {prefix!r}")
    return arrays


def _check_steps(data: bytes) -> None:
    """Raise WeightsError if the pickle does anything but put dictionaries of arrays together, or too much of that."""
    for count, (step, argument, _) in enumerate(pickletools.genops(data)):
        if step.name not in _STEPS:
            raise WeightsError(f"the pickle does {step.name}; only NumPy arrays are admitted")
        if count > MAX_STEPS or ("PUT" in step.name and (argument or 0) > MAX_STEPS):
            raise WeightsError(f"expected a pickle of at most {MAX_STEPS} steps")
