"""TIFFs as cameras, scanners and microscopes write them, painted as the same picture in a plain file is."""

from __future__ import annotations

import itertools
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from minstyle.images import load_image, save_picture
from tests.support import icc_profiles as icc
from tests.support.damaged import flipped_files, outcomes_in_child
from tests.support.small import picture
from tests.support.studio import Captured, Studio, assert_same, told_in_one_line

RGB = np.rint(picture(32, 40, 1)).astype(np.uint8)
GREY = RGB[:, :, 1]


def grey3(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(values, np.float64)[:, :, None], 3, axis=2)


def test_what_these_tests_compare_shows_other_pictures(studio: Studio) -> None:
    paintings = [studio.plain(image) for image in (grey3(GREY), grey3(255 - GREY), grey3(0.94 * GREY), RGB)]
    for one, other in itertools.combinations(paintings, 2):
        assert np.abs(one - other).max() > 2


# Which page


def preview_and_picture(path: Path, second: Any, **settings: Any) -> Path:
    """A reduced preview first, ``second`` behind it."""
    thumbnail = np.full((8, 10, 3), 90, np.uint8)
    with tifffile.TiffWriter(path) as writer:
        writer.write(thumbnail, photometric="rgb", subfiletype=1, metadata=None, subifds=settings.pop("subifds", 0))
        writer.write(second, metadata=None, **settings)
    return path


@pytest.mark.parametrize("below", [0, 1], ids=["the next page", "a directory below"])
def test_the_picture_is_taken_not_the_preview_before_it(studio: Studio, below: int) -> None:
    path = preview_and_picture(studio.folder / "photo.nef", RGB, photometric="rgb", subfiletype=0, subifds=below)
    assert_same(studio.painted(path), studio.plain(RGB, depth=8))


@pytest.mark.parametrize(("kind", "words"), [
    ({"photometric": "rgb", "subfiletype": 1}, "it holds previews and masks only"),
    ({"photometric": 32803, "subfiletype": 0, "subifds": 1}, "a camera's raw file; develop it"),
])  # fmt: skip
def test_without_a_full_picture_there_is_one_line(
    studio: Studio, capsys: Captured, kind: dict[str, Any], words: str
) -> None:
    second = RGB if kind["photometric"] == "rgb" else GREY
    studio.content = preview_and_picture(studio.folder / "photo.dng", second, **kind)
    assert studio.run("--quiet") == 2
    assert words in told_in_one_line(capsys)


def test_several_full_pictures_are_refused(studio: Studio, capsys: Captured) -> None:
    with tifffile.TiffWriter(studio.folder / "scans.tif") as writer:
        for _ in range(3):
            writer.write(RGB, photometric="rgb", metadata=None)
    studio.content = studio.folder / "scans.tif"
    assert studio.run("--quiet") == 2
    assert "it holds 3 pages, expected one picture" in told_in_one_line(capsys)


def test_endless_pages_are_refused_at_once(studio: Studio, capsys: Captured) -> None:
    tags = [(254, 4, 0), (256, 3, 8), (257, 3, 8), (258, 3, 8), (262, 3, 1), (273, 4, 8), (277, 3, 1), (279, 4, 64)]
    entries = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, kind, 1, n) for tag, kind, n in tags)
    start, size = 8 + 64, len(entries) + 4
    pages = b"".join(entries + struct.pack("<I", start + (i + 1) * size) for i in range(50_000))
    studio.content = studio.folder / "pages.tif"
    studio.content.write_bytes(b"II*\0" + struct.pack("<I", start) + bytes(64) + pages)
    assert studio.run("--quiet") == 2
    assert "it holds more than 1000 pages" in told_in_one_line(capsys)


# Bits and sample formats


def packed_12_bits(path: Path, levels: np.ndarray) -> None:
    """A grey TIFF of 12 bits, two samples in three bytes, as scanners write it."""
    pairs = levels.reshape(len(levels), -1, 2).astype(np.uint32)
    both = pairs[..., 0] << 12 | pairs[..., 1]
    data = np.stack([both >> 16, both >> 8 & 255, both & 255], axis=-1).astype(np.uint8).tobytes()
    height, width = levels.shape
    tags = [
        (256, width),
        (257, height),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 0),
        (277, 1),
        (278, height),
        (279, len(data)),
    ]
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data)


LEVELS = (GREY.astype(np.float64) * 257).astype(np.uint16)
DEPTHS: dict[str, tuple[np.ndarray, str, np.ndarray]] = {
    "16 bits, white is zero": (65535 - LEVELS, "miniswhite", LEVELS / 257),
    "8 bits, white is zero": (255 - GREY, "miniswhite", GREY),
    "int16": ((LEVELS // 2).astype(np.int16), "minisblack", (LEVELS // 2) / 32767 * 255),
    "uint32": (LEVELS.astype(np.uint32) * 65537, "minisblack", LEVELS / 257),
    "float64": (GREY / 255.0, "minisblack", GREY),
    "floats, white is zero": ((1 - GREY / 255).astype(np.float32), "miniswhite", GREY),
}


@pytest.mark.parametrize(("stored", "photometric", "levels"), DEPTHS.values(), ids=DEPTHS)
def test_grey_is_read_by_its_bits_and_format(
    studio: Studio, stored: np.ndarray, photometric: Any, levels: np.ndarray
) -> None:
    tifffile.imwrite(studio.folder / "grey.tif", stored, photometric=photometric)
    assert_same(studio.painted(studio.folder / "grey.tif"), studio.plain(grey3(levels)))


def test_grey_of_12_bits_has_its_whole_range(studio: Studio) -> None:
    levels = np.rint(GREY / 255 * 4095).astype(np.uint16)
    packed_12_bits(studio.folder / "scan.tif", levels)
    assert_same(studio.painted(studio.folder / "scan.tif"), studio.plain(grey3(levels / 4095 * 255)))


# Channels, spaces, compressions

DEEP = RGB.astype(np.uint16) * 257
CLEAR = np.full((32, 40, 1), 128, np.uint8)
CLEAR[:, :20] = 255
INK = np.concatenate([255 - RGB, np.zeros((32, 40, 1), np.uint8)], axis=2)
ALPHA = {"extrasamples": ["unassalpha"]}
CHANNELS: dict[str, tuple[np.ndarray, dict[str, Any], bool]] = {
    "LZW with differences": (DEEP, {"photometric": "rgb", "compression": "lzw", "predictor": True}, False),
    "LERC": (RGB, {"photometric": "rgb", "compression": "lerc"}, False),
    "JPEG XL": (RGB, {"photometric": "rgb", "compression": "jpegxl"}, False),
    "planes in tiles": (np.moveaxis(DEEP, 2, 0),
                        {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 16)}, False),
    "BigTIFF": (DEEP, {"photometric": "rgb", "bigtiff": True, "compression": "zlib"}, False),
    "CMYK": (INK, {"photometric": "separated"}, False),
    "CMYK of 16 bits": (INK.astype(np.uint16) * 257, {"photometric": "separated"}, False),
    "CMYK and alpha": (np.concatenate([INK, CLEAR], axis=2), {"photometric": "separated"} | ALPHA, True),
    "RGB, a mask that is no alpha": (np.concatenate([RGB, CLEAR], axis=2),
                                     {"photometric": "rgb", "extrasamples": ["unspecified"]}, False),
}  # fmt: skip


@pytest.mark.parametrize(("stored", "kind", "clear"), CHANNELS.values(), ids=CHANNELS)
def test_channels_and_compressions(studio: Studio, stored: np.ndarray, kind: dict[str, Any], clear: bool) -> None:
    tifffile.imwrite(studio.folder / "odd.tif", stored, **kind)
    opacity = CLEAR[:, :, 0] / np.float32(255) if clear else None
    assert_same(studio.painted(studio.folder / "odd.tif"), studio.plain(RGB, opacity, 8))


def test_grey_and_alpha_of_16_bits(studio: Studio) -> None:
    stored = np.dstack([LEVELS, CLEAR.astype(np.uint16) * 257])
    tifffile.imwrite(studio.folder / "odd.tif", stored, photometric="minisblack", planarconfig="contig", **ALPHA)
    opacity = CLEAR[:, :, 0] / np.float32(255)
    assert_same(studio.painted(studio.folder / "odd.tif"), studio.plain(grey3(LEVELS / 257), opacity))


def test_cielab_of_16_bits(studio: Studio) -> None:
    lightness = np.linspace(0, 65535, 40).astype(np.uint16)[None].repeat(32, 0)
    stored = np.dstack([lightness, *np.zeros((2, 32, 40), np.uint16)])
    tifffile.imwrite(studio.folder / "odd.tif", stored, photometric="cielab")
    levels = np.vectorize(icc.grey_of_lightness)(lightness / 655.35)
    assert_same(studio.painted(studio.folder / "odd.tif"), studio.plain(grey3(levels)))
    tifffile.imwrite(studio.folder / "vips.tif", (stored // 2).astype(np.int16), photometric="cielab")
    assert_same(studio.painted(studio.folder / "vips.tif"), studio.plain(grey3(levels)))


@pytest.mark.parametrize("kind", ["cielab", "icclab"])
def test_the_a_and_b_of_cielab_are_signed_or_have_an_offset(studio: Studio, kind: str) -> None:
    """A red of L* = 54.3, a* = 81, b* = 70, which is sRGB's, in 8 and in 16 bits."""
    for depth in (np.uint8, np.uint16):
        deep = depth == np.uint16
        top = 255 if not deep else 65535 if kind == "cielab" else 65280
        ab = np.array([81, 70]) if kind == "cielab" else np.array([81, 70]) + 128
        colour = [round(54.3 / 100 * top), *(ab * (256 if deep else 1))]
        tifffile.imwrite(studio.folder / "red.tif", np.full((32, 40, 3), colour, depth), photometric=kind)
        np.testing.assert_allclose(load_image(studio.folder / "red.tif")[0, 0], [255, 0, 0], atol=2)


def test_a_kind_that_is_not_read_is_named(studio: Studio, capsys: Captured) -> None:
    tifffile.imwrite(studio.folder / "hdr.tif", RGB.astype(np.float32), photometric="rgb", compression="zlib")
    studio.content = studio.folder / "hdr.tif"
    assert studio.run("--quiet") == 2
    line = told_in_one_line(capsys)
    assert "a TIFF of 32 bits (floats), 3 x RGB, compression ADOBE_DEFLATE is not read" in line


WITHOUT = (
    "import sys; sys.modules['imagecodecs'] = None; from minstyle.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.mark.parametrize("kind", ["tif", "png"])
def test_without_its_library_a_file_says_what_to_install(studio: Studio, kind: str) -> None:
    studio.content = studio.folder / f"deep.{kind}"
    if kind == "tif":
        tifffile.imwrite(studio.content, DEEP, photometric="rgb", compression="lzw")
    else:
        save_picture(RGB, studio.content, depth=16)
    command = [sys.executable, "-c", WITHOUT, *studio.arguments("--quiet")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "needs another package: pip install imagecodecs" in line
    tifffile.imwrite(studio.content, DEEP, photometric="rgb", compression="zlib")
    subprocess.run(command, capture_output=True, check=True)


# Harm


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "jpeg", "zstd"])
def test_damaged_tiffs_are_pictures_or_one_line(tmp_path: Path, compression: Any) -> None:
    """In a process of its own of 4 GiB: none ends it, swells it or hangs it."""
    tifffile.imwrite(tmp_path / "good.tif", RGB, photometric="rgb", compression=compression)
    outcomes = outcomes_in_child(
        "minstyle.images.load_image", flipped_files(tmp_path / "good.tif", 150), error="ImageError"
    )
    assert set(outcomes.values()) <= {"valid", "refused"}
    assert len(outcomes) == 150


def test_a_size_that_the_file_only_claims_is_refused(studio: Studio, capsys: Captured) -> None:
    for side, words in ((2**31, "larger than 178,956,970 pixels"), (13_000, "odd.tif")):
        tifffile.imwrite(studio.folder / "odd.tif", RGB, photometric="rgb", compression="zlib")
        data = bytearray((studio.folder / "odd.tif").read_bytes())
        for tag in (256, 257):
            at = data.index(struct.pack("<HH", tag, 4))
            data[at + 8 : at + 12] = struct.pack("<I", side)
        (studio.folder / "odd.tif").write_bytes(data)
        studio.content = studio.folder / "odd.tif"
        assert studio.run("--quiet") == 2
        assert words in told_in_one_line(capsys)
