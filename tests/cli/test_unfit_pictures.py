"""Pictures that cannot be painted from, too small or transparent altogether: one line with the file as it was typed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minstyle.cli.main import main
from minstyle.images import load_mask, save_picture
from tests.support.studio import Captured, Studio, told_in_one_line

ROLES = ["content", "style", "initial", "content mask", "style mask"]


def refused(studio: Studio, capsys: Captured, role: str, path: Path, *options: object) -> str:
    """The line in which the picture is refused in that role; nothing is written."""
    good = studio.folder / "mask.png"
    Image.new("RGB", (40, 32) if role == "style mask" else (36, 40), "red").save(good)
    if role in ("content", "style"):
        setattr(studio, role, path)
    given = {"initial": ["--init", path], "content mask": ["--mask", path, good], "style mask": ["--mask", good, path]}
    assert studio.run("--quiet", *given.get(role, []), *options) == 2
    assert not any(studio.results.iterdir())
    return told_in_one_line(capsys)


@pytest.mark.parametrize("role", ROLES)
def test_a_picture_without_a_visible_pixel_is_refused(studio: Studio, capsys: Captured, role: str) -> None:
    clear = studio.folder / "clear.png"
    Image.new("RGBA", (40, 32), (9, 99, 9, 0)).save(clear)
    assert f"error: {clear}: expected pixels that can be seen, got a" in refused(studio, capsys, role, clear)


def test_an_initial_picture_that_is_partly_clear_lies_over_white(studio: Studio) -> None:
    opacity = np.zeros((32, 40), np.float32)
    opacity[:, :20] = 1
    image = np.full((32, 40, 3), (200, 40, 40), np.float32)
    save_picture(image, studio.folder / "half.png", opacity=opacity)
    image[:, 20:] = 255
    save_picture(image, studio.folder / "white.png")
    assert studio.image("--init", studio.folder / "half.png") == studio.image("--init", studio.folder / "white.png")


@pytest.mark.parametrize("role", ROLES[:3])
def test_a_picture_too_small_is_named(studio: Studio, capsys: Captured, role: str) -> None:
    Image.new("RGB", (1, 1)).save(studio.folder / "1x1.png")
    line = refused(studio, capsys, role, studio.folder / "1x1.png")
    assert line == f"minstyle: error: {role} {studio.folder / '1x1.png'}: expected at least 32 x 32 pixels, got 1 x 1"


def test_a_picture_too_small_at_the_size_of_the_run_is_named(studio: Studio, capsys: Captured) -> None:
    Image.new("RGB", (1000, 40)).save(studio.folder / "thin.png")
    line = refused(studio, capsys, "content", studio.folder / "thin.png", "--size-of", "long")
    assert f"content {studio.folder / 'thin.png'} at size (1, 32): expected at least 32 pixels" in line


def test_a_part_too_small_is_named(studio: Studio, capsys: Captured) -> None:
    line = refused(studio, capsys, "style", studio.style, "--style-crop", "0,0,0.1,0.1")
    assert f"the part of style {studio.style} that is cut out: expected at least 32 x 32 pixels, got 4 x 4" in line


def test_masks_are_named(studio: Studio, capsys: Captured) -> None:
    blue, noise = studio.folder / "blue.png", studio.folder / "noise.png"
    Image.new("RGB", (40, 32), "blue").save(blue)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 36, 3), dtype=np.uint8)).save(noise)
    assert f"style mask {noise}: expected 1 to 16 areas" in refused(studio, capsys, "style mask", noise)
    assert f"content mask {blue}: no style mask has its colour" in refused(studio, capsys, "content mask", blue)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_mask_of_whole_levels_stays_small(tmp_path: Path, mode: str) -> None:
    """One byte a number, as it is in the file; one with more levels keeps them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn = Image.new("L", (40, 32), 255)
    drawn.paste(0, (0, 0, 10, 32))
    drawn.convert(mode).save(tmp_path / "mask.png", exif=exif)
    mask = load_mask(tmp_path / "mask.png")
    assert mask.dtype == (np.float32 if mode == "I;16" else np.uint8)
    assert mask.shape == (40, 32, 3)
    if mode != "I;16":
        assert (mask[:10] == 0).all()
        assert (mask[10:] == 255).all()


@pytest.mark.parametrize("role", ROLES[:2])
def test_a_picture_too_small_for_a_comparison_is_named(studio: Studio, capsys: Captured, role: str) -> None:
    path = studio.folder / "1x1.png"
    Image.new("RGB", (1, 1)).save(path)
    setattr(studio, role, path)
    arguments = [studio.content, studio.style, studio.out, "--network", studio.network, "--compare", "document"]
    assert main([str(part) for part in arguments]) == 2
    assert f"{role} {path}: expected at least 32 x 32 pixels, got 1 x 1" in told_in_one_line(capsys)
