"""images/source.py: pictures of paths, bytes and file objects, the same numbers by every door."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minstyle.errors import ImageError
from minstyle.images import WRITERS, load_image, load_picture, picture_shape, read_text, save_image, save_picture
from tests.support import icc_profiles as icc
from tests.support.small import picture

IMAGE = picture(24, 30)
ADOBE = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(2.2))


class Pipe(io.RawIOBase):
    """A stream that cannot go back."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(size)

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("extension", WRITERS)
def test_a_picture_is_written_into_memory_and_read_from_it(tmp_path: Path, extension: str, depth: int) -> None:
    given: dict[str, Any] = {"depth": depth, "profile": ADOBE, "dpi": (240, 240), "text": {"minstyle": "{}"}}
    path, file = tmp_path / f"out{extension}", io.BytesIO()
    save_picture(IMAGE, path, **given)
    save_picture(IMAGE, file, extension=extension, **given)
    data = file.getvalue()
    assert data == path.read_bytes()
    expected = load_picture(path)
    with open(path, "rb") as opened:
        for source in (data, bytearray(data), io.BytesIO(data), Pipe(data), opened):
            found = load_picture(source)
            np.testing.assert_array_equal(found.image, expected.image)
            assert (found.depth, found.profile, found.dpi) == (expected.depth, ADOBE, (240, 240))
    assert read_text(data) == "{}"


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif", "avif"])
def test_the_shape_is_known_by_the_header(tmp_path: Path, extension: str, orientation: int) -> None:
    exif, path = Image.Exif(), tmp_path / f"in.{extension}"
    exif[0x0112] = orientation
    Image.new("RGB", (40, 24)).save(path, exif=exif)
    assert picture_shape(path) == load_picture(path).image.shape[:2] == ((40, 24) if orientation > 4 else (24, 40))
    with pytest.raises(ImageError, match=r"gone\.png not found"):
        picture_shape(tmp_path / "gone.png")


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif"])
def test_what_is_enough_is_asked_of_the_upright_shape_alone(tmp_path: Path, extension: str, orientation: int) -> None:
    exif, asked = Image.Exif(), []
    exif[0x0112] = orientation
    Image.new("RGB", (400, 240)).save(tmp_path / "in", {"jpg": "JPEG", "tif": "TIFF"}.get(extension, extension),
                                      exif=exif)  # fmt: skip

    def enough(shape: tuple[int, int]) -> tuple[int, int]:
        asked.append(shape)
        return shape[0] // 5, shape[1] // 5

    upright = (400, 240) if orientation == 6 else (240, 400)
    assert load_picture(tmp_path / "in", enough).image.shape[:2] == (upright[0] // 5, upright[1] // 5)
    assert set(asked) == {upright}


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("profile", [None, ADOBE], ids=["sRGB", "Adobe RGB"])
def test_load_image_has_the_numbers_of_load_picture(depth: int, profile: bytes | None) -> None:
    file = io.BytesIO()
    save_picture(IMAGE, file, depth=depth, profile=profile)
    image = load_image(file.getvalue())
    np.testing.assert_array_equal(image, load_picture(file.getvalue()).image)
    assert image.dtype == np.float32
    if depth == 16:
        np.testing.assert_allclose(image, IMAGE, atol=0.05)  # dark colours have few levels in Adobe RGB


def test_load_image_lays_what_is_clear_over_white() -> None:
    opacity, file = np.linspace(0, 1, 30, dtype=np.float32)[None].repeat(24, 0), io.BytesIO()
    save_picture(IMAGE, file, depth=16, opacity=opacity)
    expected = IMAGE * opacity[:, :, None] + 255 * (1 - opacity[:, :, None])
    np.testing.assert_allclose(load_image(file.getvalue()), expected, atol=0.02)


def test_messages_name_a_picture_in_memory(tmp_path: Path) -> None:
    for source, what in ((b"nonsense", "not a picture of a known format"), (io.BytesIO(b""), "the file is empty")):
        with pytest.raises(ImageError, match=f"^the picture in memory: {what}"):
            load_picture(source)
    (tmp_path / "no.png").write_bytes(b"nonsense")
    with open(tmp_path / "no.png", "rb") as file, pytest.raises(ImageError, match=r"no\.png: not a picture"):
        load_picture(file)
    with pytest.raises(ImageError, match="expected a path, bytes or a file object of a picture, got int"):
        load_picture(7)  # type: ignore[arg-type]


class Broken(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_file_object_that_gives_no_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("words")
    save_image(IMAGE, tmp_path / "in.png")
    for name, words in (("text", "got one of str"), ("in", "cannot be read")):  # a PNG is no UTF-8
        message = pytest.raises(ImageError, match=rf'{name}\.png.*{words}.* open.*"rb"')
        with open(tmp_path / f"{name}.png", encoding="utf-8") as text, message:
            load_picture(text)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r"^the picture in memory cannot be read \(Input/output error\)"):
        load_picture(Broken())  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r'^the picture in memory: expected .* got one of str; open it with "rb"'):
        load_picture(io.StringIO("words"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("given", "words"), [
    ({"extension": ".xyz"}, r"unknown extension '\.xyz'"), ({"extension": "/../a.png"}, "unknown extension"),
    ({"image": IMAGE[:, :, 0]}, r"expected an image \(H, W, 3\)"), ({"depth": 9}, "expected depth 8 or 16, got 9"),
    ({"exif": b"nonsense"}, "the EXIF data to keep cannot be read"), ({"text": {"a": "b"}}, "expected text of"),
    ({"text": {"minstyle": "a" * 70_000}, "extension": ".jpg"}, "JPEG cannot hold this picture"),
])  # fmt: skip
def test_what_cannot_be_written_into_memory_is_told_under_that_name(given: dict[str, Any], words: str) -> None:
    file = io.BytesIO()
    arguments: dict[str, Any] = {"image": IMAGE, "path": file, **given}
    with pytest.raises(ImageError, match=f"^the picture in memory: {words}"):
        save_picture(**arguments)
    assert file.getvalue() == b""


def test_a_file_object_gets_the_format_that_is_asked_for() -> None:
    file = io.BytesIO()
    save_image(IMAGE, file)
    assert file.getvalue().startswith(b"\x89PNG")
    with pytest.raises(ImageError, match=r"unknown extension '\.gif'"):
        save_image(IMAGE, file, extension=".gif")
