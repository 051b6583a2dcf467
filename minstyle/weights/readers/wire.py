"""Protocol buffers' wire format, for the readers of Caffe's and ONNX's files.

A message is a sequence of fields (number, type, value), in which a value may be a message again. It is parsed lazily:
``fields`` finds where values lie in the mapped file, and only those that a reader asks for are decoded.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...errors import WeightsError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_FIELDS = 300_000  # to be looked at in one file; VGG19 as Caffe wrote it has a thousand


class Field(NamedTuple):
    """A field: its number and type, the place of its value in the file, and for a varint the value itself."""

    number: int
    kind: int
    start: int
    end: int
    value: int = 0


class Wire:
    """A mapped file of nested messages; its methods raise WeightsError where it is damaged."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._seen = data, 0

    def fields(self, start: int = 0, end: int | None = None) -> Iterator[Field]:
        """The fields of the message between two places (default: the whole file)."""
        end = len(self._data) if end is None else end
        while start < end:
            self._seen += 1
            if self._seen > MAX_FIELDS:
                raise WeightsError(f"expected at most {MAX_FIELDS} fields, found more")
            key, start = self.varint(start, end)
            number, kind, value = key >> 3, key & 7, 0
            if kind == VARINT:
                value, after = self.varint(start, end)
            elif kind == BYTES:
                length, start = self.varint(start, end)
                after = start + length
            elif kind in (FIXED64, FIXED32):
                after = start + (8 if kind == FIXED64 else 4)
            else:
                raise WeightsError(f"not a whole file: a field of type {kind} at byte {start}")
            if after > end or number == 0:
                raise WeightsError(f"not a whole file: a field of {after - start} bytes at byte {start}")
            yield Field(number, kind, start, after, value)
            start = after

    def varint(self, start: int, end: int) -> tuple[int, int]:
        """(value, place behind it) of a number in groups of seven bits, the lowest first."""
        value = 0
        for i in range(min(10, end - start)):
            byte = self._data[start + i]
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                return value, start + i + 1
        raise WeightsError(f"not a whole file: a number without an end at byte {start}")

    def bytes(self, field: Field) -> bytes:
        """A field's value as it is."""
        return self._data[field.start : field.end]

    def text(self, field: Field) -> str:
        """A field's value as text."""
        return self.bytes(field)[:1000].decode("utf-8", "replace")

    def integers(self, field: Field) -> list[int]:
        """The few numbers of a repeated field, be it one of them or all of them packed."""
        if field.kind == VARINT:
            return [field.value]
        found: list[int] = []
        place = field.start
        while place < field.end and len(found) <= 8:
            value, place = self.varint(place, field.end)
            found.append(value)
        return found


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Wire]:
    """The file at ``path``, mapped."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield Wire(data)
