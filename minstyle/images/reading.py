"""Files to images: upright, sRGB, at full depth, with what of the file a result can carry on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .arrays import fill_hidden, lay_over
from .metadata import ORIENTATION, read_dpi, read_exif
from .opening import opened
from .profiles import own_profile, through_cms, to_srgb
from .samples import Samples, read_samples


@dataclass(frozen=True)
class Picture:
    """A picture file, read.

    image    (H, W, 3) float32, sRGB, 0..255, upright. Where nothing is visible: the mean visible colour.
    opacity  (H, W) float32, 0..1; None where every pixel is opaque.
    depth    8 or 16, the file's bits per channel (16 for anything deeper); from 16 the image has fractions.
    profile  the file's ICC profile if it is of an RGB space other than sRGB and a result can be converted into it.
    exif     EXIF data about the picture (artist, date, copyright, camera, place) for those who ask to keep it.
    dpi      dots per inch across and down.
    """

    image: np.ndarray
    opacity: np.ndarray | None = None
    depth: int = 8
    profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None


def picture_shape(path: str | Path) -> tuple[int, int]:
    """(height, width) of the upright picture in a file, from its header: nothing is decoded.

    An orientation that a PNG tells behind its pixels is not seen. Raises ImageError as ``load_picture``, but a file
    may be broken further on.
    """
    with opened(Path(path)) as picture:
        width, height = picture.size
        tags: Any = getattr(picture, "tag_v2", None)
        if tags is not None:  # a TIFF, whose size Pillow gives turned or not, by its version
            width, height, orientation = tags.get(256, width), tags.get(257, height), tags.get(ORIENTATION, 1)
        else:
            orientation = Image.Image.getexif(picture).get(ORIENTATION, 1)  # a PNG's own method decodes it
        return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def load_picture(path: str | Path) -> Picture:
    """The picture in a file, turned as its EXIF orientation says, its colours converted from its ICC profile to sRGB.

    A broken profile is passed over. Raises ImageError, with the reason, for a file that is missing, no whole picture,
    an animation or of several pages.
    """
    path = Path(path)
    with opened(path) as picture:
        icc = picture.info.get("icc_profile") or None
        tags: Any = getattr(picture, "tag_v2", {})
        orientation_in_tiff = tags.get(ORIENTATION, 1)  # a TIFF is turned while it is decoded
        if picture.mode in ("CMYK", "LAB"):
            samples = Samples(through_cms(picture, icc), None, 8)
        else:
            samples = read_samples(picture, lambda: Image.open(path))
            samples = Samples(to_srgb(samples.values, icc), samples.opacity, samples.depth)
        picture.load()  # resolution, EXIF data and profile may lie behind the pixels
        orientation = picture.getexif().get(ORIENTATION, 1)
        opacity = samples.opacity
        if opacity is not None:
            opacity = None if opacity.min() >= 1 else _upright(opacity, orientation)
        return Picture(
            image=fill_hidden(_upright(samples.values, orientation), opacity),
            opacity=opacity,
            depth=samples.depth,
            profile=own_profile(icc),
            exif=read_exif(picture),
            dpi=_turned_dpi(read_dpi(picture), orientation_in_tiff, orientation),
        )


def load_image(path: str | Path) -> np.ndarray:
    """The picture in a file as an image (H, W, 3), as ``load_picture``, in whole levels and laid over white."""
    picture = load_picture(path)
    image: np.ndarray = np.rint(lay_over(picture.image, picture.opacity))
    return image


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Rows and columns turned as a viewer does by EXIF orientation 1..8; any other number is 1."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array, dtype=np.float32)


def _turned_dpi(dpi: tuple[float, float] | None, *orientations: int) -> tuple[float, float] | None:
    return dpi[::-1] if dpi and any(number in (5, 6, 7, 8) for number in orientations) else dpi
