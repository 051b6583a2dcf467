"""The colour that an AVIF or HEIC file names by code points, where it has no profile; Pillow does not tell it.

Source: ISO/IEC 14496-12 (boxes; colr of type nclx), ISO/IEC 23008-12 (which properties are the primary picture's).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MAX_BOXES = 10_000


def code_points(start: bytes) -> tuple[int, int] | None:
    """(primaries, transfer) of the primary picture, from the first bytes of the file; None where they are not told."""
    try:
        meta = dict(_boxes(start))[b"meta"][4:]
        boxes = dict(_boxes(meta))
        properties = [box for box in _boxes(dict(_boxes(boxes[b"iprp"]))[b"ipco"])]
        primary = int.from_bytes(boxes[b"pitm"][4 : 6 if boxes[b"pitm"][0] == 0 else 8], "big")
        for index in _associated(dict(_boxes(boxes[b"iprp"]))[b"ipma"], primary):
            kind, data = properties[index - 1] if index else (b"", b"")
            if kind == b"colr" and data[:4] == b"nclx":
                primaries, transfer = struct.unpack_from(">HH", data, 4)
                return primaries, transfer
    except (KeyError, IndexError, struct.error):
        pass
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(_MAX_BOXES):
        if at + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        size = size or len(data) - at
        if size < head:
            return
        yield kind, data[at + head : at + size]
        at += size


def _associated(ipma: bytes, item: int) -> list[int]:
    """The numbers, from 1, of an item's properties."""
    version, wide = ipma[0], ipma[3] & 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(min(count, _MAX_BOXES)):
        (found,) = struct.unpack_from(">H" if version < 1 else ">I", ipma, at)
        at += 2 if version < 1 else 4
        number, at = ipma[at], at + 1
        entries = struct.unpack_from(f">{number}{'H' if wide else 'B'}", ipma, at)
        at += number * (2 if wide else 1)
        if found == item:
            return [entry & (0x7FFF if wide else 0x7F) for entry in entries]
    return []
