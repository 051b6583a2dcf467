"""cli/main.py: masks, transparency, depth, quality, metadata, plots and sheets: what the options do to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from minstyle.cli.main import main
from minstyle.images import load_image, load_picture, save_image, save_picture
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)


def mask(studio: Studio, name: str, size: tuple[int, int], left: tuple[int, ...], right: tuple[int, ...]) -> Path:
    """A mask file of (width, height): two halves."""
    drawn = Image.new("RGB", size, right)
    ImageDraw.Draw(drawn).rectangle((0, 0, size[0] // 2 - 1, size[1]), fill=left)
    drawn.save(studio.folder / name)
    return studio.folder / name


# Masks. The content is 40 x 32, the style 36 x 40 (width x height).


def test_masks_say_which_part_takes_its_style_from_where(studio: Studio, capsys: Captured) -> None:
    content = mask(studio, "content.png", (40, 32), RED, BLUE)
    straight, crossed = (
        mask(studio, f"{a}.png", (36, 40), *pair) for a, pair in (("a", (RED, BLUE)), ("b", (BLUE, RED)))
    )
    images = [studio.image("--mask", content, style) for style in (straight, crossed)]
    assert len({*images, studio.image()}) == 3
    assert images[0] == studio.image("--mask", content, straight)
    turned = mask(studio, "turned.png", (40, 32), BLUE, RED)
    assert studio.image("--mask", turned, crossed) == images[0], "only which is which counts"
    assert studio.image("--mask", content, straight, "--feather", "0.1") != images[0]
    assert capsys.readouterr() == ("", ""), "the masks have the pictures' sizes"


def test_a_mask_of_another_size_is_resampled_with_a_warning(studio: Studio, capsys: Captured) -> None:
    content, style = mask(studio, "content.png", (40, 32), RED, BLUE), mask(studio, "style.png", (36, 40), RED, BLUE)
    large = mask(studio, "large.png", (80, 64), RED, BLUE)
    exact = studio.image("--mask", content, style)
    assert capsys.readouterr().err == ""
    assert studio.image("--mask", large, style) == exact
    assert capsys.readouterr().err == f"minstyle: {large} is 80 x 64, its picture 40 x 32: resampled to fit\n"


def test_a_label_that_only_a_style_has_is_left_out_with_a_warning(studio: Studio, capsys: Captured) -> None:
    content, style = mask(studio, "content.png", (40, 32), RED, RED), mask(studio, "style.png", (36, 40), RED, GREEN)
    studio.image("--mask", content, style)
    assert capsys.readouterr().err == (
        f"minstyle: content mask {content}: it has one label, #ff0000: the whole picture is one region\n"
        f"minstyle: style mask {style}: the content mask has no #00ff00: left out\n"
    )


def labels(studio: Studio, name: str, numbers: np.ndarray, kind: type = np.uint8) -> Path:
    """A label map of numbers (H, W), of 8 or 16 bits, as segmentation programs write it."""
    Image.fromarray(numbers.astype(kind)).save(studio.folder / name)
    return studio.folder / name


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_label_maps_of_small_numbers_are_regions(studio: Studio, capsys: Captured, kind: type) -> None:
    """As the same areas in red and blue are."""
    content, style = np.zeros((32, 40), int), np.zeros((40, 36), int)
    content[:, 20:], style[:, 18:] = 1, 1
    drawn = mask(studio, "c.png", (40, 32), RED, BLUE), mask(studio, "s.png", (36, 40), RED, BLUE)
    found = studio.image("--mask", labels(studio, "cn.png", content, kind), labels(studio, "sn.png", style, kind))
    assert found == studio.image("--mask", *drawn)
    assert found != studio.image()
    assert capsys.readouterr().err == ""


def test_a_mask_that_ends_as_one_region_is_told(studio: Studio, capsys: Captured) -> None:
    content, style = (labels(studio, f"{size}.png", np.zeros(size)) for size in ((32, 40), (40, 36)))
    studio.image("--mask", content, style)
    line = f"minstyle: content mask {content}: it has one label, #000000: the whole picture is one region\n"
    assert capsys.readouterr().err == line


def test_an_eye_is_a_region(studio: Studio, capsys: Captured) -> None:
    """0.3 % of a mask of a large picture, and a few pixels of the style's."""
    content, style = np.zeros((320, 400, 3), np.uint8), np.zeros((400, 360, 3), np.uint8)
    content[100:120, 150:170], style[200:212, 100:112] = RED, RED
    for name, pixels in (("c.png", content), ("s.png", style)):
        Image.fromarray(pixels).save(studio.folder / name)
    assert studio.image("--mask", studio.folder / "c.png", studio.folder / "s.png") != studio.image()
    assert "left out" not in capsys.readouterr().err


def test_a_region_that_no_layer_sees_is_named_as_too_small(studio: Studio, capsys: Captured) -> None:
    content = np.zeros((320, 400, 3), np.uint8)
    content[101:104, 151:154] = RED
    Image.fromarray(content).save(studio.folder / "c.png")
    style = mask(studio, "s.png", (36, 40), RED, (0, 0, 0))
    assert studio.run("--quiet", "--mask", studio.folder / "c.png", style) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert f"content mask {studio.folder / 'c.png'}: #ff0000 is too small: none of its 9 pixels, around" in err
    assert "around x 152, y 102, is left at 40 x 32" in err


def test_regions_of_several_styles(studio: Studio) -> None:
    """The left half takes the first style, the right half the second: as two styles that have one region each."""
    other = studio.folder / "night.png"
    save_image(picture(44, 60, 5), other)
    content = mask(studio, "content.png", (40, 32), RED, BLUE)
    whole = [
        mask(studio, f"{i}.png", size, colour, colour) for i, size, colour in ((1, (36, 40), RED), (2, (60, 44), BLUE))
    ]
    swapped = [
        mask(studio, f"{i}s.png", size, colour, colour) for i, size, colour in ((1, (36, 40), BLUE), (2, (60, 44), RED))
    ]
    found = []
    for masks in (whole, swapped):
        _, _, _, *options = studio.arguments("--quiet", "--init", "content", "--mask", content, *masks)
        assert main([str(part) for part in (studio.content, studio.style, other, studio.out, *options)]) == 0
        found.append(load_image(studio.out))
    assert np.abs(found[0] - found[1]).max() > 1


@pytest.mark.parametrize(
    "case", ["one file", "three files", "no style has it", "noise", "no file", "too wide a feather"]
)
def test_masks_that_cannot_be_used_are_refused_in_one_line(studio: Studio, capsys: Captured, case: str) -> None:
    content, style = mask(studio, "content.png", (40, 32), RED, BLUE), mask(studio, "style.png", (36, 40), RED, RED)
    save_image(np.random.default_rng(0).uniform(0, 255, (40, 36, 3)), studio.folder / "noise.png")
    given, words = {
        "one file": ([content], ["masks", "expected 2: one for the photograph", "got 1"]),
        "three files": ([content, style, style], ["masks", "expected 2: one for the photograph", "got 3"]),
        "no style has it": ([content, style], ["#0000ff", "style mask"]),
        "noise": ([content, studio.folder / "noise.png"], ["style mask", "1 to 16 areas"]),
        "no file": ([content, studio.folder / "gone.png"], ["gone.png", "not found"]),
        "too wide a feather": ([content, content, "--feather", "0.3"], ["feather", "from 0 to 0.25", "0.3"]),
    }[case]
    assert studio.run("--quiet", "--mask", *given) == 2
    line = told_in_one_line(capsys)
    assert [word for word in words if word not in line] == []
    assert not studio.out.exists()


# Transparency


def opacity(height: int, width: int) -> np.ndarray:
    """A disc that is seen, with a smooth edge."""
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot((y - height / 2) / height, (x - width / 2) / width)
    alpha: np.ndarray = np.rint(255 * ((0.45 - away) * 12).clip(0, 1)) / 255
    return alpha.astype(np.float32)


def test_a_transparent_ribbon_too_narrow_at_its_size_is_refused_in_one_line(studio: Studio, capsys: Captured) -> None:
    save_picture(picture(32, 1600, 1), studio.content, opacity=opacity(32, 1600))
    assert studio.run("--quiet", "--size-of", "long") == 2
    assert " at size (0, 32): expected at least 32 pixels" in told_in_one_line(capsys)


@pytest.mark.parametrize("extension", ["png", "tif", "webp"])
def test_the_results_transparency_is_the_photographs(studio: Studio, extension: str) -> None:
    alpha = opacity(32, 40)
    save_picture(picture(32, 40, 1), studio.content, opacity=alpha)
    studio.out = studio.results / f"out.{extension}"
    studio.image()
    found = load_picture(studio.out).opacity
    assert found is not None
    np.testing.assert_array_equal(found, alpha)


def test_transparent_pixels_of_the_style_do_not_count(studio: Studio) -> None:
    """Whatever colour lies under them; and the style is another than the whole picture's."""
    whole, alpha, images = picture(40, 36, 2), opacity(40, 36), []
    for colour in (0, 255):
        under = np.where(alpha[..., None] > 0, whole, colour)
        pixels = np.dstack([under, 255 * alpha]).round().astype(np.uint8)
        Image.fromarray(pixels, "RGBA").save(studio.style)
        images.append(studio.image("--init", "style"))
    assert images[0] == images[1]
    save_image(whole, studio.style)
    assert studio.image("--init", "style") != images[0]


def test_a_jpeg_has_the_picture_over_white(studio: Studio) -> None:
    save_picture(picture(32, 40, 1), studio.content, opacity=opacity(32, 40))
    studio.out = studio.results / "out.jpg"
    studio.image()
    corner = load_image(studio.out)[:4, :4]
    np.testing.assert_allclose(corner, 255, atol=8)


# What is written


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_depth(studio: Studio, extension: str) -> None:
    studio.out = studio.results / f"out.{extension}"
    depths = {}
    for option in ("8", "16", "auto"):
        studio.image("--depth", option)
        found = load_picture(studio.out)
        depths[option] = found.depth
        if option == "16":
            assert np.abs(found.image - np.rint(found.image)).max() > 0.1, "parts of a level"
    assert depths == {"8": 8, "16": 16, "auto": 8}
    save_picture(picture(32, 40, 1), studio.content, depth=16)
    studio.image()
    assert load_picture(studio.out).depth == 16, "auto is the photograph's"


@pytest.mark.parametrize("extension", ["jpg", "webp"])
def test_quality(studio: Studio, extension: str) -> None:
    studio.out = studio.results / f"out.{extension}"
    low, usual, high = (len(studio.image(*given)) for given in (["--quality", 20], [], ["--quality", 100]))
    assert low < usual < high
    assert usual == len(studio.image("--quality", 95))


def test_metadata_is_dropped_unless_it_is_to_be_kept(studio: Studio) -> None:
    exif = Image.Exif()
    exif[0x013B], exif[0x8298] = "A. Artist", "(c)"  # artist, copyright
    studio.content = studio.folder / "photo.jpg"
    Image.fromarray(picture(32, 40, 1).astype(np.uint8)).save(studio.content, exif=exif, dpi=(240, 240))
    for out in ("out.jpg", "out.png", "out.tif"):
        studio.out = studio.results / out
        for options, expected in (([], None), (["--keep-metadata"], "A. Artist")):
            studio.image(*options)
            with Image.open(studio.out) as found:
                assert found.getexif().get(0x013B) == expected
                assert found.info["dpi"] == pytest.approx((240, 240), abs=0.1)


@pytest.mark.parametrize(("option", "name", "begins"), [
    ("--plot", "losses.svg", b"<?xml"), ("--plot", "losses.png", b"\x89PNG"), ("--sheet", "sheet.png", b"\x89PNG"),
    ("--sheet", "sheet.jpg", b"\xff\xd8"),
])  # fmt: skip
def test_plots_and_sheets_are_written(studio: Studio, option: str, name: str, begins: bytes) -> None:
    plain = studio.image()
    assert studio.image(option, studio.results / name) == plain
    assert (studio.results / name).read_bytes().startswith(begins)


@pytest.mark.parametrize("option", ["--plot", "--sheet"])
@pytest.mark.parametrize("name", ["losses.xyz", "gone/losses.png"])
def test_a_plot_or_sheet_that_cannot_be_written_is_told_before_the_run(
    studio: Studio, capsys: Captured, option: str, name: str
) -> None:
    assert studio.run("--quiet", option, studio.results / name) == 2
    assert name in told_in_one_line(capsys)
    assert not studio.out.exists()


@pytest.mark.parametrize("options", [[], ["--compare", "document"]], ids=" ".join)
def test_a_picture_that_is_read_is_not_written_over(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, options: list[str]
) -> None:
    """Also by another name of the same file."""
    monkeypatch.chdir(studio.folder)
    for name, own in (("photo.png", studio.content), ("results/../painting.png", studio.style)):
        before = own.read_bytes()
        studio.out = Path(name)
        assert studio.run("--quiet", *options) == 2
        assert "is one of the files that are read: write to another" in told_in_one_line(capsys)
        assert own.read_bytes() == before


def test_a_picture_that_minstyle_did_not_make_is_not_written_over(studio: Studio, capsys: Captured) -> None:
    """It is a painting, after which OUT was forgotten; what minstyle made before is replaced as ever."""
    other = studio.folder / "other.png"
    save_image(picture(40, 40, 3), other)
    before = other.read_bytes()
    small = [*studio.arguments()[3:], "--quiet"]
    photo, painting, out = (str(path) for path in (studio.content, studio.style, studio.out))
    for arguments in ([photo, painting, str(other)], [photo, painting, painting, str(other)],
                      [photo, painting, str(other), "--compare", "document"]):  # fmt: skip
        assert main([*arguments, *small]) == 2
        line = told_in_one_line(capsys)
        assert f"OUT is missing? The last file, {other}, exists and was not made by minstyle: name the" in line
        assert "or add --overwrite to replace it" in line
        assert other.read_bytes() == before
    for options in ([], [], ["--compare", "document"], ["--compare", "document"], []):
        assert main([photo, painting, out, *small, *options]) == 0
    assert main([photo, painting, str(other), *small, "--overwrite"]) == 0
    assert other.read_bytes() == studio.out.read_bytes()
