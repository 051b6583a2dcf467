"""Colour that a file tells without a profile is the colour of the same file with the profile that it means."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from minstyle.images import load_image, load_picture
from minstyle.images.boxes import code_points
from tests.support import icc_profiles as icc
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

PIXELS = np.rint(picture(32, 40, 1)).astype(np.uint8)
# Linear light to XYZ under D50, as the P3 profile that ships with phones has it.
DISPLAY_P3 = [[0.5151187, 0.2919778, 0.1571035], [0.2411892, 0.6922441, 0.0665668], [-0.0010505, 0.0418791, 0.7840713]]
SRGB_CURVE = icc.parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
P3 = icc.matrix_profile(DISPLAY_P3, SRGB_CURVE)
ADOBE = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(563 / 256))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, profile: bytes | None = None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", icc_profile=profile)
    data = file.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def avif(primaries: int | None, transfer: int = 13, profile: bytes | None = None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "AVIF", quality=100, subsampling="4:4:4", icc_profile=profile)
    data = bytearray(file.getvalue())
    if primaries is not None:
        at = data.index(b"nclx") + 4
        data[at : at + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(data)


def heic(primaries: int, transfer: int = 13, profile: bytes | None = None) -> bytes:
    file = io.BytesIO()
    image = pillow_heif.from_pillow(Image.fromarray(PIXELS))
    told = {"color_primaries": primaries, "transfer_characteristics": transfer, "save_nclx_profile": True}
    image.info["icc_profile"] = profile
    image.save(file, quality=100, chroma=444, **({} if profile else told))
    return file.getvalue()


def jpeg(**settings: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", quality=100, subsampling=0, **settings)
    return file.getvalue()


def camera(index: str, colour_space: int = 0xFFFF) -> Image.Exif:
    """EXIF data of a camera, with its interoperability index."""
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: colour_space, 0xA005: {1: index, 2: b"0100"}})
    return exif


def painted(studio: Studio, data: bytes, name: str) -> np.ndarray:
    (studio.folder / name).write_bytes(data)
    return studio.painted(studio.folder / name)


TOLD = {
    "AVIF": (avif(12), avif(None, profile=P3)),
    "HEIC": (heic(12), heic(1, profile=P3)),
    "PNG, cICP": (png(chunk(b"cICP", bytes([12, 13, 0, 1]))), png(profile=P3)),
    "PNG, cICP before a profile": (png(chunk(b"cICP", bytes([12, 13, 0, 1])), profile=ADOBE), png(profile=P3)),
    "PNG, gamma 1": (
        png(chunk(b"gAMA", struct.pack(">I", 100_000))), png(profile=icc.matrix_profile(icc.SRGB, icc.gamma(1)))
    ),
    "PNG, gamma and primaries": (
        png(chunk(b"gAMA", struct.pack(">I", 45470)),
            chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))),
        png(profile=ADOBE),
    ),
    "JPEG, EXIF R03": (jpeg(exif=camera("R03")), jpeg(icc_profile=ADOBE)),
    "JPEG, EXIF colour space 2": (jpeg(exif=camera("", 2)), jpeg(icc_profile=ADOBE)),
}  # fmt: skip


@pytest.mark.parametrize(("told", "meant"), TOLD.values(), ids=TOLD)
def test_colour_is_read_and_written_as_with_the_profile(studio: Studio, told: bytes, meant: bytes) -> None:
    found, profile = painted(studio, told, "told"), load_picture(studio.out).profile
    expected = painted(studio, meant, "meant")
    # The primaries of the published matrices are rounded, and PNG's gamma of 2.2 is Adobe RGB's but for 0.001.
    np.testing.assert_allclose(found, expected, atol=1)
    assert profile is not None, "the result is written in the same space"
    assert np.abs(painted(studio, png(), "plain.png") - expected).max() > 10


def test_a_style_has_its_colour_too(studio: Studio) -> None:
    found = []
    for name, data in (("told.jpg", jpeg(exif=camera("R03"))), ("meant.jpg", jpeg(icc_profile=ADOBE))):
        studio.style = studio.folder / name
        studio.style.write_bytes(data)
        studio.image("--init", "style", "--evaluations", "1")
        found.append(load_image(studio.out))
    np.testing.assert_allclose(found[0], found[1], atol=2)


SRGB = {
    "EXIF R98": jpeg(exif=camera("R98", 1)),
    "PNG, the gamma that all write": png(chunk(b"gAMA", struct.pack(">I", 45455))),
    "PNG, sRGB before gamma": png(chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 100_000))),
    "PNG, no gamma": png(chunk(b"gAMA", struct.pack(">I", 0))),
    "PNG, primaries of no colour": png(chunk(b"gAMA", struct.pack(">I", 50_000)), chunk(b"cHRM", bytes(32))),
    "AVIF": avif(1),
}


@pytest.mark.parametrize("data", SRGB.values(), ids=SRGB)
def test_srgb_stays_as_it_is(studio: Studio, data: bytes) -> None:
    (studio.folder / "told").write_bytes(data)
    found = load_picture(studio.folder / "told")
    assert found.profile is None
    assert np.abs(found.image - PIXELS).mean() < 2


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_only_rgb_is_adobe_rgb_by_the_exif_data(mode: str) -> None:
    plain, told = io.BytesIO(), io.BytesIO()
    picture = Image.fromarray(PIXELS).convert(mode)
    picture.save(plain, "JPEG")
    picture.save(told, "JPEG", exif=camera("R03", 2))
    found = load_picture(told.getvalue())
    assert found.profile is None
    np.testing.assert_array_equal(found.image, load_picture(plain.getvalue()).image)


HDR = {
    "PNG, PQ": (png(chunk(b"cICP", bytes([9, 16, 0, 1]))), "PQ"),
    "AVIF, PQ": (avif(9, 16), "PQ"),
    "HEIC, HLG": (heic(9, 18), "HLG"),
}


@pytest.mark.parametrize(("data", "word"), HDR.values(), ids=HDR)
def test_hdr_is_refused_in_one_line(studio: Studio, capsys: Captured, data: bytes, word: str) -> None:
    studio.content = studio.folder / "hdr"
    studio.content.write_bytes(data)
    assert studio.run("--quiet") == 2
    assert f"HDR ({word})" in told_in_one_line(capsys)


def test_damaged_boxes_are_no_failure() -> None:
    whole = avif(12)
    start, end, found = whole.index(b"meta") - 4, whole.index(b"nclx") + 12, set()
    for seed in range(2000):
        generator, data = np.random.default_rng(seed), bytearray(whole)
        for at in generator.integers(start, end, 2):
            data[at] = generator.integers(256)
        found.add(code_points(bytes(data)))
    assert {None, (12, 13)} < found
