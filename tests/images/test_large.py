"""images/writing.py: pictures of any size, a block of rows at a time; what a format cannot hold is told before."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from minstyle.errors import ImageError
from minstyle.images import check_image_path, load_picture, save_image, save_picture, tiff, writing
from tests.support import icc_profiles as icc
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

WIDE = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(2.2))
TABLES = icc.profile(b"RGB ", b"Lab ", icc.GREY_TABLES | icc.BACK)


@pytest.mark.parametrize("profile", [None, WIDE, TABLES], ids=["sRGB", "a matrix", "tables"])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_block_by_block_is_the_same_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, profile: bytes | None
) -> None:
    image, opacity = picture(50, 40), np.linspace(-0.5, 1.5, 2000).reshape(50, 40)
    found = []
    for block in (1 << 20, 40 * 17):
        monkeypatch.setattr(writing, "_AT_ONCE", block)
        save_picture(image, tmp_path / name, opacity=opacity, profile=profile, depth=16)
        found.append((tmp_path / name).read_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
@pytest.mark.parametrize("depth", [8, 16])
def test_writing_takes_a_part_of_the_pictures_own_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, depth: int
) -> None:
    """Floats of double precision of the whole image would be 24 bytes a pixel, and there were two of them."""
    monkeypatch.setattr(writing, "_AT_ONCE", 1 << 14)
    image = np.full((1000, 800, 3), 99.5, np.float32)
    tracemalloc.start()
    try:
        save_picture(image, tmp_path / name, depth=depth)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 20 * image[:, :, 0].size


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("rows", [3, 2000])  # in one strip, in several
def test_a_file_of_over_4_gb_would_be_a_bigtiff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, rows: int
) -> None:
    monkeypatch.setattr(tiff, "_MOST", 0)
    image, path = picture(rows, 40), tmp_path / "a.tif"
    exif = Image.Exif()
    exif[0x013B] = "An Artist"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a comment"
    opacity = None if channels == 3 else np.full((rows, 40), 0.5)
    save_picture(image, path, opacity=opacity, depth=16, exif=exif.tobytes(), dpi=(200, 200), profile=WIDE)
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
        assert file.pages[0].tags["Artist"].value == "An Artist"
        assert file.pages[0].asarray().shape == (rows, 40, channels)
    found = load_picture(path)
    assert (found.depth, found.dpi, found.profile == WIDE) == (16, (200, 200), True)
    np.testing.assert_allclose(found.image, image, atol=0.1)


@pytest.mark.parametrize(("name", "most"), [("a.jpg", 65500), ("a.webp", 16383), ("a.avif", 32768)])
@pytest.mark.parametrize("turned", [False, True])
def test_formats_hold_sides_of_so_many_pixels(tmp_path: Path, name: str, most: int, turned: bool) -> None:
    """As many as their libraries write and read back."""

    def strip(side: int) -> tuple[int, int]:
        return (side, 8) if turned else (8, side)

    save_image(np.zeros((*strip(most), 3), np.float32), tmp_path / name)
    assert load_picture(tmp_path / name).image.shape[:2] == strip(most)
    (tmp_path / name).unlink()
    functions: tuple[Callable[[], None], ...] = (
        lambda: check_image_path(tmp_path / name, strip(most + 1)),
        lambda: save_image(np.zeros((*strip(most + 1), 3), np.float32), tmp_path / name),
    )
    for function in functions:
        with pytest.raises(ImageError, match=rf"{name}: expected at most {most} pixels a side, .*\.png and \.tif"):
            function()
    check_image_path(tmp_path / "a.png", strip(10**6))
    assert not (tmp_path / name).exists()


def test_a_run_for_a_format_that_cannot_hold_it_does_not_start(studio: Studio, capsys: Captured) -> None:
    studio.out = studio.results / "out.webp"
    assert studio.run("--size", "16384", "--size-of", "long") == 2
    line = told_in_one_line(capsys)
    assert "out.webp: expected at most 16383 pixels a side, which WEBP can hold (.png and .tif hold more)" in line
    assert "got 16384 x 13107" in line
