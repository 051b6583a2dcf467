"""What reading thousands of files, damaged ones among them, leaves in a process: nothing. Found by tools/fuzz.py."""

from __future__ import annotations

import contextlib
import logging
import random
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from minstyle.errors import ImageError
from minstyle.images import load_picture, save_picture
from tests.support.small import picture


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    save_picture(picture(20, 24), tmp_path / "deep.png", depth=16)
    return tmp_path / "deep.png"


def test_damaged_deep_pngs_take_no_references_from_none(deep: Path) -> None:
    """One for each file that imagecodecs refuses: after some ten thousand of them Python aborted."""
    data, generator = deep.read_bytes(), random.Random(0)
    places = range(data.index(b"IDAT") + 4, len(data) - 16)

    def read_damaged(count: int) -> None:
        for _ in range(count):
            made = bytearray(data)
            made[generator.choice(places)] ^= 1 << generator.randrange(8)
            with contextlib.suppress(ImageError):
                load_picture(bytes(made))

    read_damaged(20)
    before = sys.getrefcount(None)
    read_damaged(300)
    assert sys.getrefcount(None) > before - 100


def test_a_deep_png_with_a_wrong_checksum_around_right_pixels_is_read_as_others_are(deep: Path) -> None:
    data = deep.read_bytes()
    end = data.index(b"IEND") - 8
    damaged = data[:end] + bytes(4) + data[end + 4 :]
    assert damaged != data
    np.testing.assert_array_equal(load_picture(damaged).image, load_picture(data).image)


def test_each_tiff_does_not_add_to_the_handlers_of_the_log(tmp_path: Path) -> None:
    """After some ten thousand files a damaged one, of which much was logged, took more than five seconds."""
    save_picture(picture(20, 24), tmp_path / "a.tif")
    load_picture(tmp_path / "a.tif")
    before = len(logging.getLogger("tifffile").handlers)
    load_picture(tmp_path / "a.tif")
    assert len(logging.getLogger("tifffile").handlers) == before


@pytest.mark.parametrize("tag", [258, 262, 277], ids=["bits", "photometric", "samples"])
def test_a_tiff_whose_tag_has_thousands_of_values_is_refused_in_a_short_line(tmp_path: Path, tag: int) -> None:
    save_picture(picture(40, 44), tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    assert data[:2] == b"II"
    directory = struct.unpack_from("<I", data, 4)[0]
    for i in range(struct.unpack_from("<H", data, directory)[0]):
        entry = directory + 2 + 12 * i
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<HII", data, entry + 2, 3, 1000, 8)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ImageError) as refused:
        load_picture(tmp_path / "a.tif")
    assert len(str(refused.value)) < 1000
