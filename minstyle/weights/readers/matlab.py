"""Read MATLAB's level 5 MAT-files (``.mat`` up to version 7.2): arrays, cells, structures, texts; compressed or not.

A file is a sequence of elements, each a type, a size and its content; a matrix is an element made of elements. Source:
MathWorks, "MAT-File Format". Files are read as a stream, so that arrays which nobody wants are skipped without being
allocated. scipy's reader is not used: matrices nested some thousand deep crash the process.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Container
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import WeightsError
from .tensors import MAX_PER_ARRAY, MAX_TOTAL

_HEADER = 128
_MATRIX, _PACKED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin1", 2: "latin1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
# Doubles and singles are stored as integers where that is shorter.
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_MAX_DEPTH, _MAX_ELEMENTS = 8, 200_000  # VGG19 with its thousand classes has some 6 thousand elements
_MAX_SMALL = 1 << 20  # bytes of anything but numbers
_MOST_PACKED = 8  # weights hardly shrink; what grows more than this when unpacked is no network


def read_matlab(path: Path, names: Container[str]) -> dict[str, Any]:
    """The variables called ``names``: cells as lists, structures as dictionaries (or lists of them), texts, arrays.

    Arrays of more than MAX_PER_ARRAY numbers, and objects, are None. Raises WeightsError.
    """
    found: dict[str, Any] = {}
    end = path.stat().st_size
    unpacked, kept = _MOST_PACKED * end + (1 << 24), 8 * MAX_TOTAL
    with open(path, "rb") as file:
        order = "<" if file.read(_HEADER)[-2:] == b"IM" else ">"
        while (place := file.tell()) < end:
            kind, size = struct.unpack(f"{order}II", file.read(8))
            after = place + 8 + size
            if after > end:
                raise WeightsError(f"not a whole MATLAB file: an element of {size} bytes at byte {place}")
            if kind in (_MATRIX, _PACKED):
                file.seek(place + 8 if kind == _PACKED else place)
                reader = _Reader(_Packed(file, size, unpacked) if kind == _PACKED else file, order, kept)
                name, value = reader.variable(names)
                unpacked, kept = unpacked - reader.place, reader.kept
                if name in names:
                    found[name] = value
            file.seek(after)
    return found


class _Packed:
    """The content of a compressed element, as a stream that can be read and skipped."""

    def __init__(self, file: BinaryIO, size: int, most: int) -> None:
        self._file, self._left, self._most = file, size, most
        self._unpacker, self._waiting = zlib.decompressobj(), b""

    def read(self, size: int) -> bytes:
        self._most -= size
        if self._most < 0:
            raise WeightsError("unpacks to far more than weights do")
        parts = []
        while size and (part := self._next(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def seek(self, size: int, _: int) -> None:
        while size > 0:
            self.read(min(size, 1 << 20))
            size -= 1 << 20

    def _next(self, most: int) -> bytes:
        """Some bytes, at most so many; none at the end."""
        while not self._unpacker.eof:
            if not self._waiting:
                self._waiting = self._file.read(min(self._left, 1 << 16))
                self._left -= len(self._waiting)
            fresh = bool(self._waiting)
            data = self._unpacker.decompress(self._waiting, most)
            self._waiting = self._unpacker.unconsumed_tail
            if data or not fresh:
                return data
        return b""


class _Reader:
    """One variable, element by element. ``kept`` is how many bytes of arrays it may still keep."""

    def __init__(self, file: BinaryIO | _Packed, order: str, kept: int) -> None:
        self._file, self._order, self._elements = file, order, 0
        self.place, self.kept = 0, kept

    def variable(self, names: Container[str]) -> tuple[str, Any]:
        """The name of the variable and, if it is one of ``names``, its value."""
        kind, size, _ = self._tag()
        if kind != _MATRIX:
            raise WeightsError(f"not a whole MATLAB file: a variable of type {kind}")
        return self._matrix(size, 0, names)

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise WeightsError(f"not a whole MATLAB file: {size} bytes expected, {len(data)} there")
        self.place += size
        return data

    def _skip(self, size: int) -> None:
        self._file.seek(size, 1)
        self.place += size

    def _tag(self) -> tuple[int, int, bytes | None]:
        """(type, size, the content itself where it is small enough to stand in the tag)."""
        self._elements += 1
        if self._elements > _MAX_ELEMENTS:
            raise WeightsError(f"expected at most {_MAX_ELEMENTS} elements, found more")
        data = self._read(8)
        kind, size = struct.unpack(f"{self._order}II", data)
        if not kind >> 16:
            return kind, size, None
        kind, size = kind & 0xFFFF, kind >> 16
        return kind, size, data[4 : 4 + size]

    def _content(self) -> tuple[int, bytes]:
        """Type and content of the next element, which is a small one."""
        kind, size, data = self._tag()
        if data is None:
            if size > _MAX_SMALL:
                raise WeightsError(f"expected names and shapes of at most {_MAX_SMALL} bytes, got {size}")
            data = self._read(size + -size % 8)[:size]
        return kind, data

    def _matrix(self, size: int, depth: int, names: Container[str] | None = None) -> tuple[str, Any]:
        """(name, value) of a matrix of ``size`` bytes behind its tag; no value if there are ``names`` without its."""
        if depth > _MAX_DEPTH:
            raise WeightsError(f"expected matrices nested at most {_MAX_DEPTH} deep, found more")
        if size == 0:
            return "", np.empty(0, dtype=np.float32)
        end = self.place + size
        kind = self._content()[1][0 if self._order == "<" else 3]
        if kind not in (_CELL, _STRUCT, _CHAR, *_CLASSES):  # functions and objects are made in other ways
            self._skip(max(end - self.place, 0))
            return "", None
        shape = tuple(np.frombuffer(self._content()[1], dtype=f"{self._order}i4").tolist())
        name = self._content()[1].decode("latin1")
        count = math.prod(shape)
        if min(shape, default=-1) < 0:
            raise WeightsError(f"{name!r}: a matrix of shape {shape[:8]}")
        value: Any = None
        if names is None or name in names:
            if kind == _CELL:
                value = [self._element(depth) for _ in range(count)]
            elif kind == _STRUCT:
                value = self._structure(count, depth)
            elif kind == _CHAR:
                stored, data = self._content()
                value = data.decode(_TEXTS.get(stored, "latin1"), "replace")
            else:
                value = self._array(shape, _CLASSES[kind], end)
        if self.place > end:
            raise WeightsError(f"{name!r}: not a whole matrix: its content is larger than it says")
        self._skip(end - self.place)
        return name, value

    def _element(self, depth: int) -> Any:
        kind, size, _ = self._tag()
        if kind != _MATRIX:
            raise WeightsError(f"not a whole MATLAB file: type {kind} where a matrix belongs")
        return self._matrix(size, depth + 1)[1]

    def _structure(self, count: int, depth: int) -> Any:
        """One structure as a dictionary, several as a list of them."""
        length = int.from_bytes(self._content()[1], "little" if self._order == "<" else "big")
        data = self._content()[1]
        if not 0 < length <= _MAX_SMALL:
            raise WeightsError(f"not a whole MATLAB file: names of {length} letters")
        fields = [data[i : i + length].split(b"\0")[0].decode("latin1") for i in range(0, len(data), length)]
        if count and not fields:
            return None
        values = [{field: self._element(depth) for field in fields} for _ in range(count)]
        return values[0] if count == 1 else values

    def _array(self, shape: tuple[int, ...], dtype: str, end: int) -> np.ndarray | None:
        """The numbers, in MATLAB's order of axes; None if they are more than anybody here wants."""
        count = math.prod(shape)
        if count > MAX_PER_ARRAY or len(shape) > 8:
            self._skip(end - self.place)
            return None
        kind, size, data = self._tag()
        stored = np.dtype(_NUMBERS.get(kind, "V1")).newbyteorder("<" if self._order == "<" else ">")
        if kind not in _NUMBERS or size != count * stored.itemsize:
            raise WeightsError(f"expected {count} numbers of shape {shape}, got {size} bytes of type {kind}")
        self.kept -= count * np.dtype(dtype).itemsize
        if self.kept < 0:
            raise WeightsError(f"expected at most {MAX_TOTAL} numbers in all, as VGG19 has, got more")
        if data is None:
            data = self._read(size)
            self._skip(min(-size % 8, end - self.place))
        return np.frombuffer(data, dtype=stored).astype(dtype, copy=False).reshape(shape, order="F")
