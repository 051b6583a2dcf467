"""style/regions.py: a mask's labels are the painted colours, its weights share out each pixel, layers get means."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from minstyle.errors import ImageError, RecipeError
from minstyle.notices import Notice
from minstyle.style import labels as labels_module
from minstyle.style import regions as regions_module
from minstyle.style.labels import find_labels, name_of
from minstyle.style.regions import Regions, at_layer, coverage, from_masks, with_opacity
from tests.support.memory import peak_memory

FAST = settings(max_examples=40, deadline=None)
RED, GREEN, BLUE, WHITE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128)


def mask(*rows: tuple[Any, ...], size: tuple[int, int] = (40, 60)) -> np.ndarray:
    """Rows of colours, drawn as equal rectangles in a mask of (h, w)."""
    height, width = size
    colours = np.array(rows, np.float32)
    y, x = np.arange(height) * len(rows) // height, np.arange(width) * len(rows[0]) // width
    return colours[y[:, None], x]


def two(content: np.ndarray, *styles: np.ndarray, **options: Any) -> Regions:
    """Regions of masks that have the sizes of their pictures."""
    shapes = [style.shape for style in styles]
    return from_masks(content, styles, content_shape=content.shape, style_shapes=shapes, **options)


def scene(size: int, supersample: int) -> Image.Image:
    """Four areas with round and slanting edges, antialiased where ``supersample`` is above 1."""
    s = size * supersample
    picture = Image.new("RGB", (s, s), BLUE)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((0.1 * s, 0.1 * s, 0.6 * s, 0.6 * s), fill=RED)
    draw.polygon([(0.5 * s, 0.9 * s), (0.95 * s, 0.4 * s), (0.9 * s, 0.95 * s)], fill=WHITE)
    draw.rectangle((0, 0.8 * s, 0.3 * s, s), fill=GREY)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


# Labels


@pytest.mark.parametrize("quality", [None, 95, 75, 50])
@pytest.mark.parametrize("supersample", [1, 4])
@pytest.mark.parametrize("size", [100, 333])
def test_smooth_edges_and_compression_make_no_labels(size: int, supersample: int, quality: int | None) -> None:
    drawn = scene(size, supersample)
    if quality:
        file = io.BytesIO()
        drawn.save(file, "JPEG", quality=quality)
        drawn = Image.open(file).convert("RGB")
    colours, index = find_labels(np.asarray(drawn, np.float32))
    np.testing.assert_allclose(colours, [BLUE, RED, WHITE, GREY], atol=8)
    exact = np.asarray(scene(size, 1), np.float32)
    wrong = np.abs(colours[index] - exact).max(axis=2) > 40
    assert wrong.mean() < 4 / size  # on the edges only


def test_noise_makes_no_labels() -> None:
    noise = np.random.default_rng(0).normal(0, 3, (40, 60, 3))
    colours, index = find_labels(mask((RED, GREY), (BLUE, GREY)) + noise)
    np.testing.assert_allclose(colours, [GREY, RED, BLUE], atol=3)
    np.testing.assert_array_equal(np.sort(np.bincount(index.ravel())), [600, 600, 1200])


def test_sixteen_levels_of_grey_are_sixteen_labels() -> None:
    levels = np.arange(16) * 17
    drawn = mask(tuple((v, v, v) for v in levels), size=(20, 160))
    colours, index = find_labels(drawn)
    assert sorted(name_of(c) for c in colours) == [f"#{v:02x}{v:02x}{v:02x}" for v in levels]
    np.testing.assert_array_equal(colours[index], drawn)


@given(
    st.lists(st.sampled_from([RED, GREEN, BLUE, WHITE, GREY]), min_size=1, max_size=5, unique=True),
    st.integers(15, 40),
    st.integers(15, 40),
)
@FAST
def test_clean_masks_are_read_to_the_pixel(colours: list[Any], height: int, width: int) -> None:
    drawn = mask(tuple(colours), size=(height, width))
    found, index = find_labels(drawn)
    np.testing.assert_array_equal(found[index], drawn)


@pytest.mark.parametrize("part", [0.003, 0.008])
def test_a_label_covers_half_a_percent_of_a_mask_that_jpeg_has_blurred(part: float) -> None:
    drawn = mask((RED,), size=(200, 200))
    side = round(200 * part**0.5)
    drawn[50 : 50 + side, 70 : 70 + side] = BLUE
    noise = np.random.default_rng(0).integers(-6, 7, drawn.shape)
    assert len(find_labels(drawn + noise)[0]) == (1 if part < 0.005 else 2)


@pytest.mark.parametrize("smooth", [False, True], ids=["hard edges", "smooth edges"])
@pytest.mark.parametrize("side", [3, 5, 19])
def test_a_flat_label_counts_however_small(side: int, smooth: bool) -> None:
    drawn = mask((RED, BLUE), size=(400, 400))
    drawn[50 : 50 + side, 70 : 70 + side] = GREEN
    if smooth:
        drawn[:, 199:201] = (drawn[:, 198:200] + drawn[:, 200:202]) / 2
    colours, index = find_labels(drawn)
    assert sorted(map(name_of, colours)) == ["#0000ff", "#00ff00", "#ff0000"]
    green = [name_of(c) for c in colours].index("#00ff00")
    assert (index == green).sum() == side**2


@pytest.mark.parametrize("step", [1, 1 / 257], ids=["8 bits", "16 bits"])
def test_numbers_as_segmentation_programs_write_them_are_told_apart(step: float) -> None:
    numbers = np.zeros((60, 80), int)
    numbers[:, 30:], numbers[40:, 50:], numbers[5:9, 5:9] = 1, 2, 3
    colours, index = find_labels(np.repeat(np.float32(numbers * step)[:, :, None], 3, axis=2))
    np.testing.assert_allclose(colours[index][:, :, 0], numbers * step, atol=1e-6)
    assert len(colours) == 4


@pytest.mark.parametrize("step", [1, 1 / 257], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize(
    ("place", "value"), [(np.s_[5:7, 5:7], 3), (np.s_[20, :29], 255)], ids=["a speck", "a void line"]
)
def test_a_speck_or_a_void_line_does_not_merge_the_numbers(step: float, place: Any, value: int) -> None:
    numbers = np.zeros((60, 80), int)
    numbers[:, 30:], numbers[40:, 50:] = 1, 2
    clean = numbers.copy()
    numbers[place] = value
    drawn = np.repeat(np.float32(numbers * step)[:, :, None], 3, axis=2)
    told: list[str] = []
    colours, index = find_labels(drawn, "content mask", told.append)
    assert len(colours) == 3
    kept = numbers == clean
    np.testing.assert_allclose(colours[index][:, :, 0][kept], clean[kept] * step, atol=1e-6)
    np.testing.assert_allclose(colours[index][:, :, 0][~kept], 2 * step, atol=1e-6)
    assert told == [f"content mask: {name_of(np.full(3, value * step))} has no area of 3 x 3 pixels: "
                    "counted as the nearest label"]  # fmt: skip
    assert [notice.text for notice in two(drawn, drawn).notices] == [*told, told[0].replace("content", "style")]


def test_the_ripples_of_a_grey_jpeg_are_no_labels() -> None:
    """A grey JPEG has few colours, and levels beside each other in flat areas, as label maps do."""
    file, drawn = io.BytesIO(), scene(200, 1).convert("L")
    drawn.save(file, "JPEG", quality=90)
    grey = np.asarray(Image.open(file).convert("RGB"), np.float32)
    assert len(np.unique(grey)) < 256
    assert len(find_labels(grey)[0]) == len(np.unique(np.asarray(drawn)))


@pytest.mark.parametrize("drawn", [
    np.random.default_rng(0).uniform(0, 255, (60, 60, 3)), mask(tuple((15 * i, 0, 90 * (i % 3)) for i in range(17))),
    mask((RED, BLUE, GREEN) * 20, (GREEN, RED, BLUE) * 20),
], ids=["noise", "17 colours", "stripes of a pixel"])  # fmt: skip
def test_what_is_not_painted_in_areas_is_refused(drawn: np.ndarray) -> None:
    with pytest.raises(ImageError, match="style mask 2: expected 1 to 16 areas of one colour each"):
        find_labels(drawn, "style mask 2")


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros((0, 4, 3)), np.full((4, 4, 3), np.nan)])
def test_what_is_no_image_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ImageError, match="content mask: expected an image"):
        find_labels(wrong, "content mask")


# Weights


def test_a_region_is_its_colour_in_every_mask() -> None:
    regions = two(mask((RED, RED, BLUE)), mask((BLUE, RED), size=(30, 30)))
    assert regions.names == ("#ff0000", "#0000ff")
    assert regions.notices == ()
    np.testing.assert_array_equal(regions.content[0], mask((RED, RED, BLUE))[..., 0] == 255)
    np.testing.assert_array_equal(regions.styles[0][0], mask((BLUE, RED), size=(30, 30))[..., 0] == 255)
    np.testing.assert_array_equal(regions.styles[0].sum(0), 1)
    assert {weights.dtype for weights in (regions.content, *regions.styles)} == {np.dtype(np.float32)}


def test_colours_match_within_a_tolerance() -> None:
    near = two(mask((RED, BLUE)), mask(((245, 8, 6), (4, 0, 240))))
    np.testing.assert_array_equal(near.styles[0], near.content)
    with pytest.raises(ImageError, match="#ff0000"):
        two(mask((RED, BLUE)), mask(((225, 8, 6), BLUE)))


def test_several_styles_share_the_regions() -> None:
    regions = two(mask((RED, BLUE, GREY)), mask((RED, RED)), mask((BLUE,), (GREY,), size=(20, 90)))
    assert [style.shape for style in regions.styles] == [(3, 40, 60), (3, 20, 90)]
    named = {name: [coverage(style[r]) for style in regions.styles] for r, name in enumerate(regions.names)}
    assert named == {"#ff0000": [1, 0], "#0000ff": [0, 0.5], "#808080": [0, 0.5]}


def test_a_label_that_no_style_mask_has_is_refused_with_its_place() -> None:
    with pytest.raises(ImageError) as caught:
        two(mask((RED, BLUE, GREEN)), mask((RED, BLUE)), mask((BLUE, WHITE)))
    assert str(caught.value) == (
        "content mask: no style mask has its colour #00ff00 (33.3% of it, around x 49, y 19); "
        "paint it in a style mask, or in another colour here"
    )


def test_a_label_of_style_masks_only_is_left_out_with_a_warning() -> None:
    regions = two(mask((RED, BLUE)), mask((RED, BLUE, GREEN)), feather=0.02)
    assert regions.notices == (Notice("label left out", "style mask: the content mask has no #00ff00: left out"),)
    assert regions.names == ("#0000ff", "#ff0000")[:: 1 if regions.names[0] == "#0000ff" else -1]
    assert regions.styles[0][:, :, -10:].max() < 0.01


def test_a_style_picture_without_regions_is_refused() -> None:
    with pytest.raises(ImageError, match="style picture 2: expected visible pixels in a region"):
        two(mask((RED, BLUE)), mask((RED, BLUE)), mask((GREEN,)))


def test_a_mask_of_another_size_is_resampled_with_a_warning() -> None:
    drawn = mask((RED, BLUE), (BLUE, RED))
    regions = from_masks(drawn, [drawn], content_shape=(80, 30, 3), style_shapes=[(40, 60)])
    text = "content mask: 60 x 40 pixels for a picture of 30 x 80: resampled to fit"
    assert regions.notices == (Notice("mask resampled", text),)
    small = two(mask((RED, BLUE), (BLUE, RED), size=(80, 30)), drawn)
    np.testing.assert_array_equal(regions.content, small.content)


def test_a_region_that_resampling_loses_is_refused() -> None:
    drawn = mask((RED,), size=(100, 100))
    drawn[41:50, 41:50] = BLUE
    with pytest.raises(ImageError, match="content mask: #0000ff is too small: none of its 81 pixels, around x 45"):
        from_masks(drawn, [drawn], content_shape=(2, 2), style_shapes=[(100, 100)])


@given(st.integers(15, 50), st.integers(15, 50), st.floats(0, 0.25))
@FAST
def test_the_weights_of_a_pixel_sum_to_one(height: int, width: int, feather: float) -> None:
    drawn = mask((RED, BLUE, GREY), (GREY, GREY, WHITE), size=(height, width))
    regions = two(drawn, drawn, feather=feather)
    for weights in (regions.content, *regions.styles):
        np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-5)
        assert weights.min() >= 0
        assert weights.max() <= 1 + 1e-5


def test_feather_is_the_deviation_of_the_edge() -> None:
    regions = two(mask((RED, BLUE), size=(80, 200)), mask((RED, BLUE)), feather=0.03)
    profile = regions.content[regions.names.index("#0000ff")][40]
    slope = np.diff(profile)
    place = np.arange(len(slope)) + 1.0  # between pixels
    assert slope @ place == pytest.approx(100, abs=0.1)
    assert np.sqrt(slope @ (place - 100) ** 2) == pytest.approx(0.03 * 200, rel=0.02)


@pytest.mark.parametrize(("height", "width"), [(30, 50), (67, 40), (3, 200)])
@pytest.mark.parametrize("feather", [0.004, 0.02, 0.1, 0.25])
def test_a_blur_is_the_mean_over_the_gaussian_inside_the_picture(height: int, width: int, feather: float) -> None:
    drawn = mask((RED, BLUE), (BLUE, BLUE), size=(height, width))
    regions = two(drawn, drawn, feather=feather)
    deviation = feather * max(height, width)
    away = [np.abs(np.arange(n) - np.arange(n)[:, None]) for n in (height, width)]
    rows, columns = (np.exp(-0.5 * (x / deviation) ** 2) for x in away)
    red = (drawn[..., 0] == 255).astype(np.float64)
    found = regions.content[regions.names.index("#ff0000")]
    # The Gaussian ends at 4 deviations: 6e-5 of it lie behind them.
    whole = rows @ red @ columns / np.outer(rows.sum(axis=1), columns.sum(axis=0))
    np.testing.assert_allclose(found, whole, atol=1e-4 if deviation > 1 else 1e-3)
    rows, columns = (m * (x <= round(4 * deviation)) for m, x in zip((rows, columns), away, strict=True))
    cut = rows @ red @ columns / np.outer(rows.sum(axis=1), columns.sum(axis=0))
    np.testing.assert_allclose(found, cut, atol=1e-6)


def test_a_long_map_is_blurred_and_averaged_without_dense_matrices_of_its_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = mask((RED,), (BLUE,), size=(20_000, 50))
    index = (drawn[..., 2] == 255).astype(int)
    monkeypatch.setattr(regions_module, "find_labels", lambda mask, place, tell: (np.array([RED, BLUE], float), index))
    tracemalloc.start()
    regions = two(drawn, drawn, feather=0.005)
    for layer in ((20_000, 50), (9_999, 25), (1_250, 3)):
        at_layer(regions.content[0], layer)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 12 * 2 * index.size * 8, "some copies of the two maps; 20,000 x 20,000 numbers would be 1.6 GB"


@pytest.mark.parametrize("feather", [-0.1, 0.3, float("nan")])
def test_a_feather_out_of_range_is_refused(feather: float) -> None:
    with pytest.raises(RecipeError, match=r"feather: expected .* 0\.\.0\.25, got"):
        two(mask((RED,)), mask((RED,)), feather=feather)


def test_masks_and_styles_are_as_many() -> None:
    with pytest.raises(RecipeError, match="style masks: expected 2, one a style picture, got 1"):
        from_masks(mask((RED,)), [mask((RED,))], content_shape=(9, 9), style_shapes=[(9, 9), (9, 9)])


# Opacity


def test_opacity_multiplies_the_weights() -> None:
    drawn = mask((RED, BLUE))
    opacity = np.random.default_rng(0).uniform(0, 1, (40, 60))
    regions = two(drawn, drawn, drawn)
    seen = with_opacity(
        regions, opacity, [None, opacity**2], content_shape=drawn.shape, style_shapes=[drawn.shape, drawn.shape]
    )
    np.testing.assert_allclose(seen.content, regions.content * opacity, rtol=1e-6)
    np.testing.assert_array_equal(seen.styles[0], regions.styles[0])
    np.testing.assert_allclose(seen.styles[1], regions.styles[1] * opacity**2, rtol=1e-6)
    assert seen.names == regions.names


def test_without_regions_there_is_one() -> None:
    opacity = np.eye(8)
    seen = with_opacity(None, None, [opacity, None], content_shape=(5, 6, 3), style_shapes=[(8, 8, 3), (4, 7, 3)])
    assert len(seen.names) == 1
    np.testing.assert_array_equal(seen.content, np.ones((1, 5, 6)))
    np.testing.assert_array_equal(seen.styles[0], [opacity])
    np.testing.assert_array_equal(seen.styles[1], np.ones((1, 4, 7)))


def test_what_is_transparent_altogether_is_refused() -> None:
    drawn = mask((RED, BLUE))
    regions, sizes = two(drawn, drawn), {"content_shape": drawn.shape, "style_shapes": [drawn.shape]}
    without_red = drawn[..., 0] == 0
    with pytest.raises(ImageError, match="region #ff0000: expected visible pixels in the content"):
        with_opacity(regions, without_red, [None], **sizes)
    with pytest.raises(ImageError, match="region #ff0000: expected visible pixels in a style picture"):
        with_opacity(regions, None, [without_red], **sizes)
    nothing, shapes = np.zeros((4, 4)), {"content_shape": (4, 4), "style_shapes": [(4, 4), (4, 4)]}
    with pytest.raises(ImageError, match=r"style picture 2: expected pixels that can be seen, got .* altogether"):
        with_opacity(None, None, [None, nothing], **shapes)
    with pytest.raises(ImageError, match=r"the content: expected pixels that can be seen, got .* altogether"):
        with_opacity(None, nothing, [None, None], **shapes)
    with pytest.raises(ImageError, match=r"opacity of style picture 1: expected \(40, 60\), got \(60, 40\)"):
        with_opacity(regions, None, [np.ones((60, 40))], **sizes)
    with pytest.raises(RecipeError, match="opacities of styles: expected 1, got 2"):
        with_opacity(regions, None, [None, None], **sizes)


# Layers

SIDE = st.integers(1, 40)


@given(st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE), st.integers(0, 99))
@FAST
def test_a_layers_weights_sum_to_one_and_keep_the_centre(shape: Any, layer: Any, seed: int) -> None:
    weights = np.random.default_rng(seed).uniform(0.1, 1, shape)
    made = at_layer(weights, layer)
    assert made.shape == layer
    assert made.sum() == pytest.approx(1)
    if layer[0] >= shape[0] or shape[0] % layer[0] == 0:
        return
    rows = weights.sum(axis=1)
    ends = np.arange(layer[0] + 1) * shape[0] / layer[0]  # the integral up to each end, by interpolation
    cumulated = np.interp(ends, np.arange(shape[0] + 1), np.concatenate([[0], np.cumsum(rows)]))
    np.testing.assert_allclose(made.sum(axis=1), np.diff(cumulated) / rows.sum(), rtol=1e-9)


def test_whole_ratios_are_block_means() -> None:
    weights = np.random.default_rng(0).uniform(0, 1, (12, 20))
    blocks = weights.reshape(3, 4, 4, 5).mean(axis=(1, 3))
    np.testing.assert_allclose(at_layer(weights, (3, 4)), blocks / blocks.sum(), rtol=1e-12)
    np.testing.assert_allclose(at_layer(weights, (12, 20)), weights / weights.sum(), rtol=1e-12)


def test_ones_are_even_at_any_layer() -> None:
    for layer in ((5, 7), (1, 1), (37, 53), (80, 90)):
        np.testing.assert_allclose(at_layer(np.ones((37, 53), np.float32), layer), 1 / np.prod(layer), rtol=1e-9)


def test_an_empty_region_is_refused_with_its_name_and_the_layers_size() -> None:
    with pytest.raises(ImageError, match="region #00ff00: empty at a layer of 4 x 3 positions; draw it larger"):
        at_layer(np.zeros((30, 40)), (3, 4), "#00ff00")


def test_one_pixel_is_enough_for_any_layer() -> None:
    weights = np.zeros((512, 512), np.float32)
    weights[100, 300] = 1
    made = at_layer(weights, (32, 32))
    assert made[6, 18] == pytest.approx(1)
    assert coverage(weights) == pytest.approx(1 / 512**2)


@pytest.mark.parametrize("kind", ["areas", "numbers", "noise", "soft"])
def test_a_mask_is_looked_at_in_blocks_of_rows(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The blocks do not show: neighbours and counts are those of the whole; whole levels are as good as floats."""
    random = np.random.default_rng(3)
    areas = random.integers(0, 5, (6, 5)).repeat(9, 0).repeat(8, 1)[:, :, None]
    drawn = {"areas": areas * np.array([50, 20, 60]), "numbers": areas.repeat(3, 2),
             "noise": areas * 50 + random.integers(0, 8, (54, 40, 3)),
             "soft": np.asarray(Image.fromarray((areas[:, :, 0] * 50).astype(np.uint8)).resize((90, 70)))[:, :, None]
             .repeat(3, 2)}[kind].astype(np.uint8)  # fmt: skip
    colours, index = find_labels(drawn.astype(np.float32))
    for pixels in (1, 200, 10**6):
        monkeypatch.setattr(labels_module, "_BLOCK", pixels)
        for mask in (drawn, drawn.astype(np.float32)):
            found = find_labels(mask)
            np.testing.assert_allclose(found[0], colours, rtol=1e-6)
            np.testing.assert_array_equal(found[1], index)
            assert found[1].dtype == np.uint8


def test_a_large_mask_takes_a_few_bytes_a_pixel() -> None:
    drawn = np.zeros((3000, 3000, 3), np.uint8)
    drawn[:, 1500:] = 200
    with peak_memory(9e6 * 4 + labels_module._BLOCK * 40):
        find_labels(drawn)
