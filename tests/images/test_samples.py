"""images/samples.py: stored samples at their full depth, from files that other programs wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from PIL import Image

from minstyle.errors import ImageError
from minstyle.images import load_picture
from minstyle.images import pillow_reading as pillow_module
from minstyle.images import samples as samples_module
from tests.support.damaged import flipped_files, outcomes_in_child
from tests.support.memory import peak_memory

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 65536, (40, 50, 3), np.uint16)
RGBA = RNG.integers(1, 65536, (40, 50, 4), np.uint16)


def write_png(path: Path, pixels: np.ndarray, **settings: Any) -> None:
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    writer = png.Writer(width, height, greyscale=channels < 3, alpha=channels in (2, 4), bitdepth=16, **settings)
    with open(path, "wb") as file:
        writer.write(file, pixels.reshape(height, -1))


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("pixels", [RGB, RGBA, RGBA[:, :, 2:], RGB[:, :, 0]], ids=["RGB", "RGBA", "LA", "L"])
def test_a_png_of_16_bits_keeps_each(tmp_path: Path, pixels: np.ndarray, interlace: bool) -> None:
    write_png(tmp_path / "deep.png", pixels, interlace=interlace)
    found = load_picture(tmp_path / "deep.png")
    assert found.depth == 16
    pixels = np.atleast_3d(pixels)
    colours = pixels[:, :, :3] if pixels.shape[2] > 2 else pixels[:, :, :1].repeat(3, 2)
    np.testing.assert_array_equal(np.rint(found.image * 257), colours)
    if pixels.shape[2] in (2, 4):
        assert found.opacity is not None
        np.testing.assert_array_equal(np.rint(found.opacity * 65535), pixels[:, :, -1])
    else:
        assert found.opacity is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "layout",
    [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {"tile": (16, 32)}, {"rowsperstrip": 7}],
    ids=["plain", "deflate", "differences", "tiles", "strips"],
)
@pytest.mark.parametrize("pixels", [RGB, RGBA, RGB[:, :, 0]], ids=["RGB", "RGBA", "L"])
def test_a_tiff_of_16_bits_keeps_each(tmp_path: Path, pixels: np.ndarray, layout: dict[str, Any], order: Any) -> None:
    kind: dict[str, Any] = {"photometric": "minisblack" if pixels.ndim == 2 else "rgb"}
    if pixels.shape[2:] == (4,):
        kind["extrasamples"] = ["unassalpha"]
    tifffile.imwrite(tmp_path / "deep.tif", pixels, byteorder=order, **kind, **layout)
    found = load_picture(tmp_path / "deep.tif")
    assert found.depth == 16
    expected = np.atleast_3d(pixels)[:, :, :3]
    np.testing.assert_array_equal(np.rint(found.image * 257), np.broadcast_to(expected, found.image.shape))
    assert (found.opacity is None) == (pixels.shape[2:] != (4,))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_premultiplied_alpha_is_divided_out(tmp_path: Path, kind: type) -> None:
    top = np.iinfo(kind).max
    pixels = np.full((4, 4, 4), 0.25 * top, kind)
    pixels[:, :, 3] = 0.5 * top
    tifffile.imwrite(tmp_path / "soft.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    found = load_picture(tmp_path / "soft.tif")
    assert found.opacity is not None
    np.testing.assert_allclose(found.opacity, 0.5, atol=0.003)
    np.testing.assert_allclose(found.image, 127.5, atol=2 if kind == np.uint8 else 0.01)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_deep_colour_in_separate_planes_is_read(tmp_path: Path, compression: str | None) -> None:
    planes = np.moveaxis(RGB, 2, 0)
    tifffile.imwrite(tmp_path / "deep.tif", planes, photometric="rgb", planarconfig="separate", compression=compression)
    np.testing.assert_array_equal(np.rint(load_picture(tmp_path / "deep.tif").image * 257), RGB)


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_floats_are_read_in_the_range_they_fill(tmp_path: Path, top: float) -> None:
    ramp = np.linspace(0, top, 20, dtype=np.float32).reshape(4, 5)
    tifffile.imwrite(tmp_path / "ramp.tif", ramp, photometric="minisblack")
    found = load_picture(tmp_path / "ramp.tif")
    np.testing.assert_allclose(found.image[:, :, 1], np.linspace(0, 255, 20).reshape(4, 5), atol=1e-3)
    assert found.depth == 16


def test_colour_in_floats_is_refused_with_what_to_do(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "hdr.tif", np.zeros((4, 4, 3), np.float32), photometric="rgb")
    with pytest.raises(ImageError, match=r"hdr\.tif: .*save it with 8 or 16 bits"):
        load_picture(tmp_path / "hdr.tif")


@pytest.mark.parametrize("pixels", [RGB, RGBA, RGBA[:, :, 2:]], ids=["RGB", "RGBA", "LA"])
def test_damaged_pngs_of_16_bits_are_pictures_or_one_line(tmp_path: Path, pixels: np.ndarray) -> None:
    """In a process of its own: none ends it, swells it or hangs it."""
    write_png(tmp_path / "good.png", pixels // 4096 * 4096)
    outcomes = outcomes_in_child(
        "minstyle.images.load_image", flipped_files(tmp_path / "good.png", 100), error="ImageError"
    )
    assert set(outcomes.values()) <= {"valid", "refused"}


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_one_clear_grey_level_is_found_at_any_depth(tmp_path: Path, bits: int) -> None:
    top = 2**bits - 1
    levels = np.array([[0, top], [top, 0]])
    writer = png.Writer(2, 2, greyscale=True, bitdepth=bits, transparent=top)
    with open(tmp_path / "key.png", "wb") as file:
        writer.write(file, levels.tolist())
    found = load_picture(tmp_path / "key.png")
    np.testing.assert_array_equal(found.opacity, levels == 0)
    np.testing.assert_array_equal(found.image, 0)  # the hidden pixels have the colour of the visible ones


def test_one_clear_colour_of_16_bits_is_told_from_its_neighbour(tmp_path: Path) -> None:
    pixels = np.full((1, 2, 3), 1000, np.uint16)
    pixels[0, 1, 2] = 1001  # the same in its high byte
    write_png(tmp_path / "key.png", pixels, transparent=(1000, 1000, 1000))
    np.testing.assert_array_equal(load_picture(tmp_path / "key.png").opacity, [[0, 1]])


@pytest.mark.parametrize("mode", ["CMYK", "RGB"])
def test_jpegs_of_adobe_programs_with_inverted_ink_look_right(tmp_path: Path, mode: str) -> None:
    # Pillow writes CMYK as Adobe's programs do, inverted and with their marker.
    paper = Image.new(mode, (8, 8), (0, 0, 0, 0) if mode == "CMYK" else (255, 255, 255))
    paper.save(tmp_path / "paper.jpg")
    assert (b"Adobe" in (tmp_path / "paper.jpg").read_bytes()) == (mode == "CMYK")
    np.testing.assert_array_equal(load_picture(tmp_path / "paper.jpg").image, 255)


@pytest.mark.parametrize("kind", ["png", "tif", "8 bits"])
def test_a_large_picture_with_alpha_is_shrunk_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Beside what is stored; the blocks in which that is done do not show."""
    pixels = np.zeros((1600, 1600, 4), np.uint8 if kind == "8 bits" else np.uint16)
    pixels[:, ::3], pixels[::5] = 2000 if kind != "8 bits" else 90, np.iinfo(pixels.dtype).max
    path = tmp_path / f"in.{kind[:3].replace('8 b', 'png')}"
    if kind == "tif":
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"], compression="zlib")
    else:
        write_png(path, pixels) if kind == "png" else Image.fromarray(pixels).save(path)
    whole = load_picture(path, lambda shape: (100, 100))
    for module in (samples_module, pillow_module):
        monkeypatch.setattr(module, "BLOCK", 20_000)
    with peak_memory(pixels.nbytes * (2.3 if kind == "tif" else 1.5)):
        found = load_picture(path, lambda shape: (100, 100))
    np.testing.assert_array_equal(found.image, whole.image)
    assert found.opacity is not None
    np.testing.assert_array_equal(found.opacity, whole.opacity)
