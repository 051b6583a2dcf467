"""PNG with 16 bits a channel, which Pillow does not write in colour. Source: PNG specification, third edition."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_COLOUR_TYPE = {3: 2, 4: 6}  # channels: RGB, RGB and alpha


def write_deep_png(
    path: Path,
    pixels: np.ndarray,
    icc: bytes,
    exif: bytes | None,
    dpi: tuple[float, float] | None,
    text: dict[str, str],
) -> None:
    """Write ``pixels`` (H, W, 3 or 4) uint16 with profile, EXIF block, resolution and ASCII text."""
    height, width, channels = pixels.shape
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPE[channels], 0, 0, 0)))
        file.write(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
        if dpi:
            per_metre = [round(value / 0.0254) for value in dpi]
            file.write(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
        if exif:
            file.write(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
        for key, value in text.items():
            file.write(_chunk(b"zTXt", key.encode("latin-1") + b"\0\0" + zlib.compress(value.encode("latin-1"))))
        for data in _compressed(pixels):
            file.write(_chunk(b"IDAT", data))
        file.write(_chunk(b"IEND", b""))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _compressed(pixels: np.ndarray) -> Iterator[bytes]:
    """The stream of filtered rows, strip by strip."""
    size = 2 * pixels.shape[2]  # bytes of a pixel
    packer = zlib.compressobj()
    above = np.zeros((1, pixels.shape[1] * size), np.uint8)
    for top in range(0, len(pixels), 64):
        rows = pixels[top : top + 64].astype(">u2").view(np.uint8).reshape(-1, above.shape[1])
        data = packer.compress(_filtered(rows, np.concatenate([above, rows[:-1]]), size).tobytes())
        above = rows[-1:]
        if data:
            yield data
    yield packer.flush()


def _filtered(rows: np.ndarray, above: np.ndarray, size: int) -> np.ndarray:
    """Rows of bytes, each with the filter of types 1, 2 and 4 that leaves the smallest differences, its type first."""
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, size:], corner[:, size:] = rows[:, :-size], above[:, :-size]
    a, b, c = (part.astype(np.int16) for part in (left, above, corner))
    to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    paeth = np.where((to_a <= to_b) & (to_a <= to_c), left, np.where(to_b <= to_c, above, corner))
    candidates = np.stack([rows - left, rows - above, rows - paeth])
    cost = abs(candidates.view(np.int8).astype(np.int16)).sum(axis=2)
    best = cost.argmin(axis=0)
    types = np.array([1, 2, 4], np.uint8)[best]
    return np.concatenate([types[:, None], candidates[best, np.arange(len(rows))]], axis=1)
