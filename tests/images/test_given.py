"""images/given.py: what people have in place of a file becomes the picture that its file would have been."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from minstyle.errors import ImageError
from minstyle.images import Picture, load_picture, picture_of
from tests.support.small import picture

LEVELS = picture(20, 24).round().astype(np.uint8)
PILLOW = Image.fromarray(LEVELS)


@pytest.mark.parametrize("given", [LEVELS, LEVELS.astype(np.uint16) * 257, LEVELS.astype(np.float64), PILLOW,
                                   Picture(LEVELS.astype(np.float32))])  # fmt: skip
def test_the_same_picture_in_any_form_is_the_same(given: Any) -> None:
    found = picture_of("content", given)
    np.testing.assert_array_equal(found.image, LEVELS)
    assert found.opacity is None
    assert found.depth == (16 if getattr(given, "dtype", None) == np.uint16 else 8)


def test_a_file_is_read_from_a_path_bytes_or_a_stream(tmp_path: Path) -> None:
    PILLOW.save(tmp_path / "photo.png")
    data = (tmp_path / "photo.png").read_bytes()
    for given in (tmp_path / "photo.png", str(tmp_path / "photo.png"), data, bytearray(data), BytesIO(data)):
        np.testing.assert_array_equal(picture_of("content", given).image, LEVELS)


@pytest.mark.parametrize(("mode", "format"), [
    ("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("I;16", "PNG"), ("CMYK", "TIFF"),
    ("LAB", "TIFF"), ("F", "TIFF"),
])  # fmt: skip
def test_an_image_of_pillows_is_what_its_file_is(tmp_path: Path, mode: str, format: str) -> None:
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.applyTransform(PILLOW, ImageCms.buildTransform(srgb, lab, "RGB", "LAB"))
        assert image is not None
    elif mode == "F":
        image = PILLOW.convert("L").convert("F")
    else:
        image = PILLOW.convert("I").point(lambda x: x * 257).convert("I;16") if mode == "I;16" else PILLOW.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "file", format=format)
    expected, found = load_picture(tmp_path / "file"), picture_of("content", image)
    np.testing.assert_array_equal(found.image, expected.image)
    np.testing.assert_array_equal(found.opacity is None, expected.opacity is None)
    assert found.depth == expected.depth


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "RGBa"])
def test_other_modes_are_converted(mode: str) -> None:
    image = PILLOW.convert("RGBA").convert(mode) if mode == "RGBa" else PILLOW.convert(mode)
    assert np.abs(picture_of("content", image).image - LEVELS).max() < 12  # HSV has few bits


def test_orientation_and_profile_are_heeded() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.open(BytesIO(_jpeg(exif.tobytes())))
    assert picture_of("content", turned).image.shape == (24, 20, 3)


def _jpeg(exif: bytes) -> bytes:
    file = BytesIO()
    PILLOW.save(file, format="JPEG", exif=exif)
    return file.getvalue()


X = LEVELS.astype(np.float32)


@pytest.mark.parametrize(("given", "words"), [
    (X / 255, "multiply by 255"), (X / 127.5 - 1, "add 1 and multiply by 127.5"), (X > 9, "bool; multiply by 255"),
    (LEVELS.astype(np.int64), r"expected uint8, uint16, or floats from 0 to 255, got int64; x.astype\(np.uint8\)"),
    (X.astype(complex), "got complex128"), (X * 257, "divide by 257"),
    (X[:, :, 0], r"got \(20, 24\); np.stack\(\[x\] \* 3, axis=2\)"),
    (np.dstack([X, X[:, :, :1]]), r"got \(20, 24, 4\); x\[:, :, :3\]"),
    (X.transpose(2, 0, 1), r"got \(3, 20, 24\); x.transpose\(1, 2, 0\)"),
    (X[None], r"x\[0\]"), (X[:0], r"got \(0, 24, 3\)"), (np.array("photo.jpg"), r"got \(\)"),
    (None, "got NoneType"), (3, "got int"), ({}, "expected a path, a Pillow image, an array"),
])  # fmt: skip
def test_anything_else_is_refused_with_what_to_do(given: Any, words: str) -> None:
    with pytest.raises(ImageError, match=f"^content: .*{words}"):
        picture_of("content", given)


def test_a_tensor_is_refused_with_the_way_to_an_array() -> None:
    class Tensor:
        def numpy(self) -> np.ndarray:
            return X

    with pytest.raises(ImageError, match=r"got Tensor; of a tensor: x.permute\(1, 2, 0\)"):
        picture_of("style", Tensor())  # type: ignore[arg-type]
