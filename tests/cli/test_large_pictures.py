"""Large pictures, through the command line: fast, in little memory, as the same picture made small; bombs refused."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minstyle import memory
from minstyle.errors import ImageError
from minstyle.images import load_mask, load_picture, room, save_image
from tests.support import icc_profiles as icc
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

WIDE = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(1.8))


def enlarged(path: Path, factor: int, orientation: int = 1, **settings: object) -> Path:
    """A picture of 32 x 40 blocks of ``factor`` pixels, stored for an EXIF orientation."""
    pixels = np.rint(picture(32, 40, 1)).astype(np.uint8)
    if orientation == 6:  # turned to the right when seen
        pixels = np.rot90(pixels, 1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels.repeat(factor, 0).repeat(factor, 1)).save(path, exif=exif, **settings)
    return path


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.tif"])
def test_a_large_picture_is_painted_as_a_small_one(studio: Studio, name: str, orientation: int) -> None:
    settings = {"quality": 100, "subsampling": 0} if name.endswith("jpg") else {}
    small = studio.painted(enlarged(studio.folder / f"small_{name}", 3, orientation, icc_profile=WIDE, **settings))
    large = studio.painted(enlarged(studio.folder / name, 24, orientation, icc_profile=WIDE, **settings))
    assert small.shape == large.shape == (32, 40, 3)
    assert np.abs(small - large).mean() < 1.5


def test_a_mask_of_the_large_pictures_size_fits_it(studio: Studio, capsys: Captured) -> None:
    studio.content = enlarged(studio.folder / "large.jpg", 24)
    for name, size in (("c.png", (960, 768)), ("s.png", (36, 40))):
        mask = Image.new("RGB", size, "red")
        mask.paste("blue", (size[0] // 2, 0, *size))
        mask.save(studio.folder / name)
    studio.image("--mask", studio.folder / "c.png", studio.folder / "s.png")
    assert capsys.readouterr().err == ""


def test_styles_are_read_at_the_scale_that_is_seen(studio: Studio) -> None:
    found = []
    for factor in (3, 24):
        studio.style = enlarged(studio.folder / f"{factor}.jpg", factor, quality=100, subsampling=0)
        found.append(studio.painted(studio.content))
        studio.image("--style-crop", "0,0,0.5,0.5", "--init", "style")  # a part of it: read whole
    assert np.abs(found[0] - found[1]).max() < 3


PEAK = """
import pathlib, sys
from minstyle.cli.main import main
code = main(sys.argv[1:])
lines = pathlib.Path("/proc/self/status").read_text().splitlines()  # getrusage begins with what the parent had
print(code, next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")))
"""


def measured(arguments: list[str]) -> tuple[float, float]:
    """Seconds and MB of the command line in a process of its own."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", PEAK, *arguments], capture_output=True, text=True, check=True)
    code, megabytes = done.stdout.split()
    assert code == "0"
    return time.perf_counter() - begin, float(megabytes)


@pytest.mark.parametrize("profile", [None, WIDE], ids=["sRGB", "a profile"])
def test_a_photograph_of_108_megapixels_takes_little(studio: Studio, profile: bytes | None) -> None:
    """Beyond what a run with a small picture takes."""
    command = studio.arguments("--quiet")
    least_seconds, least_megabytes = measured(command)
    Image.new("RGB", (12000, 9000), (90, 120, 60)).save(studio.folder / "phone.jpg", icc_profile=profile)
    seconds, megabytes = measured([str(studio.folder / "phone.jpg"), *command[1:]])
    assert seconds - least_seconds < 5  # 0.6 on an idle machine
    assert megabytes - least_megabytes < 150


def striped(path: Path, side: int, mode: str) -> Path:
    """A picture of two halves, which packs to almost nothing."""
    drawn = Image.new(mode, (side, side), (200, 30, 30, 200)[: len(mode)])
    drawn.paste((30, 30, 200, 90)[: len(mode)], (side // 2, 0, side, side))
    drawn.save(path, compress_level=1)
    return path


def test_small_files_that_unpack_to_much_take_no_gigabytes(studio: Studio) -> None:
    """Beyond a run with small pictures: what Pillow holds of one and a copy, 8 bytes a pixel, and little else."""
    command, side = studio.arguments("--quiet"), 2500
    least = measured(command)[1]
    large = str(striped(studio.folder / "large.png", side, "RGBA"))
    assert measured([large, large, *command[2:], "--init", large])[1] - least < side**2 * 11 / 1e6
    mask = striped(studio.folder / "mask.png", side, "RGB")
    assert measured([*command, "--mask", str(mask), str(mask)])[1] - least < side**2 * 15 / 1e6


def test_a_png_that_cannot_hold_its_pixels_is_refused_at_once(studio: Studio, capsys: Captured) -> None:
    """Deflate packs to a thousandth at best."""
    Image.new("RGB", (64, 64)).save(studio.folder / "small.png")
    data = (studio.folder / "small.png").read_bytes()
    header = b"IHDR" + struct.pack(">II", 7000, 7000) + data[24:29]
    studio.content = studio.folder / "lies.png"
    studio.content.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    begin = time.perf_counter()
    assert studio.run("--quiet") == 2
    assert time.perf_counter() - begin < 2
    assert f"{studio.content}: 7000 x 7000, but the file is too short for that" in told_in_one_line(capsys)


def test_a_poster_of_139_megapixels_is_a_picture(studio: Studio) -> None:
    """A0 at 300 dots an inch, grey to be quick."""
    studio.content = studio.folder / "poster.png"
    Image.new("L", (14043, 9921), 77).save(studio.content, compress_level=1)
    studio.image()
    assert load_picture(studio.out).image.shape == (32, 45, 3)


def test_what_the_memory_does_not_hold_is_refused_by_its_header(
    studio: Studio, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "room", lambda: memory.Room(memory.resident() + 100_000_000, "a test"))
    studio.content = studio.folder / "poster.png"
    Image.new("L", (5000, 5000)).save(studio.content)
    assert studio.run("--quiet") == 2
    assert "5000 x 5000 pixels need 0.2 GB of memory, 0.1 GB are free; make it smaller" in told_in_one_line(capsys)
    save_image(picture(32, 40, 1), studio.content)
    studio.image()


@pytest.mark.parametrize(("mode", "profile", "there"), [
    ("L", None, 15), ("RGB", None, 19), ("P", None, 15), ("L", WIDE, 35), ("RGB", WIDE, 39), ("RGBA", None, 41),
])  # fmt: skip
def test_a_mask_asks_for_the_room_that_masks_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, profile: bytes | None, there: int
) -> None:
    """``there``: bytes a pixel that are enough; of levels without a profile half of a picture's."""
    monkeypatch.setattr(room, "resident", lambda: 0)
    Image.new(mode, (400, 300)).save(tmp_path / "mask.png", icc_profile=profile)
    read = load_picture if mode == "RGBA" else load_mask
    for bytes_each, wanted in ((there, True), (there - 2, False)):
        monkeypatch.setattr(room, "room", lambda each=bytes_each: memory.Room(400 * 300 * each, "a test"))
        if wanted:
            read(tmp_path / "mask.png")
        else:
            with pytest.raises(ImageError, match="400 x 300 pixels need"):
                read(tmp_path / "mask.png")


def test_a_comparison_reads_pictures_as_large_as_it_shows_them(studio: Studio) -> None:
    """Some megapixels of them, whatever the files hold."""
    small = studio.arguments("--quiet", "--compare", "document", "--size", "40", "--evaluations", "1")
    least = measured(small)[1]
    large = str(striped(studio.folder / "large.png", 4000, "RGB"))
    assert measured([large, large, *small[2:]])[1] - least < 4000**2 * 9 / 1e6
