"""Files to images: upright, sRGB, at full depth, with what of the file a result can carry on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import numpy as np

from .arrays import check_seen, fill_hidden, lay_over
from .jpeg12 import is_jpeg12, read_jpeg12, shape_of_jpeg12
from .metadata import read_exif
from .opening import named_errors
from .pillow_reading import read_pillow, shape_by_pillow
from .profiles import cmyk_to_srgb, lab_to_srgb, outside_srgb, own_profile, to_srgb
from .samples import Fit, Samples, Shape, Stored, is_opaque, shrunk, stored_shape, unit
from .source import Source, stream_of
from .tiff_reading import is_tiff, orientation_of_page, read_tiff, tiff_page


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture file, read.

    image    (H, W, 3) float32, sRGB, 0..255, upright. Where nothing is visible: the mean visible colour.
    opacity  (H, W) float32, 0..1; None where every pixel is opaque.
    depth    8 or 16, the file's bits per channel (16 for anything deeper); from 16 the image has fractions.
    profile  the file's ICC profile if it is of an RGB space other than sRGB and a result can be converted into it.
    exif     EXIF data about the picture (artist, date, copyright, camera, place) for those who ask to keep it.
    dpi      dots per inch across and down.
    full     (height, width) of the file, upright, where the image was shrunk while it was read; None: the image's own.
    outside  the part of the pixels, 0..1, whose colours sRGB does not have: the image has the nearest that it has.
    """

    image: np.ndarray
    opacity: np.ndarray | None = None
    depth: int = 8
    profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    outside: float = 0.0
    full: Shape | None = None

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"Picture({width} x {height}, {self.depth} bits{'' if self.opacity is None else ', with transparency'})"


def picture_shape(source: Source) -> Shape:
    """(height, width) of the upright picture in a file, from its header: nothing is decoded.

    An orientation that a PNG tells behind its pixels is not seen. Raises ImageError as ``load_picture``, but a file
    may be broken further on.
    """
    with stream_of(source) as (stream, name), named_errors(name):
        if is_tiff(stream.read(4)):
            with tiff_page(stream, name) as page:
                return stored_shape((page.imagelength, page.imagewidth), orientation_of_page(page))
        if is_jpeg12(stream):
            return shape_of_jpeg12(stream)
        return shape_by_pillow(stream, name)


def load_picture(source: Source, fit: Fit | None = None) -> Picture:
    """The picture in a file, turned as its EXIF orientation says, its colours converted from its own space to sRGB.

    ``source`` is a path, the file's bytes, or a file object. The colour space is that of the ICC profile, or else of
    the code points, the gamma or the EXIF data; a broken profile is passed over. ``fit`` gives, of (height, width), the
    (height, width) that is enough: a larger picture is shrunk to it while it is read, in less time and memory.

    Raises ImageError, with the reason, for a file that is missing, no whole picture, an animation or of several pages.
    """
    with stream_of(source) as (stream, name), named_errors(name):
        return _picture(_stored(stream, name, fit), fit)


def load_image(source: Source) -> np.ndarray:
    """The picture in a file as an image (H, W, 3): ``load_picture``'s, laid over white where it is transparent."""
    picture = load_picture(source)
    return lay_over(picture.image, picture.opacity)


def load_mask(source: Source) -> np.ndarray:
    """The numbers of ``load_image``, as uint8 where they are whole levels: large masks take a quarter of the memory."""
    with stream_of(source) as (stream, name), named_errors(name):
        stored = _stored(stream, name, None, mask=True)
        samples = stored.samples
        if samples.values.dtype == np.uint8 and (samples.opacity is None or is_opaque(samples.opacity)):
            values = _srgb(samples, stored.icc)
            return _upright(values, stored.orientation, np.uint8 if values.dtype == np.uint8 else np.float32)
        picture = _picture(stored, None)
        check_seen(name, picture.opacity)
    return lay_over(picture.image, picture.opacity)


def _picture(stored: Stored, fit: Fit | None) -> Picture:
    orientation = stored.orientation
    full = stored_shape(stored.shape, orientation)
    enough = None if fit is None else stored_shape(fit(full), orientation)
    samples = shrunk(stored.samples, enough)
    values, profile = _srgb(samples, stored.icc), own_profile(stored.icc)
    opacity = samples.opacity
    if opacity is not None:
        opacity = None if is_opaque(opacity) else _upright(unit(opacity), orientation)
    return Picture(
        image=fill_hidden(_upright(values, orientation), opacity),
        opacity=opacity,
        depth=samples.depth,
        profile=profile,
        exif=read_exif(stored.exif),
        outside=0.0 if samples.lab else outside_srgb(samples.values, profile),
        full=None if samples.values.shape[:2] == stored.shape else full,
        dpi=stored.dpi[::-1] if stored.dpi and orientation in (5, 6, 7, 8) else stored.dpi,
    )


def _stored(stream: IO[bytes], name: str, fit: Fit | None, mask: bool = False) -> Stored:
    if is_tiff(stream.read(4)):
        return read_tiff(stream, name, fit)
    return read_jpeg12(stream, name) if is_jpeg12(stream) else read_pillow(stream, name, fit, mask=mask)


def _srgb(samples: Samples, icc: bytes | None) -> np.ndarray:
    if samples.lab:
        return lab_to_srgb(samples.values)
    return cmyk_to_srgb(samples.values, icc) if samples.values.shape[2] == 4 else to_srgb(samples.values, icc)


def _upright(array: np.ndarray, orientation: int, dtype: type = np.float32) -> np.ndarray:
    """Rows and columns turned as a viewer does by EXIF orientation 1..8; any other number is 1."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array, dtype=dtype)
