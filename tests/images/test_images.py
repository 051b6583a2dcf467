"""images: a picture file becomes an image as a person sees it, an image becomes a file, nothing else passes."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from minstyle.errors import ImageError
from minstyle.images import WRITERS, check_image_path, load_image, save_image
from tests.support.small import picture

FAST = settings(max_examples=40, deadline=None)
ORIENTATION = 0x0112
# What a viewer does with the stored rows and columns, by EXIF orientation.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG file by hand, for what Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def one_colour(path: Path) -> np.ndarray:
    """The colour of a picture that has only one."""
    image = load_image(path)
    assert image.ndim == 3
    assert (image == image[0, 0]).all()
    return image[0, 0]


# Reading


@pytest.mark.parametrize("extension", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_photograph_is_turned_as_its_camera_was(tmp_path: Path, orientation: int, extension: str) -> None:
    stored = np.rint(picture(24, 40, 3)[::8, ::8]).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    lossless: dict[str, Any] = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}
    path = tmp_path / f"photo.{extension}"
    Image.fromarray(stored).save(path, exif=exif, **lossless.get(extension, {}))
    image, expected = load_image(path), UPRIGHT[orientation](stored)
    assert image.shape == expected.shape
    np.testing.assert_allclose(image, expected, atol=3 if extension == "jpg" else 0)


def palette_picture() -> Image.Image:
    indexed = Image.new("P", (4, 4), 1)
    indexed.putpalette([0, 0, 0, 200, 100, 50])
    return indexed


OVER_WHITE = [200 * 128 / 255 + 127, 100 * 128 / 255 + 127, 127]  # (200, 100, 0), half transparent
COLOURS: dict[str, tuple[Image.Image, str, dict[str, Any], list[float]]] = {
    "RGB": (Image.new("RGB", (4, 4), (1, 2, 3)), "png", {}, [1, 2, 3]),
    "grey": (Image.new("L", (4, 4), 77), "png", {}, [77] * 3),
    "grey JPEG": (Image.new("L", (8, 8), 77), "jpg", {}, [77] * 3),
    "1 bit white": (Image.new("1", (4, 4), 1), "png", {}, [255] * 3),
    "1 bit black": (Image.new("1", (4, 4), 0), "tif", {}, [0] * 3),
    "palette": (palette_picture(), "png", {}, [200, 100, 50]),
    "palette GIF": (palette_picture(), "gif", {}, [200, 100, 50]),
    "palette, half transparent": (palette_picture(), "png", {"transparency": b"\xff\x80"}, [227.4, 177.2, 152.1]),
    "RGBA opaque": (Image.new("RGBA", (4, 4), (200, 100, 0, 255)), "png", {}, [200, 100, 0]),
    "RGBA half": (Image.new("RGBA", (4, 4), (200, 100, 0, 128)), "png", {}, OVER_WHITE),
    "RGBA half TIFF": (Image.new("RGBA", (4, 4), (200, 100, 0, 128)), "tif", {}, OVER_WHITE),
    "RGBA clear": (Image.new("RGBA", (4, 4), (200, 100, 0, 0)), "png", {}, [255] * 3),
    "RGB, one colour clear": (Image.new("RGB", (4, 4), (1, 2, 3)), "png", {"transparency": (1, 2, 3)}, [255] * 3),
    "grey and alpha": (Image.new("LA", (4, 4), (100, 128)), "png", {}, [177.2] * 3),
    "CMYK JPEG": (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "jpg", {}, [255, 0, 0]),
    "CMYK TIFF": (Image.new("CMYK", (8, 8), (255, 0, 255, 0)), "tif", {}, [0, 255, 0]),
}


@pytest.mark.parametrize(("stored", "extension", "settings", "expected"), COLOURS.values(), ids=COLOURS)
def test_any_kind_of_picture_becomes_rgb(
    tmp_path: Path, stored: Image.Image, extension: str, settings: dict[str, Any], expected: list[float]
) -> None:
    path = tmp_path / f"picture.{extension}"
    stored.save(path, **settings)
    image = load_image(path)
    assert (image.dtype, image.shape) == (np.float32, (stored.height, stored.width, 3))
    np.testing.assert_allclose(one_colour(path), expected, atol=1)


@pytest.mark.parametrize("extension", ["png", "tif"])
@pytest.mark.parametrize("value", [0, 200, 255, 257 * 100, 40000, 65535])
def test_16_bits_of_grey_keep_their_fractions(tmp_path: Path, value: int, extension: str) -> None:
    path = tmp_path / f"deep.{extension}"
    Image.fromarray(np.full((4, 4), value, np.uint16)).save(path)
    np.testing.assert_allclose(one_colour(path), value / 257, rtol=1e-6)


def test_16_bits_of_colour_keep_their_fractions(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(png(2, 2, 16, 2, (b"\0" + struct.pack(">HHH", 200, 40000, 65535) * 2) * 2))
    np.testing.assert_allclose(one_colour(path), [200 / 257, 40000 / 257, 255], rtol=1e-6)


def encoded(extension: str) -> bytes:
    """A whole picture file that is worth cutting."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    name, settings = WRITERS[f".{extension}"]
    Image.fromarray(noise).save(buffer, name, **settings)
    return buffer.getvalue()


NO_PICTURES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("empty.png", b"", "not a picture"),
    "text": ("notes.jpg", b"This is not a picture.\n" * 100, "not a picture"),
    "header only": ("header.png", b"\x89PNG\r\n\x1a\n", "not a picture"),
    "JPEG XL": ("phone.jxl", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(90), "a JPEG XL file, which is not read; save it"),
    "no pixels": ("none.png", png(0, 10, 8, 2, b""), "not a picture"),
    **{
        f"truncated {name}": (f"cut.{name}", encoded(name)[: len(encoded(name)) // 2], "")
        for name in ("png", "jpg", "webp", "tif")
    },
    "large": ("large.png", png(10_000, 10_000, 8, 2, b""), "but the file is too short for that"),
    "very large": ("huge.png", png(100_000, 100_000, 8, 2, b""), "larger than 178,956,970 pixels"),
    "absurdly large": ("absurd.png", png(2**31 - 1, 2**31 - 1, 8, 2, b""), "larger than 178,956,970 pixels"),
}


def refusal(path: Path) -> str:
    """The one line with which load_image refuses ``path``, without a word from Pillow beside it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(ImageError) as caught:
            load_image(path)
    assert [str(warning.message) for warning in told] == []
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(("name", "content", "reason"), NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_whole_picture_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason in refusal(tmp_path / name)


def test_a_picture_of_floats_that_are_no_numbers_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "odd.tif")
    refusal(tmp_path / "odd.tif")


@pytest.mark.parametrize("name", ["gone.png", ".", "a" * 300 + ".png"], ids=["missing", "a folder", "a long name"])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    refusal(tmp_path / name)


@given(
    extension=st.sampled_from(["png", "jpg", "webp"]), damage=st.lists(st.tuples(st.integers(0), st.integers(0, 255)))
)
@FAST
def test_a_damaged_file_is_a_picture_or_an_image_error(
    tmp_path_factory: pytest.TempPathFactory, extension: str, damage: list[tuple[int, int]]
) -> None:
    content = bytearray(encoded(extension))
    for place, value in damage:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / f"damaged.{extension}"
    path.write_bytes(content)
    try:
        image = load_image(path)
    except ImageError as error:
        assert str(path) in str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert image.shape[2] == 3
        assert np.isfinite(image).all()


def test_of_damage_beside_the_picture_only_pillow_remarks(tmp_path: Path) -> None:
    """As a warning, which is the host program's to hear: its filters are left as they are."""
    path = tmp_path / "photo.jpg"
    broken = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x0f\x06\0\0\0\0\0\0\0"
    Image.new("RGB", (40, 40), (9, 9, 9)).save(path, exif=broken)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert load_image(path).shape == (40, 40, 3)
    assert {(warning.category, Path(warning.filename).name) for warning in told} <= {
        (UserWarning, "TiffImagePlugin.py")
    }


# Writing


@given(pixels=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9).map(lambda s: (*s, 3))))
@FAST
@pytest.mark.parametrize("extension", ["png", "tif", "TIFF", "PNG"])
def test_lossless_formats_give_back_every_pixel(
    tmp_path_factory: pytest.TempPathFactory, extension: str, pixels: np.ndarray
) -> None:
    path = tmp_path_factory.getbasetemp() / f"out.{extension}"
    save_image(pixels.astype(np.float32), path)
    np.testing.assert_array_equal(load_image(path), pixels)


FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "tif": "TIFF", "tiff": "TIFF"}


@pytest.mark.parametrize("upper", [False, True], ids=["lower case", "upper case"])
@pytest.mark.parametrize(("extension", "name"), FORMATS.items())
def test_the_extension_chooses_the_format(tmp_path: Path, extension: str, name: str, upper: bool) -> None:
    path = tmp_path / f"out.{extension.upper() if upper else extension}"
    smooth = picture(64, 48).repeat(4, 0).repeat(4, 1)
    save_image(smooth, path)
    with Image.open(path) as stored:
        assert (stored.format, stored.mode, stored.size) == (name, "RGB", (192, 256))
    error = np.abs(load_image(path) - smooth)
    assert error.mean() < (0.5 if name in ("PNG", "TIFF") else 4)
    assert os.listdir(tmp_path) == [path.name]


def test_jpeg_keeps_edges_between_colours(tmp_path: Path) -> None:
    # Columns of red and blue: at half colour resolution they would run into one purple, 127 away from both.
    stripes = np.zeros((32, 32, 3), np.float32)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 255
    save_image(stripes, tmp_path / "stripes.jpg")
    assert np.abs(load_image(tmp_path / "stripes.jpg") - stripes).max() < 40


def test_values_are_rounded_and_clipped(tmp_path: Path) -> None:
    given, expected = [-300, -0.4, 0.4, 0.6, 99.51, 254.4, 254.6, 255.4, 1e9], [0, 0, 0, 1, 100, 254, 255, 255, 255]
    save_image(np.float32(given).reshape(3, 1, 3), tmp_path / "out.png")
    np.testing.assert_array_equal(load_image(tmp_path / "out.png").ravel(), expected)


NO_IMAGES = {
    "NaN": (np.diag([np.nan, 1, 1])[None], "finite pixels"),
    "infinity": (np.diag([0, 1, -np.inf])[None], "finite pixels"),
    "grey": (np.zeros((4, 5)), r"\(4, 5\)"),
    "four channels": (np.zeros((4, 5, 4)), r"\(4, 5, 4\)"),
    "no rows": (np.zeros((0, 5, 3)), r"\(0, 5, 3\)"),
    "booleans": (np.ones((4, 5, 3), bool), "levels of 0..255, got bool; multiply by 255"),
    "uint16": (np.full((4, 5, 3), 40_000, np.uint16), "levels of 0..255, got uint16, .*; divide by 257"),
    "complex numbers": (np.ones((4, 5, 3), complex), "levels of 0..255, got complex128"),
    "objects": (np.ones((4, 5, 3), object), "levels of 0..255, got object"),
}


@pytest.mark.parametrize(("image", "words"), NO_IMAGES.values(), ids=NO_IMAGES)
def test_an_array_that_is_no_image_is_refused(tmp_path: Path, image: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=rf"out\.png.*{words}"):
        save_image(image, tmp_path / "out.png")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["out.gif", "out", "out.pngx", "out.png.bak", "png"])
@pytest.mark.parametrize("function", [check_image_path, lambda path: save_image(np.zeros((4, 4, 3)), path)])
def test_an_unknown_extension_is_refused_with_the_known_ones(
    tmp_path: Path, name: str, function: Callable[[Path], None]
) -> None:
    what = "unknown extension" if Path(name).suffix else rf"add an extension, as in .*{name}\.png"
    with pytest.raises(ImageError, match=rf"{name}: {what}.*\.png, \.jpg, \.jpeg, \.webp, \.tif, \.tiff"):
        function(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_picture_larger_than_the_format_allows_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"out\.webp: .*16383"):
        save_image(np.zeros((1, 16384, 3)), tmp_path / "out.webp")
    assert os.listdir(tmp_path) == []
