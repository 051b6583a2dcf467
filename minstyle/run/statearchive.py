"""What a file of a run's state declares, checked before memory is asked for it, and read."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from ..errors import CheckpointError, require

_MAX_VALUES = 1 << 33  # of one array
_BLOCK = 1 << 20  # bytes read at once
_HEADER = re.compile(
    rb"\{'descr': '([<>|][fu][1248])', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,10}, )*(?:\d{1,10},?)?)\), \} *\n"
)


def check(good: bool, where: str, expected: object, actual: object) -> None:
    require(good, where, expected, actual, CheckpointError)


class Records:
    """The arrays of an archive; no more is read than the file has bytes."""

    def __init__(self, zipped: zipfile.ZipFile, size: int) -> None:
        self._zipped, self._infos = zipped, {info.filename: info for info in zipped.infolist()}
        packed = [name for name, info in self._infos.items() if info.compress_type != zipfile.ZIP_STORED]
        check(not packed, "archive", "records that are not packed", packed[:1])
        declared = sum(info.file_size for info in self._infos.values())
        check(declared <= size, "archive", f"at most {size} bytes in its records", declared)

    def has(self, name: str) -> bool:
        return f"{name}.npy" in self._infos

    def array(self, name: str, kind: str = "f", shape: tuple[int, ...] | None = None) -> np.ndarray:
        """The array of that name, of finite numbers: float32 or float64 ("f"), or bytes ("u"); checked, writable."""
        check(self.has(name), name, "an array", "none")
        info = self._infos[f"{name}.npy"]
        with self._zipped.open(info) as file:
            found, dtype = _header(file, name)
            types = (np.uint8,) if kind == "u" else (np.float32, np.float64)
            check(dtype in types, name, " or ".join(t.__name__ for t in types), dtype)
            good = len(found) <= 3 and (shape is None or found == shape)
            check(good, name, shape or "three axes at most", found)
            count = math.prod(found)
            length = info.file_size - file.tell()
            check(count <= _MAX_VALUES and count * dtype.itemsize == length, name, f"{length} bytes of numbers", found)
            array = np.empty(found, dtype)
            _fill(file, array)
        check(kind == "u" or bool(np.isfinite(array).all()), name, "finite numbers", "NaN or infinite ones")
        return array

    def image(self, name: str, like: np.ndarray | None = None) -> np.ndarray:
        array = self.array(name, shape=None if like is None else like.shape)
        check(array.ndim == 3 and array.shape[2] == 3 and array.size > 0, name, "an image (H, W, 3)", array.shape)
        check(like is None or like.dtype == array.dtype, name, "numbers of the image's type", array.dtype)
        return array


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array in a ``.npy`` record, as ``write_array`` writes them; the numbers come next.

    NumPy's own reader takes what Python 2 wrote, and much else.
    """
    start = file.read(10)
    check(start[:8] == b"\x93NUMPY\x01\x00" and len(start) == 10, name, "NumPy's format 1.0", "another")
    found = _HEADER.fullmatch(file.read(int.from_bytes(start[8:], "little")))
    if found is None:
        raise CheckpointError(f"{name}: expected the header of an array in rows, got another")
    return tuple(int(side) for side in found[2].split(b",") if side.strip()), np.dtype(found[1].decode())


def _fill(file: IO[bytes], array: np.ndarray) -> None:
    """Read the bytes of an array to the end of its record, where its checksum is looked at."""
    into, place = array.reshape(-1).view(np.uint8), 0
    while place < len(into):
        data = file.read(min(_BLOCK, len(into) - place))
        check(len(data) > 0, "archive", "a whole record", "its beginning")
        into[place : place + len(data)] = np.frombuffer(data, np.uint8)
        place += len(data)
    check(file.read(1) == b"", "archive", "the end of a record", "more")


def count_of(numbers: Mapping[str, Any], name: str) -> int:
    value = numbers[name]
    check(type(value) is int and 0 <= value < 1 << 31, name, "a whole number from 0", str(value)[:40])
    return int(value)


def number_of(numbers: Mapping[str, Any], name: str) -> float:
    value = numbers[name]
    check(type(value) in (int, float) and math.isfinite(value), name, "a finite number", str(value)[:40])
    return float(value)


def no_number(text: str) -> float:
    raise CheckpointError(f"text: expected finite numbers, got {text}")
