"""Colour told without a profile (code points, gamma and primaries, EXIF) as the ICC profile that it means.

Sources: ITU-T H.273, tables 2 and 3 (code points); ICC.1:2022, sections 8.3, 10.6, 10.18; Bradford's adaptation to D50.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_D50 = np.array([0.9642, 1.0, 0.8249])
Primaries = tuple[tuple[float, float], ...]  # x, y of red, green, blue, white

_BT709: Primaries = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_PRIMARIES: dict[int, Primaries] = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
_ADOBE_RGB: Primaries = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}  # other transfers than these and HDR's are shown as sRGB's by all programs
_HDR = {16: "PQ", 18: "HLG"}
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile_of_code_points(primaries: int, transfer: int) -> bytes | None:
    """The profile that H.273's numbers mean; None where that is sRGB, or nothing. Raises ValueError for HDR."""
    if transfer in _HDR:
        raise ValueError(f"its colours are HDR ({_HDR[transfer]}), which minstyle does not read; "
                         "save it with standard dynamic range")  # fmt: skip
    if primaries not in _PRIMARIES and transfer not in _GAMMAS:
        return None
    return _profile(_PRIMARIES.get(primaries, _BT709), _GAMMAS.get(transfer))


def profile_of_gamma(gamma: bytes | None, chromaticities: bytes | None) -> bytes | None:
    """The profile that PNG's gAMA (and cHRM) mean; None where that is sRGB, or nothing that can be."""
    if gamma is None:
        return None
    exponent = int.from_bytes(gamma, "big") / 100_000
    if not 0.1 < exponent < 10:
        return None
    points = _BT709
    if chromaticities is not None:
        numbers = [n / 100_000 for n in struct.unpack(">8I", chromaticities)]
        white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
        points = (red, green, blue, white)
    srgb_curve = abs(exponent - 0.45455) < 0.005  # which stands for sRGB's own
    if srgb_curve and np.abs(np.array(points) - np.array(_BT709)).max() < 0.005:
        return None
    try:
        return _profile(points, 1 / exponent)
    except (ValueError, ArithmeticError, struct.error):
        return None


def adobe_rgb() -> bytes:
    """The profile of Adobe RGB (1998)."""
    return _profile(_ADOBE_RGB, 563 / 256)


def _profile(primaries: Primaries, exponent: float | None) -> bytes:
    """A profile of version 4: a matrix, and one curve, sRGB's for None. Raises ValueError for no space of colours."""
    curve = (
        struct.pack(">4s4xHxx5i", b"para", 3, *_fixed(_SRGB_CURVE))
        if exponent is None
        else struct.pack(">4s4xHxxi", b"para", 0, *_fixed((exponent,)))
    )
    columns = _matrix(primaries).T
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    text = b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", 2 * len(_NAME), 28) + _NAME.encode("utf-16-be")
    tags = {b"desc": text, b"cprt": text, b"wtpt": _xyz(_D50)}
    tags |= {name: _xyz(column) for name, column in zip(names, columns, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    place, directory, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        directory += name + struct.pack(">II", place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4xI4s4s4s6H4s", place + len(body), 0x04000000, b"mntr", b"RGB ", b"XYZ ",
                         2000, 1, 1, 0, 0, 0, b"acsp")  # fmt: skip
    header = header.ljust(68, b"\0") + struct.pack(">3i", *_fixed(_D50.tolist()))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + body


_NAME = "RGB by the file's colour tags"


def _matrix(primaries: Primaries) -> np.ndarray:
    """Linear RGB to XYZ under D50, (3, 3)."""
    points = np.array(primaries, np.float64)
    if not (points[:, 1] > 1e-3).all():
        raise ValueError("primaries without light")
    xyz = np.stack([points[:, 0], points[:, 1], 1 - points.sum(axis=1)]) / points[:, 1]
    red_green_blue, white = xyz[:, :3], xyz[:, 3]
    if not 1e-3 < abs(np.linalg.det(red_green_blue)) < 1e6:
        raise ValueError("primaries on a line")
    matrix = red_green_blue * np.linalg.solve(red_green_blue, white)
    adapt = np.linalg.solve(_BRADFORD, np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD)
    adapted: np.ndarray = adapt @ matrix
    if not np.abs(adapted).max() < 100:
        raise ValueError("primaries of no colours")
    return adapted


def _xyz(values: np.ndarray) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *_fixed(values.tolist()))


def _fixed(numbers: Sequence[float]) -> list[int]:
    return [round(number * 65536) for number in numbers]
