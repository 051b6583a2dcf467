"""run/pictures.py: what a run starts from, cropped, resized, recoloured by the recipe, and the finished picture."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from minstyle.errors import ImageError, RecipeError
from minstyle.images import Picture, resize
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.color import luminance, to_lab
from minstyle.run.pictures import Pictures, ScaledPictures
from minstyle.style.regions import Regions
from tests.support.small import picture

CONTENT = 60 + 0.5 * picture(48, 64, 1)  # away from black and white, where no colour is to be had
STYLES = (40 + 0.6 * picture(60, 52, 2), 30 + 0.3 * picture(40, 80, 3))
MEAN = (123.68, 116.779, 103.939)
SHAPE = (48, 64)


def recipe(**changes: Any) -> Recipe:
    return dataclasses.replace(RECIPES["document"], **{"style_fit": "keep", "size_of": "long", **changes})


def working(regions: Regions | None = None, styles: tuple[np.ndarray, ...] = STYLES, **changes: Any) -> ScaledPictures:
    return Pictures(CONTENT, styles, recipe(**changes), regions=regions).cropped().at(SHAPE)


def finished(image: np.ndarray, **changes: Any) -> np.ndarray:
    return Pictures(CONTENT, STYLES, recipe(**changes)).finished(image)


def colours(image: np.ndarray, seen: Any = slice(None)) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance, by NumPy itself, of all pixels or those seen."""
    pixels = image[seen].reshape(-1, 3).astype(np.float64)
    return pixels.mean(0), np.cov(pixels.T, bias=True)


def labels(height: int, width: int) -> np.ndarray:
    """Two regions (2, H, W): upper left quarter, and the rest."""
    weights = np.zeros((2, height, width), np.float32)
    weights[0, : height // 2, : width // 2] = 1
    weights[1] = 1 - weights[0]
    return weights


def hidden(height: int, width: int) -> np.ndarray:
    """One region (1, H, W): the lower half is transparent."""
    weights = np.zeros((1, height, width), np.float32)
    weights[:, : height // 2] = 1
    return weights


# Crops and sizes


def test_a_crop_is_the_picture_cut_by_hand() -> None:
    found = working(style_crop=((0.25, 0.4, 1, 1), (0, 0, 0.5, 1)))
    by_hand = working(styles=(STYLES[0][24:, 13:], STYLES[1][:, :40]))
    for one, other in zip(found.styles, by_hand.styles, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_crop_cuts_regions_too() -> None:
    masks = tuple(labels(*style.shape[:2]) for style in STYLES)
    regions = Regions(labels(*SHAPE), masks, ("corner", "rest"))
    found = working(regions, style_crop=((0.25, 0.4, 1, 1), (0, 0, 0.5, 1))).regions
    assert found is not None
    np.testing.assert_array_equal(found.styles[0], masks[0][:, 24:, 13:])
    np.testing.assert_array_equal(found.styles[1], masks[1][:, :, :40])
    np.testing.assert_array_equal(found.content, regions.content)


def test_a_crop_that_leaves_a_region_nowhere_is_refused() -> None:
    regions = Regions(labels(*SHAPE), (labels(60, 52),), ("corner", "rest"))
    with pytest.raises(ImageError, match="region corner: expected visible pixels in a style picture"):
        working(regions, styles=STYLES[:1], style_crop=((0, 0.5, 1, 1),))


def test_a_crop_that_is_too_small_is_refused() -> None:
    with pytest.raises(ImageError, match="style: expected at least 32 x 32 pixels, got 26 x 60"):
        working(styles=STYLES[:1], style_crop=((0, 0, 0.5, 1),))


@pytest.mark.parametrize("resample", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_pictures_are_resized_by_the_recipes_filter(resample: str) -> None:
    pictures = Pictures(CONTENT, STYLES, recipe(resample=resample, style_scale=(0.75, 1.25)))
    found = pictures.at((36, 48))
    np.testing.assert_array_equal(found.content, resize(CONTENT, 36, 48, resample))
    np.testing.assert_array_equal(found.styles[0], resize(STYLES[0], 37, 32, resample))
    np.testing.assert_array_equal(found.styles[1], resize(STYLES[1], 32, 64, resample))


@pytest.mark.parametrize(("given", "error", "words"), [
    ({"content": CONTENT[:, :31]}, ImageError, "content: expected at least 32 x 32 pixels, got 31 x 48"),
    ({"styles": (CONTENT[..., 0],)}, ImageError, r"style: expected an image \(H, W, 3\), got \(48, 64\)"),
    ({"initial": np.full((40, 40, 3), np.inf)}, ImageError, "initial: expected finite pixels"),
    ({"recipe": recipe(blend=(1, 2, 3))}, RecipeError, "blend: expected a value for each style, 2 in all, got 3"),
    ({"recipe": recipe(style_scale=(1, 2, 3))}, RecipeError, "style_scale: .* got 3"),
    ({"regions": Regions(hidden(*SHAPE), (hidden(40, 40),), ("picture",))}, ImageError,
     "regions: expected those of 2 style pictures, got 1"),
])  # fmt: skip
def test_what_a_run_cannot_start_from_is_named(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pictures(**{"content": CONTENT, "styles": STYLES, "recipe": recipe(), **given})


# Colour


def test_colours_as_they_come() -> None:
    found = working(color="style")
    np.testing.assert_array_equal(found.content, CONTENT)
    np.testing.assert_array_equal(finished(STYLES[0][:48], color="style"), STYLES[0][:48])


@pytest.mark.parametrize("method", ["pca", "cholesky"])
def test_matched_styles_have_mean_and_covariance_of_the_content(method: str) -> None:
    found = working(color="match", color_map=method)
    np.testing.assert_array_equal(found.content, CONTENT)
    for style in found.styles:
        for own, expected in zip(colours(style), colours(CONTENT), strict=True):
            np.testing.assert_allclose(own, expected, rtol=0.02, atol=2)
    assert np.abs(working(color="match", color_map="pca").styles[0] - found.styles[0]).max() > 1 or method == "pca"


@pytest.mark.parametrize("method", ["pca", "cholesky"])
def test_a_result_matched_afterwards_has_the_contents_colours(method: str) -> None:
    painted = 60 + 0.4 * picture(*SHAPE, 9)
    found = working(color="match-after", color_map=method)
    np.testing.assert_array_equal(found.styles[0], working().styles[0])  # nothing before
    made = finished(painted, color="match-after", color_map=method)
    for own, expected in zip(colours(made), colours(CONTENT), strict=True):
        np.testing.assert_allclose(own, expected, rtol=0.02, atol=2)


@pytest.mark.parametrize("color", ["content", "luminance"])
def test_the_contents_chroma_is_put_under_the_luminance_that_was_painted(color: str) -> None:
    painted = 90 + 0.3 * picture(*SHAPE, 9)
    lab, content = to_lab(finished(painted, color=color)), to_lab(CONTENT)
    np.testing.assert_allclose(lab[..., 0], luminance(painted, "lab"), atol=0.1)
    chroma = np.hypot(*np.moveaxis(lab[..., 1:], 2, 0)), np.hypot(*np.moveaxis(content[..., 1:], 2, 0))
    inside = np.abs(lab[..., 1:] - content[..., 1:]).max(axis=2) < 0.1
    assert inside.mean() > 0.5, "where sRGB has it, the same colour"
    assert (chroma[0] <= chroma[1] + 0.1).all(), "elsewhere nearer to grey"


def test_luminance_paints_grey_pictures_of_one_range() -> None:
    found = working(color="luminance")
    for image in (found.content, *found.styles):
        np.testing.assert_allclose(image, image[..., :1].repeat(3, axis=2), atol=0.01)
    np.testing.assert_allclose(luminance(found.content), luminance(CONTENT), atol=0.01)
    wanted = luminance(CONTENT)
    for style in found.styles:
        assert luminance(style).mean() == pytest.approx(wanted.mean(), abs=0.5)
        assert luminance(style).std() == pytest.approx(wanted.std(), rel=0.05)
    without = working(color="luminance", styles=())
    np.testing.assert_array_equal(without.content, found.content)


@pytest.mark.parametrize("color", ["match", "luminance", "match-after"])
def test_hidden_pixels_do_not_count_in_the_colours(color: str) -> None:
    """Other colours where nothing is seen change no colour where something is."""
    regions = Regions(hidden(*SHAPE), tuple(hidden(*style.shape[:2]) for style in STYLES), ("picture",))
    painted, found = 60 + 0.4 * picture(*SHAPE, 9), []
    for level in (None, 0, 255):
        content, styles, result = CONTENT.copy(), [style.copy() for style in STYLES], painted.copy()
        for image in (content, *styles, result):
            if level is not None:
                image[len(image) // 2 :] = level
        # At the size that they have, so that no hidden colour is mixed in.
        chosen = recipe(color=color, style_fit="native", style_scale=20)
        pictures = Pictures(content, tuple(styles), chosen, regions=regions)
        scaled = pictures.at(SHAPE).styles
        found.append([*(style[: len(style) // 2] for style in scaled), pictures.finished(result)[:24]])
    for other in found[1:]:
        for image, same in zip(found[0], other, strict=True):
            np.testing.assert_allclose(image, same, atol=1e-3)


# The start


def test_the_start_is_the_recipes() -> None:
    white = np.random.default_rng(3).uniform(0, 255, CONTENT.shape)
    np.testing.assert_array_equal(working(init="content").start(MEAN), CONTENT)
    np.testing.assert_array_equal(working(init="noise", seed=3).start(MEAN), white)
    half = working(init="content", mix=0.25, seed=3).start(MEAN)
    np.testing.assert_allclose(half, 0.75 * CONTENT + 0.25 * white, rtol=1e-6)
    brown = working(init="noise", noise="brown", seed=3).start(MEAN)
    assert np.abs(np.diff(brown, axis=0)).mean() < 0.6 * np.abs(np.diff(white, axis=0)).mean(), "smoother"
    grey = working(init="grey", deviation=2.0).start(MEAN) - MEAN
    assert grey.std() == pytest.approx(2, rel=0.05)


def test_a_start_of_ones_own_is_resized_and_mixed() -> None:
    own = picture(40, 36, 7)
    found = working(init="noise").start(MEAN, own)
    np.testing.assert_array_equal(found, resize(own, *SHAPE, "lanczos"))
    mixed = working(init="noise", mix=0.5, seed=3).start(MEAN, own)
    noise = np.random.default_rng(3).uniform(0, 255, CONTENT.shape)
    np.testing.assert_allclose(mixed, 0.5 * (found + noise), rtol=1e-6)


@pytest.mark.parametrize(("blend", "shares"), [((), (0.5, 0.5)), ((3, 1), (0.75, 0.25)), ((0, 1), (0, 1))])
def test_a_start_in_the_styles_colours_is_blended(blend: tuple[float, ...], shares: tuple[float, float]) -> None:
    found = working(init="style", blend=blend)
    wanted = [
        sum(s * c for s, c in zip(shares, pair, strict=True)) for pair in zip(*map(colours, found.styles), strict=True)
    ]
    for own, expected in zip(colours(found.start(MEAN)), wanted, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-3, atol=1e-2)


def test_a_start_in_the_styles_colours_has_those_that_are_seen() -> None:
    regions = Regions(hidden(*SHAPE), (hidden(60, 52),), ("picture",))
    found = working(regions, STYLES[:1], init="style", style_fit="native", style_scale=20)
    np.testing.assert_array_equal(found.styles[0], STYLES[0])
    for own, expected in zip(colours(found.start(MEAN)), colours(STYLES[0], slice(30)), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-3, atol=1e-2)


# Guards on arrays: what is no picture of levels 0..255 is refused with what to do


GREY = np.linspace(0, 255, 40 * 40 * 3).reshape(40, 40, 3)
NO_LEVELS = {
    "0..1": (GREY / 255, "0..1; multiply by 255"),
    "0..1, float32": ((GREY / 300).astype(np.float32), "multiply by 255"),
    "all ones": (np.ones((40, 40, 3)), "1..1; multiply by 255"),
    "-1..1": (GREY / 127.5 - 1, "-1..1; multiply by 255, or where black is -1 add 1"),
    "booleans": (GREY > 100, "True and False; multiply by 255"),
    "uint16": ((GREY * 257).astype(np.uint16), "uint16, whose white is 65535; divide by 257"),
    "0..65535": (GREY * 257, "0..6.554e+04; divide by 257"),
    "without its mean": (GREY - 127.5, "-127.5..127.5; add the mean"),
    "integers below 0": ((GREY - 100).astype(np.int64), "-100..155; add the mean"),
}


@pytest.mark.parametrize("name", ["content", "style", "initial"])
@pytest.mark.parametrize(("array", "words"), NO_LEVELS.values(), ids=NO_LEVELS)
def test_arrays_that_are_no_levels_are_refused(name: str, array: np.ndarray, words: str) -> None:
    given = {"content": GREY, "style": GREY, "initial": GREY, name: array}
    if name == "initial" and ("mean" in words or "e+04" in words):  # a start image may have any levels
        Pictures.of(given["content"], [given["style"]], RECIPES["document"], given["initial"])
        return
    with pytest.raises(ImageError, match=f"^{name}: expected levels of 0..255, got .*{re.escape(words)}"):
        Pictures.of(given["content"], [given["style"]], RECIPES["document"], given["initial"])


@pytest.mark.parametrize("kind", [complex, object, str])
@pytest.mark.parametrize("name", ["content", "style", "initial"])
def test_arrays_of_other_things_than_numbers_are_refused(name: str, kind: type) -> None:
    given = {"content": GREY, "style": GREY, "initial": GREY, name: GREY.astype(kind)}
    with pytest.raises(ImageError, match=f"^{name}: expected real numbers, got "):
        Pictures.of(given["content"], [given["style"]], RECIPES["document"], given["initial"])


@pytest.mark.parametrize("array", [
    np.zeros((40, 40, 3)), np.zeros((40, 40, 3), np.uint8), np.ones((40, 40, 3), np.uint8), GREY - 0.4,
    GREY.astype(np.int32),
], ids=["black", "black, uint8", "nearly black, uint8", "rounding", "int32"])  # fmt: skip
def test_arrays_of_levels_are_taken(array: np.ndarray) -> None:
    Pictures.of(array, [array], RECIPES["document"], array)


def test_a_dark_picture_of_a_file_is_taken() -> None:
    dark = Picture(np.full((40, 40, 3), 0.5, np.float32))
    Pictures.of(dark, [dark], RECIPES["document"], dark)


# Small styles


def test_a_small_style_is_continued_with_its_regions() -> None:
    style = picture(32, 40, 2)
    regions = Regions(labels(192, 256), (labels(30, 50),), ("corner", "rest"))
    small = {"style_fit": "native", "small_style": "mirrored"}
    at = Pictures(picture(192, 256, 1), (style,), recipe(**small), regions=regions).at((192, 256))
    (made,), (drawn,), (seen,) = at.styles, at.regions.styles if at.regions else (), at.visible
    assert made.shape == (6 * 32, 6 * 40, 3)
    assert drawn.shape == (2, 6 * 30, 6 * 50)
    assert seen is not None
    assert seen.shape == (6 * 32, 6 * 40)
    for tiled, one, (height, width) in ((made, style, (32, 40)), (drawn[0], labels(30, 50)[0], (30, 50))):
        np.testing.assert_allclose(tiled[:height, :width], one, atol=1e-3)
        np.testing.assert_array_equal(tiled[height : 2 * height, :width], tiled[:height, :width][::-1])
        np.testing.assert_array_equal(tiled[:height, width : 2 * width], tiled[:height, :width][:, ::-1])
