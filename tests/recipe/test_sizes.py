"""recipe/sizes.py: sizes grow to the last one, pictures keep their shape, styles have the size that the recipe says."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minstyle.errors import ImageError, RecipeError
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.sizes import (
    SMALLEST,
    blend_of,
    check_shapes,
    check_styles,
    crop_of,
    fitted_shape,
    shapes_of,
    sizes_of,
    tiles_of,
    value_at_scale,
    working_shape,
)


def recipe(**changes: Any) -> Recipe:
    return dataclasses.replace(RECIPES["document"], **changes)


@pytest.mark.parametrize(("changes", "expected"), [
    ({"sizes": 512, "scales": 32, "ratio": 2**0.5}, (128, 181, 256, 362, 512)),  # K. Crowson's program
    ({"sizes": 512, "scales": 3, "ratio": 2**0.5}, (256, 362, 512)),
    ({"sizes": 512, "scales": 1, "ratio": 2.0}, (512,)),
    ({"sizes": 512, "scales": 32, "ratio": 2.0}, (128, 256, 512)),
    ({"sizes": 512, "scales": 32, "ratio": 2.0, "min_size": 129}, (256, 512)),
    ({"sizes": 512, "scales": 32, "ratio": 2.0, "min_size": 32}, (32, 64, 128, 256, 512)),
    ({"sizes": 100, "scales": 32, "ratio": 2.0}, (100,)),  # below min_size itself
    ({"sizes": (64, 100), "scales": 32, "ratio": 2.0}, (64, 100)),  # as named
])  # fmt: skip
def test_the_sizes_that_lead_to_the_last(changes: dict[str, Any], expected: tuple[int, ...]) -> None:
    assert sizes_of(recipe(**changes)) == expected


@given(st.integers(32, 5000), st.integers(1, 32), st.floats(1.05, 16), st.integers(32, 3000))
def test_sizes_grow_by_the_ratio_and_end_with_the_last(size: int, scales: int, ratio: float, least: int) -> None:
    sizes = sizes_of(recipe(sizes=size, scales=scales, ratio=ratio, min_size=least))
    assert sizes[-1] == size
    assert len(sizes) <= scales
    assert all(least <= low for low in sizes[:-1])
    for low, high in itertools.pairwise(sizes):
        assert low < high
        assert abs(high - low * ratio) <= 1 + ratio


def test_numbers_by_size_go_on_with_the_last() -> None:
    assert [value_at_scale((7, 5, 3), scale) for scale in range(5)] == [7, 5, 3, 3, 3]
    assert [value_at_scale((7,), scale) for scale in range(2)] == [7, 7]


@pytest.mark.parametrize(("size_of", "expected"), [
    ("height", (120, 160)), ("width", (90, 120)), ("long", (90, 120)), ("short", (120, 160)),
])  # fmt: skip
def test_the_size_is_that_of_the_side_it_names(size_of: str, expected: tuple[int, int]) -> None:
    assert working_shape((300, 400, 3), 120, recipe(size_of=size_of)) == expected
    turned = {"height": (120, 90), "width": (160, 120), "long": (120, 90), "short": (160, 120)}
    assert working_shape((400, 300, 3), 120, recipe(size_of=size_of)) == turned[size_of]


sides = st.integers(32, 3000)


@given(sides, sides, st.integers(32, 3000), st.sampled_from(["height", "width", "long", "short"]))
def test_the_content_keeps_its_aspect(height: int, width: int, size: int, size_of: str) -> None:
    h, w = working_shape((height, width), size, recipe(size_of=size_of))
    named = {"height": h, "width": w, "long": max(h, w), "short": min(h, w)}[size_of]
    assert named == size
    assert abs(h * width - w * height) < max(height, width)  # less than a pixel of the other side


def test_sizes_on_the_way_that_are_too_small_for_a_panorama_are_left_out() -> None:
    chosen = recipe(sizes=512, size_of="long", scales=32, ratio=2.0)
    assert shapes_of((1000, 1000, 3), chosen) == [(128, 128), (256, 256), (512, 512)]
    assert shapes_of((125, 1000, 3), chosen) == [(32, 256), (64, 512)]
    assert shapes_of((32, 1000, 3), chosen) == [(16, 512)], "the size that was asked for stays, to be refused in words"
    named = recipe(sizes=(128, 512), size_of="long")
    assert shapes_of((125, 1000, 3), named) == [(16, 128), (64, 512)], "and so do sizes that were named"


@given(sides, sides, sides, sides, st.sampled_from(["stretch", "area", "keep", "native"]), st.floats(0.05, 20))
def test_a_style_picture_is_never_too_small_and_keeps_its_aspect(
    height: int, width: int, own_height: int, own_width: int, fit: str, scale: float
) -> None:
    chosen = recipe(style_fit=fit, style_scale=scale)
    h, w = fitted_shape((own_height, own_width, 3), (height, width), chosen)
    assert min(h, w) >= SMALLEST
    aspect = (height, width) if fit == "stretch" else (own_height, own_width)
    assert abs(h * aspect[1] - w * aspect[0]) <= 0.5000001 * sum(aspect)  # half a pixel of rounding on each side


@given(sides, sides, sides, sides, st.floats(0.05, 20), st.sampled_from(["height", "width", "long", "short"]))
def test_the_style_picture_has_the_size_that_the_fit_names(
    height: int, width: int, own_height: int, own_width: int, scale: float, size_of: str
) -> None:
    shape, own = (height, width), (own_height, own_width)
    fitted = {
        fit: fitted_shape(own, shape, recipe(style_fit=fit, style_scale=scale, size_of=size_of))
        for fit in ("stretch", "area", "keep", "native")
    }
    side = {"height": lambda s: s[0], "width": lambda s: s[1], "long": max, "short": min}[size_of]
    assume(all(min(found) > SMALLEST for found in fitted.values()))
    assert fitted["stretch"] == (round(height * scale), round(width * scale))
    assert side(fitted["keep"]) == pytest.approx(side(shape) * scale, abs=0.51)
    area = (fitted["area"][0] * fitted["area"][1]) ** 0.5
    assert area == pytest.approx((height * width) ** 0.5 * scale, abs=1.5 * max(own) / min(own) ** 0.5 + 1)
    assert side(fitted["native"]) == pytest.approx(min(side(shape) * scale, side(own)), abs=0.51)


def test_each_style_picture_has_its_own_scale_and_crop() -> None:
    windows = ((0, 0, 0.5, 1), (0.25, 0, 1, 1))
    chosen = recipe(style_fit="keep", style_scale=(0.5, 2), style_crop=windows)
    assert [fitted_shape((200, 100), (100, 100), chosen, i) for i in (0, 1)] == [(64, 32), (200, 100)]
    assert [crop_of(chosen, i) for i in (0, 1)] == list(windows)
    assert fitted_shape((200, 100), (100, 100), recipe(style_fit="keep", style_scale=2), 1) == (200, 100), "one for all"
    assert crop_of(recipe(), 1) == (0, 0, 1, 1)


@pytest.mark.parametrize("name", ["blend", "style_scale", "style_crop"])
def test_what_is_said_of_another_number_of_styles_is_named(name: str) -> None:
    values = {"blend": (3, 7), "style_scale": (1, 2), "style_crop": ((0, 0, 1, 1), (0, 0, 0.5, 1))}[name]
    check_styles(recipe(**{name: values}), 2)
    for count in (1, 3):
        with pytest.raises(RecipeError, match=f"{name}: expected a value for each style, {count} in all, got 2"):
            check_styles(recipe(**{name: values}), count)


def test_one_scale_goes_for_any_number_of_styles_but_one_blend_does_not() -> None:
    check_styles(recipe(style_scale=2), 3)
    with pytest.raises(RecipeError, match="blend"):
        check_styles(recipe(blend=1), 3)


def test_the_shares_of_a_blend() -> None:
    assert blend_of(recipe(), 4) == [0.25] * 4
    assert blend_of(recipe(blend=(1, 3)), 2) == [0.25, 0.75]
    assert blend_of(recipe(), 0) == []
    with pytest.raises(RecipeError, match="blend: expected a value for each style, 3 in all, got 2"):
        blend_of(recipe(blend=(1, 3)), 3)
    # Sizes and crops of other styles do not matter to it: an objective takes pictures as they are.
    assert blend_of(recipe(style_crop=((0, 0, 1, 1), (0, 0, 1, 0.5))), 1) == [1.0]


def test_strokes_are_no_larger_than_a_panorama_is_high() -> None:
    """A square painting beside 512 x 64: as large as its longer side, or with as many pixels."""
    for fit, expected in (("keep", (512, 512)), ("area", (181, 181))):
        assert fitted_shape((600, 600), (64, 512), recipe(style_fit=fit, size_of="long")) == expected
    assert RECIPES["fine"].style_fit == "area"


@pytest.mark.parametrize(("style", "tiles"), [
    ((384, 512), 1), ((200, 256), 1), ((192, 256), 2), ((128, 171), 3), ((96, 128), 4), ((800, 900), 1),
])  # fmt: skip
def test_small_styles_are_mirrored_until_they_are_about_as_large(style: tuple[int, int], tiles: int) -> None:
    assert tiles_of(style, (384, 512), recipe(small_style="mirrored")) == tiles
    assert tiles_of(style, (384, 512), recipe(small_style="plain")) == 1


@given(sides, sides, st.sampled_from(["height", "width", "long", "short"]))
def test_content_too_small_is_refused_with_a_size_that_does(height: int, width: int, size_of: str) -> None:
    chosen = recipe(sizes=40, size_of=size_of)
    if min(working_shape((height, width), 40, chosen)) >= SMALLEST:
        check_shapes((height, width), chosen)
        return
    with pytest.raises(ImageError, match=r"photo\.png at size .* --size \d+ would do") as refused:
        check_shapes((height, width), chosen, "photo.png")
    enough = int(str(refused.value).split("--size ")[1].split()[0])
    check_shapes((height, width), recipe(sizes=enough, size_of=size_of))
    assert min(working_shape((height, width), enough - 1, chosen)) < SMALLEST, "and no smaller one"
