"""ICC profiles that are a matrix and tone curves, read and applied in floating point.

Little CMS is reached through Pillow with 8 bits a channel only. Most profiles of RGB pictures (Adobe RGB, Display P3,
ProPhoto, cameras) are three curves and a 3x3 matrix, for which a few lines of NumPy keep every bit of a deep picture.
Source: ICC.1:2022, sections 8.3 (three-component matrix), 10.6 (curveType), 10.18 (parametricCurveType).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

# Parameters that a parametricCurveType of each function type stores, in the file's order.
_STORED = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}


@dataclass(frozen=True)
class Parametric:
    """Y = (a X + b)^g + e where X >= d, else c X + f: every function type of the ICC fits in."""

    g: float
    a: float = 1
    b: float = 0
    c: float = 0
    d: float = 0
    e: float = 0
    f: float = 0

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Linear light of the stored values ``x``, both 0..1."""
        above = np.maximum(self.a * x + self.b, 0) ** self.g + self.e
        y: np.ndarray = np.where(x >= self.d, above, self.c * x + self.f)
        return y

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """The stored values of linear light ``y``, both 0..1."""
        knee = max(self.a * self.d + self.b, 0) ** self.g + self.e
        above = np.maximum((np.maximum(y - self.e, 0) ** (1 / self.g) - self.b) / self.a, self.d)  # but for rounding
        below = (y - self.f) / self.c if self.c else np.zeros_like(y)
        x: np.ndarray = np.where(y >= knee, above, below)
        return x


@dataclass(frozen=True)
class Table:
    """Values at equal steps from 0 to 1, straight lines between."""

    values: np.ndarray

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Linear light of the stored values ``x``, both 0..1."""
        y: np.ndarray = np.interp(x, np.linspace(0, 1, len(self.values)), self.values).astype(x.dtype)
        return y

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """The stored values of linear light ``y``, both 0..1."""
        x: np.ndarray = np.interp(y, self.values, np.linspace(0, 1, len(self.values))).astype(y.dtype)
        return x


Curve = Parametric | Table


@dataclass(frozen=True)
class MatrixProfile:
    """Curves for R, G, B and the matrix (3, 3) of their XYZ (D50) as columns; for grey one curve and no matrix."""

    curves: tuple[Curve, ...]
    matrix: np.ndarray | None

    def convert(self, values: np.ndarray, target: MatrixProfile) -> np.ndarray:
        """Values (H, W, 3), or (H, W, 1) of grey, 0..255, in the RGB space ``target``: (H, W, 3), clipped to 0..255.

        Relative colorimetric. Both spaces have zero as their black, so that black point compensation changes nothing.
        """
        assert target.matrix is not None
        step = np.eye(3) if self.matrix is None else np.linalg.solve(target.matrix, self.matrix)
        result = np.empty((*values.shape[:2], 3), np.float32)
        for top in range(0, len(values), 64):  # a strip at a time: the powers need room
            strip = values[top : top + 64].astype(np.float32) / np.float32(255)
            linear = np.stack([curve.forward(strip[..., c]) for c, curve in enumerate(self.curves)], axis=2)
            light = np.broadcast_to(linear, (*strip.shape[:2], 3)) @ step.T.astype(np.float32)
            result[top : top + 64] = target._stored(light)
        return result

    def outside(self, values: np.ndarray, target: MatrixProfile) -> float:
        """The part, in 0..1, of the pixels (H, W, C), 0..255, whose colours the RGB space ``target`` does not have."""
        assert self.matrix is not None
        assert target.matrix is not None
        step = max(1, int(np.sqrt(values[:, :, 0].size / 100_000)))  # a sample is enough
        sample = values[::step, ::step].astype(np.float32) / np.float32(255)
        linear = np.stack([curve.forward(sample[..., c]) for c, curve in enumerate(self.curves)], axis=2)
        light = linear @ np.linalg.solve(target.matrix, self.matrix).T
        return float((np.abs(light - 0.5) > 0.51).any(axis=2).mean())

    def is_linear(self) -> bool:
        """Whether 8 bits are too few for its dark colours: its first level is further from black than sRGB's third."""
        return any(float(curve.forward(np.array([1 / 255]))[0]) > 0.001 for curve in self.curves)

    def of_light(self, xyz: np.ndarray) -> np.ndarray:
        """XYZ (H, W, 3) under D50, white 1, in this RGB space: (H, W, 3) float32, clipped to 0..255."""
        assert self.matrix is not None
        return self._stored((xyz @ np.linalg.inv(self.matrix).T).astype(np.float32))

    def _stored(self, light: np.ndarray) -> np.ndarray:
        light = np.clip(light, 0, 1)
        levels = [np.clip(curve.inverse(light[..., c]), 0, 1) for c, curve in enumerate(self.curves)]
        stored: np.ndarray = np.stack(levels, axis=-1) * np.float32(255)
        return stored


def parse_matrix_profile(icc: bytes) -> MatrixProfile | None:
    """The profile if it is curves and a matrix, or one curve for grey; None for any other and for a broken one."""
    try:
        with np.errstate(all="ignore"):
            return _parse(icc)
    except (struct.error, KeyError, ValueError, ArithmeticError):
        return None


def _parse(icc: bytes) -> MatrixProfile | None:
    space, connection, magic = icc[16:20], icc[20:24], icc[36:40]
    names = {b"RGB ": (b"rTRC", b"gTRC", b"bTRC"), b"GRAY": (b"kTRC",)}.get(space)
    tags = _tags(icc)
    # A profile with a lookup table means the table first.
    if magic != b"acsp" or connection != b"XYZ " or names is None or b"A2B0" in tags:
        return None
    curves = tuple(_curve(tags[name]) for name in names)
    if space == b"GRAY":
        return MatrixProfile(curves, None) if all(map(_rises, curves)) else None
    columns = [struct.unpack_from(">3i", tags[name], 8) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    matrix = np.array(columns).T / 65536
    sound = np.linalg.cond(matrix) < 1e4 and all(map(_rises, curves))
    return MatrixProfile(curves, matrix) if sound else None


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = [struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(min(count, 200))]
    return {name: icc[start : start + size] for name, start, size in entries}


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        stored = _STORED[kind]
        numbers = [n / 65536 for n in struct.unpack_from(f">{len(stored)}i", tag, 12)]
        given = dict(zip(stored, numbers, strict=True))
        if kind == 2:  # Y = (a X + b)^g + c where X >= -b / a, else c
            given["e"] = given["f"] = given.pop("c")
        if kind in (1, 2):
            given["d"] = -given["b"] / given["a"]
        return Parametric(**given)
    (count,) = struct.unpack_from(">I", tag, 8)
    if tag[:4] != b"curv" or count > len(tag):
        raise ValueError("no curve")
    if count == 0:
        return Parametric(1)
    steps = np.array(struct.unpack_from(f">{count}H", tag, 12))
    return Parametric(steps[0] / 256) if count == 1 else Table(steps / 65535)


def _rises(curve: Curve) -> bool:
    """Whether the curve can be undone: a number everywhere, never falling, from near black to near white."""
    if isinstance(curve, Parametric) and (curve.g <= 0 or curve.a <= 0 or curve.c < 0):
        return False
    y = curve.values if isinstance(curve, Table) else curve.forward(np.linspace(0, 1, 1025))
    return bool(np.isfinite(y).all() and (np.diff(y) >= -1e-3).all() and abs(y[0]) < 0.05 and abs(y[-1] - 1) < 0.05)
