"""What a result carries of its photograph's file: texts to the byte, a profile that its depth can hold."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minstyle.images import load_picture, save_picture
from minstyle.images.profiles import srgb_profile
from tests.support import icc_profiles as icc
from tests.support.small import picture
from tests.support.studio import Captured, Studio

LINEAR = icc.matrix_profile(icc.SRGB, icc.gamma(1))
PROPHOTO = icc.matrix_profile(icc.PROPHOTO, icc.gamma(1.8))
ARTIST = "Jos\u00e9 M\u00fcller \u732b"


def photograph(path: Path, encoding: str) -> Path:
    """A JPEG whose EXIF texts are in UTF-8 or Latin-1, as cameras write them and Pillow does not."""
    text = ARTIST.replace("\u732b", "") if encoding == "latin-1" else ARTIST
    stored = text.encode(encoding)
    exif = Image.Exif()
    exif[0x013B] = "A" * len(stored)
    exif.get_ifd(0x8769)[0xA430] = "B" * len(stored)  # the camera's owner
    file = io.BytesIO()
    Image.fromarray(picture(32, 40, 1).astype(np.uint8)).save(file, "JPEG", exif=exif)
    data = file.getvalue().replace(b"A" * len(stored), stored).replace(b"B" * len(stored), stored)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp", "avif"])
def test_texts_keep_their_bytes(studio: Studio, extension: str, encoding: str) -> None:
    studio.content = photograph(studio.folder / "photo.jpg", encoding)
    stored = studio.content.read_bytes()
    text = re.search(rb"Jos[^\0]+", stored)
    assert text is not None
    studio.out = studio.results / f"out.{extension}"
    written = studio.image("--keep-metadata")
    assert written.count(text[0] + b"\0") == 2
    studio.content, studio.out = studio.out, studio.results / f"again.{extension}"
    assert studio.image("--keep-metadata").count(text[0] + b"\0") == 2, "and once more"
    assert text[0] not in studio.image()


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_linear_profile_is_not_written_with_8_bits(studio: Studio, extension: str) -> None:
    save_picture(picture(32, 40, 1), studio.content, depth=16, profile=LINEAR)
    studio.out = studio.results / f"out.{extension}"
    studio.image("--depth", "8")
    with Image.open(studio.out) as found:
        assert found.info["icc_profile"] == srgb_profile()


def test_a_linear_profile_is_kept_with_16_bits_and_darks_with_8(studio: Studio, tmp_path: Path) -> None:
    save_picture(picture(32, 40, 1), studio.content, depth=16, profile=LINEAR)
    studio.image()
    assert load_picture(studio.out).profile == LINEAR
    darks = np.repeat(np.linspace(0, 64, 65, dtype=np.float32)[None, :, None], 3, axis=2)
    for profile, least in ((LINEAR, 65), (PROPHOTO, 40), (None, 65)):
        save_picture(darks, tmp_path / "darks.png", profile=profile)
        assert len(np.unique(np.rint(load_picture(tmp_path / "darks.png").image[:, :, 1]))) >= least


@pytest.mark.parametrize("extension", ["png", "tif", "jpg"])
def test_colours_outside_srgb_are_told_on_the_first_line(studio: Studio, capsys: Captured, extension: str) -> None:
    """A quarter of the photograph is the green of ProPhoto RGB, which no sRGB has."""
    pixels = np.full((32, 40, 3), 120, np.uint8)
    pixels[:16, :20] = 0, 255, 0
    studio.content = studio.folder / f"wide.{extension}"
    lossless = {"quality": 100, "subsampling": 0} if extension == "jpg" else {}
    Image.fromarray(pixels).save(studio.content, icc_profile=PROPHOTO, **lossless)
    studio.image()
    line = capsys.readouterr().err.splitlines()[0]
    assert line == f"minstyle: {studio.content}: 25% of it has colours outside sRGB; the nearest ones inside are used"
    pixels[:16, :20] = 120, 130, 110
    Image.fromarray(pixels).save(studio.content, icc_profile=PROPHOTO, **lossless)
    studio.image()
    assert capsys.readouterr().err == ""
