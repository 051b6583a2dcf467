"""images/jpeg12.py: JPEGs of 12 bits, with their profile and orientation; damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from minstyle.errors import ImageError
from minstyle.images import load_picture, picture_shape
from tests.support import icc_profiles as icc
from tests.support.damaged import flipped_files, outcomes_in_child
from tests.support.small import picture
from tests.support.studio import Studio

LEVELS = np.rint(picture(32, 40, 1)[:, :, 1] / 255 * 4095).astype(np.uint16)
ADOBE = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(2.2))


def jpeg(pixels: np.ndarray, *segments: tuple[int, bytes]) -> bytes:
    data = imagecodecs.jpeg8_encode(pixels, level=100, bitspersample=12, subsampling="444")
    beside = b"".join(struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body for kind, body in segments)
    return data[:2] + beside + data[2:]


def test_all_bits_count(studio: Studio) -> None:
    (studio.folder / "scan.jpg").write_bytes(jpeg(LEVELS))
    found = load_picture(studio.folder / "scan.jpg")
    assert found.depth == 16
    np.testing.assert_allclose(found.image[:, :, 0], LEVELS / 4095 * 255, atol=0.2)
    levels = np.repeat(LEVELS[:, :, None] / 4095 * 255, 3, axis=2)
    assert np.abs(studio.painted(studio.folder / "scan.jpg") - studio.plain(levels)).mean() < 0.25


def test_profile_and_orientation_are_followed() -> None:
    """The profile in two parts, the second one first."""
    colours = (np.rint(picture(32, 40, 1) / 255) * 4095).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "An Artist"
    halves = ADOBE[:200], ADOBE[200:]
    parts = [(0xE2, b"ICC_PROFILE\0" + bytes([i, 2]) + halves[i - 1]) for i in (2, 1)]
    plain, told = load_picture(jpeg(colours)), load_picture(jpeg(colours, (0xE1, exif.tobytes()), *parts))
    assert told.image.shape == (40, 32, 3)
    assert picture_shape(jpeg(colours, (0xE1, exif.tobytes()))) == (40, 32)
    assert (told.profile, told.exif is not None) == (ADOBE, True)
    assert (plain.profile, plain.exif) == (None, None)


@pytest.mark.parametrize("channels", [1, 3])
def test_only_rgb_is_adobe_rgb_by_the_exif_data(channels: int) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 2
    pixels = LEVELS if channels == 1 else np.repeat(LEVELS[:, :, None], 3, axis=2)
    plain, told = load_picture(jpeg(pixels)), load_picture(jpeg(pixels, (0xE1, exif.tobytes())))
    assert (told.profile is None) == (channels == 1)
    assert np.array_equal(told.image, plain.image) == (channels == 1)


def test_inks_and_sizes_that_are_claimed_are_refused() -> None:
    data = bytearray(jpeg(LEVELS))
    at = data.index(b"\xff\xc1") + 5 if b"\xff\xc1" in data else data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65535, 65535)
    with pytest.raises(ImageError, match="65535 x 65535, larger than 178,956,970 pixels"):
        load_picture(bytes(data))
    with pytest.raises(ImageError, match="the file is cut off"):
        load_picture(jpeg(LEVELS)[:400])


def test_damaged_ones_are_pictures_or_one_line(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(jpeg(LEVELS))
    outcomes = outcomes_in_child(
        "minstyle.images.load_image", flipped_files(tmp_path / "good.jpg", 150), error="ImageError"
    )
    assert set(outcomes.values()) <= {"valid", "refused"}
