"""ICC profiles built byte by byte from the specification, for the tests of colour."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
# Linear light to XYZ under D50, primaries as columns: Bruce Lindbloom's tables (Bradford, from D65).
ADOBE_RGB = [[0.6097559, 0.2052401, 0.1492240], [0.3111242, 0.6256560, 0.0632197], [0.0194811, 0.0608902, 0.7448387]]
PROPHOTO = [[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857], [0.0, 0.0, 0.8252100]]
SRGB = [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]


def fixed(*numbers: float) -> bytes:
    """s15Fixed16 numbers."""
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def xyz(*numbers: float) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*numbers)


def gamma(exponent: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))


def table(values: Sequence[float]) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *(round(value * 65535) for value in values))


def parametric(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + fixed(*numbers)


def profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], device: bytes = b"mntr") -> bytes:
    """A version 2 (4 with parametric curves) profile of these tags."""
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(*D50), **tags}
    place, directory, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        directory += name + struct.pack(">II", place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    version = 4 if any(data.startswith(b"para") for data in tags.values()) else 2
    header = struct.pack(">I4sI4s4s4s", place + len(body), bytes(4), version << 24, device, space, connection)
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(*D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + body


def matrix_profile(matrix: Sequence[Sequence[float]], curve: bytes) -> bytes:
    columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), np.array(matrix).T, strict=True)
    tags = {name: xyz(*column) for name, column in columns} | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return profile(b"RGB ", b"XYZ ", tags)


def grey_profile(curve: bytes) -> bytes:
    return profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def lookup(inputs: int, corner: Callable[..., tuple[float, float, float]]) -> bytes:
    """A lut16Type of two steps an axis: ``corner`` gives, at each corner (0 or 1 an axis), the outputs from 0 to 1."""
    corners = itertools.product((0, 1), repeat=inputs)
    grid = [round(value * 65535) for at in corners for value in corner(*at)]
    head = b"mft2\0\0\0\0" + struct.pack(">BBBB", inputs, 3, 2, 0) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lines = struct.pack(">2H", 0, 65535)
    return head + struct.pack(">HH", 2, 2) + lines * inputs + struct.pack(f">{len(grid)}H", *grid) + lines * 3


def lab(lightness: float, a: float = 0, b: float = 0) -> tuple[float, float, float]:
    """CIELAB in the version 2 encoding of 16 bits, as shares of 65535."""
    return lightness * 652.8 / 65535, (a + 128) * 256 / 65535, (b + 128) * 256 / 65535


# An "RGB" space whose lightness is the mean of its channels: nothing that a matrix could say.
GREY_TABLES = {b"A2B0": lookup(3, lambda r, g, b: lab(100 * (r + g + b) / 3))}
# Lab of version 2 reaches 65280 at L* = 100.
BACK = {b"B2A0": lookup(3, lambda lightness, a, b: (min(lightness * 65535 / 65280, 1),) * 3)}


def cmyk_profile() -> bytes:
    """Paper at L* = 100; cyan is a middle grey of L* = 50; any other ink is black."""
    return profile(
        b"CMYK", b"Lab ", {b"A2B0": lookup(4, lambda c, m, y, k: lab(0 if m or y or k else 50 if c else 100))}, b"prtr"
    )


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, in float64."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def expected_srgb(values: np.ndarray, matrix: Sequence[Sequence[float]], exponent: float) -> np.ndarray:
    """Values (..., 3), 0..255, of a space with an exponent as sRGB, 0..255, in float64 by the published numbers."""
    linear = (np.asarray(values, np.float64) / 255) ** exponent
    return 255 * srgb_encoded(linear @ np.array(matrix).T @ np.linalg.inv(SRGB).T)


def grey_of_lightness(lightness: float) -> float:
    """The sRGB level, 0..255, of a grey of CIELAB lightness L*."""
    y = ((lightness + 16) / 116) ** 3 if lightness > 8 else lightness / 903.3
    return float(255 * srgb_encoded(np.array(y)))
