"""Colour profiles: what a file means by its numbers to sRGB, and a result back into the file's own RGB space.

Matrix profiles go through ``curves`` in floating point. Profiles with lookup tables and CMYK go through Little CMS,
which Pillow reaches with 8 bits a channel; the fractions that a deep picture has beyond these are added after it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from .curves import MatrixProfile, parse_matrix_profile

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
# How Little CMS fails on a profile that is broken or does not fit the picture.
_FAILURES = (ImageCms.PyCMSError, OSError, ValueError, TypeError)

_D50 = np.array([0.9642, 1.0, 0.8249])


@cache
def srgb_profile() -> bytes:
    """The sRGB profile that results carry: Little CMS's own, without the time of its making."""
    made: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made[:24] + bytes.fromhex("07d000010001000000000000") + made[36:]  # 1 January 2000


@cache
def _srgb() -> MatrixProfile:
    parsed = parse_matrix_profile(srgb_profile())
    assert parsed is not None
    return parsed


def to_srgb(values: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Stored values (H, W, 3) of RGB or (H, W, 1) of grey, 0..255, as sRGB (H, W, 3) float32.

    Without a profile, with a broken one or one of another kind of picture, the values are taken as sRGB.
    """
    space = icc[16:20] if icc else b""
    if space == b"RGB " and values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)  # a grey picture that carries its program's RGB profile
    fits = (space, values.shape[2]) in ((b"RGB ", 3), (b"GRAY", 1))
    if icc and fits and not _is_srgb(icc):
        known = parse_matrix_profile(icc)
        if known is not None:
            return known.convert(values, _srgb())
        converted = _through_tables(values, icc, srgb_profile())
        if converted is not None:
            return converted
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values


def from_srgb(image: np.ndarray, icc: bytes | None) -> tuple[np.ndarray, bytes]:
    """An sRGB image (H, W, 3), 0..255, in the RGB space of ``icc``, and the profile to embed.

    Where there is no profile, or one that cannot be written into, the image as it is and the sRGB profile.
    """
    if icc is None or icc[16:20] != b"RGB " or _is_srgb(icc):
        return image, srgb_profile()
    known = parse_matrix_profile(icc)
    converted = _srgb().convert(image, known) if known else _through_tables(image, srgb_profile(), icc)
    return (image, srgb_profile()) if converted is None else (converted, icc)


def outside_srgb(values: np.ndarray, icc: bytes | None) -> float:
    """The part, in 0..1, of the pixels (H, W, 3) whose colours sRGB does not have; 0 for profiles of lookup tables."""
    known = parse_matrix_profile(icc) if icc and values.shape[2] == 3 else None
    return known.outside(values, _srgb()) if known is not None and known.matrix is not None else 0.0


def holds_8_bits(icc: bytes) -> bool:
    """Whether 8 bits a channel are enough in this space: not in one that is (nearly) linear."""
    known = parse_matrix_profile(icc)
    return known is None or not known.is_linear()


def own_profile(icc: bytes | None) -> bytes | None:
    """The profile if a result can be converted back into it: one of an RGB space that is not sRGB. Else None."""
    if icc is None or _is_srgb(icc):
        return None
    return icc if from_srgb(np.zeros((1, 1, 3), np.float32), icc)[1] == icc else None


def cmyk_to_srgb(ink: np.ndarray, icc: bytes | None) -> np.ndarray:
    """CMYK (H, W, 4), 255 is full ink, as sRGB (H, W, 3) float32; 8 bits count.

    Without a profile that can be used it is turned by the plain formula (1 - C)(1 - K).
    """
    picture = Image.fromarray(ink if ink.dtype == np.uint8 else np.rint(ink).astype(np.uint8), "CMYK")
    try:
        if icc is not None and icc[16:20] == b"CMYK":
            return _transformed(picture, icc, srgb_profile())
    except _FAILURES:
        pass
    return np.asarray(picture.convert("RGB"), dtype=np.float32)


def lab_to_srgb(values: np.ndarray) -> np.ndarray:
    """CIELAB under D50 (H, W, 3), L* 0..100, as sRGB (H, W, 3) float32, 0..255, clipped. Source: CIE 15, 8.2.1."""
    light = (values[:, :, :1] + 16) / 116
    f = np.concatenate([light + values[:, :, 1:2] / 500, light, light - values[:, :, 2:] / 200], axis=2)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * (3 * (6 / 29) ** 2)) * _D50
    return _srgb().of_light(xyz)


@lru_cache(maxsize=8)
def _is_srgb(icc: bytes) -> bool:
    """Whether the profile is sRGB by what it does: nowhere a level of 255 away from it."""
    known = parse_matrix_profile(icc)
    if known is None or known.matrix is None:
        return False
    steps = np.linspace(0, 255, 18, dtype=np.float32)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(18, -1, 3)
    return bool(np.abs(known.convert(grid, _srgb()) - grid).max() < 1)


def _through_tables(values: np.ndarray, source: bytes, target: bytes) -> np.ndarray | None:
    values = values.astype(np.float32, copy=False)
    whole = np.clip(np.rint(values), 0, 255)
    pixels = Image.fromarray(whole.astype(np.uint8).squeeze(2) if values.shape[2] == 1 else whole.astype(np.uint8))
    try:
        converted = _transformed(pixels, source, target)
    except _FAILURES:
        return None
    deep: np.ndarray = np.clip(converted + (values - whole), 0, 255).astype(np.float32)
    return deep


def _transformed(picture: Image.Image, source: Any, target: bytes) -> np.ndarray:
    """``source`` is a profile's bytes or one that ImageCms made."""
    opened = BytesIO(source) if isinstance(source, bytes) else source
    converted = ImageCms.profileToProfile(
        picture, opened, BytesIO(target), renderingIntent=_INTENT, outputMode="RGB", flags=_FLAGS
    )
    return np.asarray(converted, dtype=np.float32)
