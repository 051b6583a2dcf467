"""images/reading.py and images/writing.py: a picture and all it carries, out to every format and back."""

from __future__ import annotations

import io
import json
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import png
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from minstyle.errors import ImageError
from minstyle.images import Picture, load_image, load_picture, read_text, save_picture
from minstyle.images.arrays import fill_hidden
from minstyle.images.profiles import srgb_profile
from tests.support import icc_profiles as icc
from tests.support.memory import peak_memory
from tests.support.small import picture

ADOBE = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(2.2))
FORMATS = ["png", "jpg", "webp", "tif", "avif"]
ALPHA = [name for name in FORMATS if name != "jpg"]
SMOOTH = picture(5, 6).repeat(8, 0).repeat(8, 1) * np.float32(0.6) + 50
EDGE = np.linspace(-0.5, 1.5, 48, dtype=np.float32).clip(0, 1)[None].repeat(40, 0)  # clear, soft, opaque


@pytest.mark.parametrize("profile", [None, ADOBE], ids=["sRGB", "Adobe RGB"])
@pytest.mark.parametrize("opacity", [None, EDGE], ids=["opaque", "alpha"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("extension", FORMATS)
def test_a_picture_survives_every_format(
    tmp_path: Path, extension: str, depth: int, opacity: np.ndarray | None, profile: bytes | None
) -> None:
    path = tmp_path / f"out.{extension}"
    save_picture(SMOOTH, path, opacity=opacity, depth=depth, profile=profile, dpi=(300, 300), quality=100)
    found = load_picture(path)
    lossless, deep = extension in ("png", "tif"), extension in ("png", "tif") and depth == 16
    assert found.depth == (16 if deep else 8)
    assert found.profile == profile
    assert found.dpi == (300, 300)
    assert found.exif is None
    if opacity is None or extension == "jpg":
        assert found.opacity is None
        expected = SMOOTH if opacity is None else SMOOTH * opacity[:, :, None] + 255 * (1 - opacity[:, :, None])
        visible = np.ones((40, 48), bool)
    else:
        assert found.opacity is not None
        np.testing.assert_allclose(found.opacity, opacity, atol=1e-5 if deep else 0.01)
        expected, visible = SMOOTH, opacity > 0.1
    error = np.abs(found.image - expected)[visible]
    assert error.max() < (0.01 if deep else 1.5 if lossless else 40)
    assert error.mean() < (0.01 if deep else 0.6 if lossless else 3)
    assert os.listdir(tmp_path) == [path.name]


@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 9)),
    extension=st.sampled_from(["png", "tif"]),
    alpha=st.booleans(),
    seed=st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_sixteen_bits_come_back_exactly_at_any_size(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], extension: str, alpha: bool, seed: int
) -> None:
    levels = np.random.default_rng(seed).integers(1, 65536, (*shape, 4)).astype(np.float32)
    path = tmp_path_factory.getbasetemp() / f"deep.{extension}"
    save_picture(levels[:, :, :3] / 257, path, opacity=levels[:, :, 3] / 65535 if alpha else None, depth=16)
    found = load_picture(path)
    np.testing.assert_array_equal(np.rint(found.image * 257), levels[:, :, :3])
    opacity = np.float32(65535) if found.opacity is None else np.rint(found.opacity * 65535)
    np.testing.assert_array_equal(np.broadcast_to(opacity, shape), levels[:, :, 3] if alpha else 65535)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_other_decoders_read_the_same_pixels(tmp_path: Path, depth: int, channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 2**depth, (70, 33, channels))
    scale = 257 if depth == 16 else 1
    opacity = values[:, :, 3] / (255 * scale) if channels == 4 else None
    for extension in ("png", "tif"):
        save_picture(values[:, :, :3] / scale, tmp_path / f"out.{extension}", opacity=opacity, depth=depth)
    width, height, rows, told = png.Reader(bytes=(tmp_path / "out.png").read_bytes()).asDirect()
    assert (width, height, told["bitdepth"], told["alpha"]) == (33, 70, depth, channels == 4)
    np.testing.assert_array_equal(np.vstack([np.asarray(row) for row in rows]).reshape(values.shape), values)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        (page,) = file.pages
        assert isinstance(page, tifffile.TiffPage)
        # The library undoes the differences only with a larger one installed: they are added up here.
        strips = [
            zlib.decompress(file.filehandle.read_array("u1", n, offset=at).tobytes())
            for at, n in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
        stored = np.frombuffer(b"".join(strips), page.dtype).reshape(values.shape)
        np.testing.assert_array_equal(np.cumsum(stored, axis=1, dtype=page.dtype), values)
        assert (page.bitspersample, page.samplesperpixel, page.compression.name) == (depth, channels, "ADOBE_DEFLATE")
        assert page.iccprofile == srgb_profile()


# What a file carries


@pytest.mark.parametrize("extension", FORMATS)
def test_the_profile_is_embedded_for_every_reader(tmp_path: Path, extension: str) -> None:
    for profile, expected in ((None, srgb_profile()), (ADOBE, ADOBE), (icc.cmyk_profile(), srgb_profile())):
        save_picture(SMOOTH, tmp_path / f"out.{extension}", profile=profile)
        with Image.open(tmp_path / f"out.{extension}") as stored:
            assert stored.info["icc_profile"] == expected


def camera_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x013B], exif[0x8298], exif[0x0132] = 6, "An Artist", "(c) Someone", "2024:05:06 07:08:09"
    exif.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", 0xA002: 9999, 0xA001: 65535, 0x927C: b"\1" * 900})
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0)})
    return exif


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("source", ["jpg", "png", "webp"])
def test_what_the_camera_told_is_kept_if_asked_and_else_dropped(tmp_path: Path, source: str, extension: str) -> None:
    Image.new("RGB", (16, 8), (90, 90, 90)).save(tmp_path / f"in.{source}", exif=camera_exif())
    taken = load_picture(tmp_path / f"in.{source}")
    assert taken.image.shape == (16, 8, 3)
    assert taken.exif is not None
    for exif in (taken.exif, None):
        save_picture(taken.image, tmp_path / f"out.{extension}", exif=exif, text={"minstyle": "{}"})
        with Image.open(tmp_path / f"out.{extension}") as stored:
            told = stored.getexif()
            assert told.get(0x0112, 1) == 1
            detail, place = told.get_ifd(0x8769), told.get_ifd(0x8825)
        kept = {key: told.get(key) for key in (0x013B, 0x8298)}
        assert kept == ({0x013B: "An Artist", 0x8298: "(c) Someone"} if exif else {0x013B: None, 0x8298: None})
        assert detail.get(0x9003) == ("2024:05:06 07:08:09" if exif else None)
        assert not detail.keys() & {0xA001, 0xA002, 0x927C}
        assert place.get(2) == ((52, 30, 0) if exif else None)
        again = load_picture(tmp_path / f"out.{extension}")
        assert again.image.shape == (16, 8, 3)
        assert again.exif == exif  # a recipe is no part of it


@pytest.mark.parametrize("extension", FORMATS)
def test_resolution_turns_with_the_picture(tmp_path: Path, extension: str) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x011B], exif[0x0128] = 6, 300.0, 150.0, 2
    dpi = {"dpi": (300, 150)} if extension in ("jpg", "tif", "png") else {}
    Image.new("RGB", (16, 8)).save(tmp_path / f"in.{extension}", exif=exif, **dpi)
    found = load_picture(tmp_path / f"in.{extension}")
    assert found.image.shape == (16, 8, 3)
    assert found.dpi == (150, 300)


def test_a_higher_quality_is_nearer_and_larger(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)
    for extension in ("jpg", "webp", "avif"):
        found = []
        for quality in (20, 95):
            path = tmp_path / f"{quality}.{extension}"
            save_picture(noise, path, quality=quality)
            found.append((path.stat().st_size, np.abs(load_image(path) - noise).mean()))
        assert found[0][0] < found[1][0]
        assert found[0][1] > found[1][1]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "depth": ({"depth": 12}, "depth 8 or 16, got 12"),
    "opacity": ({"opacity": np.ones((3, 3))}, r"opacity \(40, 48\), got \(3, 3\)"),
    "NaN": ({"opacity": np.full((40, 48), np.nan)}, "finite opacity"),
    "dpi": ({"dpi": (0, 300)}, r"1 to 65535, got \(0, 300\)"),
    "quality": ({"quality": 101}, "quality 1 to 100, got 101"),
    "text": ({"text": {"Author": "me"}}, r"minstyle and Software, got \['Author'\]"),
    "long": ({"text": {"minstyle": "a" * 2_000_000}}, "at most 1,048,576 characters, got 2,000,000"),
    "exif": ({"exif": b"nonsense"}, "EXIF data to keep cannot be read"),
}


@pytest.mark.parametrize(("given", "words"), BAD.values(), ids=BAD)
def test_a_wrong_value_is_refused_in_one_line(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ImageError, match=rf"out\.png: .*{words}") as caught:
        save_picture(SMOOTH, tmp_path / "out.png", **given)
    assert len(str(caught.value).splitlines()) == 1
    assert os.listdir(tmp_path) == []


# Transparency


def test_hidden_colours_take_no_part(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2] = 255, 0, 255, 0  # garbage under full transparency
    pixels[2], pixels[3] = (100, 50, 20, 255), (10, 20, 30, 85)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    found = load_picture(tmp_path / "in.png")
    mean = (np.array([100, 50, 20]) * 3 + np.array([10, 20, 30])) / 4
    np.testing.assert_allclose(found.image[:2], np.broadcast_to(mean, (2, 4, 3)), rtol=1e-5)
    np.testing.assert_array_equal(found.image[2:], pixels[2:, :, :3])
    np.testing.assert_array_equal(load_image(tmp_path / "in.png")[:2], 255)


def test_a_picture_without_a_visible_pixel_is_white() -> None:
    np.testing.assert_array_equal(fill_hidden(SMOOTH, np.zeros((40, 48), np.float32)), 255)


def test_an_alpha_channel_that_hides_nothing_is_none(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(tmp_path / "in.png")
    assert load_picture(tmp_path / "in.png").opacity is None


# The recipe

TEXT = '{"name": "é \U0001f600 \\u0041", "size": 512}'


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("length", [1, 200], ids=["short", "long"])
@pytest.mark.parametrize("extension", FORMATS)
def test_the_recipe_is_read_back_from_every_format(tmp_path: Path, extension: str, length: int, depth: int) -> None:
    text, path = "[" + ", ".join([TEXT] * length) + "]", tmp_path / f"out.{extension}"
    save_picture(SMOOTH, path, depth=depth, text={"minstyle": text, "Software": "minstyle 0.1"})
    found = read_text(path)
    assert found is not None
    assert json.loads(found) == json.loads(text)
    again = load_picture(path)
    assert again.exif is None  # a recipe is no metadata of the next picture
    save_picture(SMOOTH, path)
    assert read_text(path) is None


def test_another_programs_comment_is_no_recipe(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0holiday"
    exif[0x010E] = "holiday"
    for extension in ("jpg", "tif", "png"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"in.{extension}", exif=exif)
        assert read_text(tmp_path / f"in.{extension}") is None


def test_a_text_that_swells_is_refused(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("minstyle", "a" * 50_000_000, zip=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "bomb.png", pnginfo=chunks)
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    with peak_memory(20e6), pytest.raises(ImageError, match=r"bomb\.png: its recipe has more than 1,048,576") as caught:
        read_text(tmp_path / "bomb.png")
    assert len(str(caught.value).splitlines()) == 1
    with peak_memory(20e6):
        assert load_picture(tmp_path / "bomb.png").image.shape == (4, 4, 3), "the picture itself is good"
    Image.new("RGB", (4, 4)).save(tmp_path / "long.tif", description="minstyle " + "a" * 1_100_000)
    with pytest.raises(ImageError, match=r"long\.tif: its recipe has more than 1,048,576 characters"):
        read_text(tmp_path / "long.tif")


def test_a_recipe_too_long_for_a_jpeg_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"out\.jpg: JPEG cannot hold"):
        save_picture(SMOOTH, tmp_path / "out.jpg", text={"minstyle": "a" * 70_000})
    assert os.listdir(tmp_path) == []


# More than one picture


def several(name: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (60 * i, 0, 0)) for i in range(3)]
    frames[0].save(buffer, name, save_all=True, append_images=frames[1:], **more)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "words"), [("GIF", "frames"), ("PNG", "frames"), ("WEBP", "frames"), ("AVIF", "frames"), ("TIFF", "pages")]
)
def test_an_animation_is_refused_with_the_number_of_frames(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "many").write_bytes(several(name))
    with pytest.raises(ImageError, match=rf"many: it holds 3 {words}.*expected one picture; save the one you want"):
        load_picture(tmp_path / "many")


def test_of_a_camera_phones_two_pictures_the_first_is_taken(tmp_path: Path) -> None:
    (tmp_path / "phone.jpg").write_bytes(several("MPO"))
    np.testing.assert_allclose(load_picture(tmp_path / "phone.jpg").image[:, :, 0], 0, atol=2)


def test_a_tiff_with_a_thumbnail_is_one_picture(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "scan.tif") as writer:
        writer.write(np.full((32, 32, 3), 7, np.uint8), photometric="rgb")
        writer.write(np.full((8, 8, 3), 9, np.uint8), photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(load_picture(tmp_path / "scan.tif").image, 7)


# HEIC


def test_heic_is_read_with_its_library_and_named_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "phone.jpg"  # by its content, not its name
    stored = pillow_heif.from_pillow(Image.fromarray(np.rint(SMOOTH).astype(np.uint8)))
    stored.save(tmp_path / "phone.heic", quality=95)
    (tmp_path / "phone.heic").rename(path)
    assert np.abs(load_picture(path).image - SMOOTH).mean() < 4
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF")
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    with pytest.raises(ImageError, match=r"phone\.jpg: .*pip install 'minstyle\[heic\]'"):
        load_picture(path)


def test_a_picture_without_extras_says_so() -> None:
    assert Picture(SMOOTH) == Picture(SMOOTH, None, 8, None, None, None)
