"""The stored samples of a picture at their full depth, as Pillow decodes them: before any profile, before turning."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

# Pillow's unpackers of 16 bits a channel keep the high byte. With the name of the other byte order the same unpackers
# keep the low byte: two passes give both.
_OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


@dataclass(frozen=True)
class Samples:
    """``values`` (H, W, 1) of grey or (H, W, 3) of RGB, 0..255; ``opacity`` (H, W), 0..1, or None; depth 8 or 16."""

    values: np.ndarray
    opacity: np.ndarray | None
    depth: int


def read_samples(picture: Image.Image, reopen: Callable[[], Image.Image]) -> Samples:
    """The samples of an opened picture, which is loaded by this; ``reopen`` opens its file a second time.

    Not for CMYK and LAB.
    """
    raw = _raw_mode(picture)
    _refuse_deep_planes(picture)
    if ";16" in raw and picture.mode in ("RGB", "RGBA"):
        return _deep_colour(picture, reopen, raw)
    if picture.mode.startswith(("I", "F")):
        return _deep_grey(picture)
    return _eight_bits(picture, raw)


def _raw_mode(picture: Any) -> str:
    """Pillow's name for the layout of the stored bytes, "" where a format does not tell."""
    args = picture.tile[0].args if getattr(picture, "tile", None) else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _refuse_deep_planes(picture: Image.Image) -> None:
    tags: Any = getattr(picture, "tag_v2", {})
    if tags.get(284) == 2 and max(tags.get(258, (8,))) > 8:  # planar configuration, bits per sample
        raise ValueError("a TIFF with more than 8 bits in separate planes: save it with the channels interleaved")


def _deep_colour(picture: Image.Image, reopen: Callable[[], Image.Image], raw: str) -> Samples:
    if raw.startswith("LA"):  # 4 bytes a pixel, as they are: grey and alpha, high byte first
        pairs = _decoded(picture, "RGBA").astype(np.uint16)
        stored = pairs[:, :, ::2] * 256 + pairs[:, :, 1::2]
    else:
        high = raw.replace("RGBa", "RGBA")  # premultiplied: divided below, in floats
        low = high[:-1] + _OTHER_ORDER[raw[-1]]
        stored = _decoded(picture, high).astype(np.uint16) * 256
        with reopen() as again:
            stored += _decoded(again, low)
    values = stored.astype(np.float32) / 257
    count = values.shape[2]
    if count in (1, 3):
        key = picture.info.get("transparency")
        opacity = None if key is None else _not_key(stored, key)
        return Samples(values, opacity, 16)
    colours, opacity = values[:, :, :-1], values[:, :, -1] / 255
    if raw.startswith("RGBa"):
        colours = np.clip(colours / np.maximum(opacity, 1e-6)[:, :, None], 0, 255)
    return Samples(colours, opacity, 16)


def _decoded(picture: Any, raw: str) -> np.ndarray:
    picture.tile = [
        tile._replace(args=raw if isinstance(tile.args, str) else (raw, *tile.args[1:])) for tile in picture.tile
    ]
    return np.asarray(picture)


def _deep_grey(picture: Image.Image) -> Samples:
    stored = np.asarray(picture)
    values = stored.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it has pixels that are no numbers")
    largest = values.max(initial=0)
    if picture.mode == "F" and largest <= 1:  # floats are 0..1 in most programs, 0..255 or 0..65535 in some
        values *= 255
    elif picture.mode.startswith("I;16") or largest > 255:
        values /= 257
    key = picture.info.get("transparency")
    opacity = None if key is None else _not_key(stored[:, :, None], key)
    return Samples(np.clip(values, 0, 255).astype(np.float32)[:, :, None], opacity, 16)


def _eight_bits(picture: Image.Image, raw: str) -> Samples:
    key = picture.info.get("transparency")
    if picture.mode in ("1", "L", "RGB") and isinstance(key, int | tuple):  # one colour is clear
        if picture.mode == "1":  # the clear level is 1 or 255, by Pillow's version
            picture, key = picture.convert("L"), 255 if key else 0
        stored = np.atleast_3d(np.asarray(picture))
        # Pillow spreads grey of 2 and 4 bits over 0..255, and leaves the clear level as it is stored.
        scaled = key * {"L;2": 85, "L;4": 17}.get(raw, 1) if isinstance(key, int) else key
        return Samples(stored.astype(np.float32), _not_key(stored, scaled), 8)
    if picture.mode in ("1", "L"):
        return Samples(np.asarray(picture.convert("L"), dtype=np.float32)[:, :, None], None, 8)
    if picture.mode in ("LA", "La"):
        pixels = np.asarray(picture.convert("LA"), dtype=np.float32)
        return Samples(pixels[:, :, :1], pixels[:, :, 1] / 255, 8)
    if picture.has_transparency_data:
        pixels = np.asarray(picture.convert("RGBA"), dtype=np.float32)
        return Samples(pixels[:, :, :3], pixels[:, :, 3] / 255, 8)
    return Samples(np.asarray(picture.convert("RGB"), dtype=np.float32), None, 8)


def _not_key(stored: np.ndarray, key: Any) -> np.ndarray:
    """Opacity (H, W): 0 where the samples (H, W, C) are exactly the colour that the file names as clear, else 1."""
    opacity: np.ndarray = (stored != np.asarray(key)).any(axis=2).astype(np.float32)
    return opacity
