"""The chunks of a PNG: what stands beside the picture, and the file without what is broken or swells there.

A decoder refuses a good picture for a wrong checksum of a comment. Source: PNG specification, third edition, 5 and 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 1 << 20  # bytes of a text, unpacked; longer ones are passed over
MAX_PROFILE = 1 << 25  # bytes of a profile, unpacked: those of printers have some millions
_MOST_PACKED = 1032  # bytes that one byte of deflate can stand for
_MAX_BESIDE = 1 << 27  # bytes of a chunk that is read at all, but for pixels
_MAX_CHUNKS = 200_000  # a PNG of 1.6 GB in pieces of 8 KB
_LENGTHS = {b"pHYs": 9, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4}
_PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"}
_FRAMES = {b"acTL", b"fcTL", b"fdAT"}
_KEPT_TEXT = {b"minstyle", b"Software", b"Raw profile type exif", b"Raw profile type APP1", b"XML:com.adobe.xmp"}


@dataclass(frozen=True, eq=False)
class PngChunks:
    """``beside``: the sound chunks that tell of colour and resolution, by name; ``stream``: the file for a decoder.

    ``plausible``: whether its pixels can be as many as it declares. ``recipe`` is the text under "minstyle", None where
    there is none; of one too long, its first MAX_TEXT + 1 bytes.
    """

    depth: int
    colour: int
    plausible: bool
    stream: IO[bytes]
    beside: dict[bytes, bytes] = field(default_factory=dict)
    icc: bytes | None = None
    recipe: bytes | None = None

    @property
    def deep_colour(self) -> bool:
        """Whether Pillow would cut it to 8 bits: 16 of anything but plain grey."""
        return self.depth == 16 and self.colour != 0


def read_chunks(stream: IO[bytes]) -> PngChunks:
    """The chunks of a PNG. Raises ValueError for more than any picture has."""
    found: dict[bytes, bytes] = {}
    icc = recipe = None
    places, sound, packed = [], True, 0
    for kind, start, length in _chunks(stream):
        keep = True
        packed += length if kind == b"IDAT" else 0
        if kind not in _PIXELS | _FRAMES:
            data = _read(stream, start, length)
            keep = data is not None and length == _LENGTHS.get(kind, length)
            if keep and data is not None:
                if kind == b"iCCP":
                    icc, keep = _profile(data), False  # it is handed over beside the stream
                elif kind in (b"tEXt", b"zTXt", b"iTXt"):
                    key, text = _text(kind, data)
                    recipe = text if key == b"minstyle" and text is not None else recipe
                    keep = text is not None and len(text) <= MAX_TEXT and key in _KEPT_TEXT
                elif kind == b"eXIf":
                    keep = data[:4] in (b"II*\0", b"MM\0*")
                else:
                    found[kind] = data
        sound = sound and keep
        if keep:
            places.append((start - 8, length + 12))
    stream.seek(16)
    width, height, depth, colour = struct.unpack(">IIBB", stream.read(10).ljust(10, b"\0"))
    stream.seek(0)
    bits = depth * {2: 3, 4: 2, 6: 4}.get(colour, 1)
    plausible = width * height * bits <= 8 * _MOST_PACKED * packed
    return PngChunks(depth, colour, plausible, stream if sound else _parts(stream, places), found, icc, recipe)


def bare(stream: IO[bytes]) -> bytes:
    """The file with its pixels alone, and right checksums: the pixels have one of their own, inside."""
    copy, end = BytesIO(), stream.seek(0, 2)
    copy.write(SIGNATURE)
    for kind, start, length in _chunks(stream):
        if kind in _PIXELS - {b"tRNS"}:
            stream.seek(start)
            data = stream.read(min(length, end - start))
            copy.write(struct.pack(">I4s", len(data), kind))
            copy.write(data)
            copy.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))
    return copy.getvalue()


def _chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its data begin, their length) of each chunk, as far as the file goes."""
    stream.seek(0, 2)
    end, at = stream.tell(), len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 8 > end:
            return
        stream.seek(at)
        length, kind = struct.unpack(">I4s", stream.read(8))
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += 12 + length
    raise ValueError(f"more than {_MAX_CHUNKS:,} chunks")


def _read(stream: IO[bytes], start: int, length: int) -> bytes | None:
    """A chunk's data; None where they are too long, cut off or have another checksum."""
    if length > _MAX_BESIDE:
        return None
    stream.seek(start - 4)
    block = stream.read(length + 8)
    whole = len(block) == length + 8 and zlib.crc32(block[:-4]) == int.from_bytes(block[-4:], "big")
    return block[4:-4] if whole else None


def _parts(stream: IO[bytes], places: list[tuple[int, int]]) -> BytesIO:
    copy = BytesIO()
    copy.write(SIGNATURE)
    end = stream.seek(0, 2)
    for start, length in places:
        stream.seek(start)
        copy.write(stream.read(min(length, end - start)))  # a damaged length asks for memory before it finds the end
    copy.seek(0)
    return copy


def _profile(data: bytes) -> bytes | None:
    packed = data.partition(b"\0")[2][1:]
    profile = _unpacked(packed, MAX_PROFILE)
    return None if profile is None or len(profile) > MAX_PROFILE else profile


def _text(kind: bytes, data: bytes) -> tuple[bytes, bytes | None]:
    """(key, text) of a text chunk; None for a text that cannot be unpacked."""
    key, _, rest = data.partition(b"\0")
    if kind == b"tEXt":
        return key, rest
    packed = kind == b"zTXt" or rest[:1] == b"\1"
    rest = rest[1:] if kind == b"zTXt" else rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return key, _unpacked(rest, MAX_TEXT) if packed else rest


def _unpacked(data: bytes, most: int) -> bytes | None:
    """Unpacked bytes, at most one more than ``most``."""
    try:
        return zlib.decompressobj().decompress(data, most + 1)
    except zlib.error:
        return None
