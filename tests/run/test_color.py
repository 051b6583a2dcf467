"""run/color.py: known values, luminance and chroma each from its picture, mean and covariance as asked, no NaN."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minstyle.backend import to_host
from minstyle.errors import ImageError, RecipeError
from minstyle.run.color import (
    METHODS,
    SPACES,
    color_moments,
    from_lab,
    from_linear,
    grey_image,
    luminance,
    luminance_pair,
    match_colors,
    to_lab,
    to_linear,
    transfer_luminance,
    with_colors_of,
)
from tests.support.small import picture

FAST = settings(max_examples=40, deadline=None)
PIXELS = hnp.arrays(np.float64, st.just((3, 4, 3)), elements=st.floats(0, 255))

# CIELAB, D65, of sRGB colours, as published with the matrix of B. Lindbloom.
LAB = {
    "white": ((255, 255, 255), (100, 0, 0)),
    "black": ((0, 0, 0), (0, 0, 0)),
    "red": ((255, 0, 0), (53.2408, 80.0925, 67.2032)),
    "green": ((0, 255, 0), (87.7347, -86.1827, 83.1793)),
    "blue": ((0, 0, 255), (32.2970, 79.1875, -107.8602)),
    "cyan": ((0, 255, 255), (91.1132, -48.0875, -14.1312)),
    "magenta": ((255, 0, 255), (60.3242, 98.2343, -60.8249)),
    "yellow": ((255, 255, 0), (97.1393, -21.5537, 94.4780)),
    "grey": ((119, 119, 119), (50.0344, 0, 0)),
}


@pytest.mark.parametrize(("srgb", "lab"), LAB.values(), ids=LAB)
def test_lab_is_as_published(xp: ModuleType, srgb: Any, lab: Any) -> None:
    image = xp.asarray(np.float64(srgb)[None, None])
    np.testing.assert_allclose(to_host(to_lab(image))[0, 0], lab, atol=0.01)
    np.testing.assert_allclose(to_host(luminance(image))[0, 0], lab[0], atol=0.01)


@pytest.mark.parametrize(("coded", "linear"), [(0, 0), (10, 0.0030353), (128, 0.2158605), (188, 0.5028865), (255, 1)])
def test_linear_light_is_as_published(coded: float, linear: float) -> None:
    assert to_linear(np.float64([coded]))[0] == pytest.approx(linear, abs=1e-6)


@given(image=PIXELS)
@FAST
def test_there_and_back_is_the_same_colour(image: np.ndarray) -> None:
    np.testing.assert_allclose(from_linear(to_linear(image)), image, atol=1e-4)
    np.testing.assert_allclose(from_lab(to_lab(image)), image, atol=1e-3)


@pytest.mark.parametrize("space", SPACES)
@given(image=PIXELS)
@FAST
def test_a_picture_with_its_own_colours_is_itself(space: str, image: np.ndarray) -> None:
    np.testing.assert_allclose(transfer_luminance(image, image, space), image, atol=1e-3)


@pytest.mark.parametrize("space", SPACES)
@given(image=PIXELS, other=PIXELS)
@FAST
def test_the_luminance_is_the_results_in_and_out_of_gamut(space: str, image: np.ndarray, other: np.ndarray) -> None:
    made = transfer_luminance(image, other, space)
    assert made.min() >= 0
    assert made.max() <= 255
    np.testing.assert_allclose(luminance(made, space), luminance(image, space), atol=1e-3)


@pytest.mark.parametrize("space", SPACES)
def test_grey_has_the_luminance_it_is_made_of(xp: ModuleType, space: str) -> None:
    image = xp.asarray(picture(20, 30))
    grey = grey_image(luminance(image, space), space)
    assert to_host(abs(grey - grey[..., :1])).max() == 0
    np.testing.assert_allclose(to_host(luminance(grey, space)), to_host(luminance(image, space)), atol=1e-2)


def test_lab_keeps_the_chroma_of_the_content_where_srgb_has_it() -> None:
    content, result = 90 + 0.3 * picture(20, 30, 1), 90 + 0.3 * picture(20, 30, 2)
    made = to_lab(transfer_luminance(result, content, "lab"))
    np.testing.assert_allclose(made[..., 1:], to_lab(content)[..., 1:], atol=0.02)


def test_yuv_keeps_the_colour_differences_of_the_content() -> None:
    content, result = 90 + 0.3 * picture(20, 30, 1), 90 + 0.3 * picture(20, 30, 2)
    made = transfer_luminance(result, content, "yuv")
    np.testing.assert_allclose(made[..., 0] - made[..., 2], content[..., 0] - content[..., 2], atol=1e-3)


def test_linear_keeps_the_ratios_of_the_channels_in_the_light() -> None:
    content = np.full((1, 1, 3), [200.0, 150.0, 100.0])
    half = to_linear(with_colors_of(luminance(content, "linear") / 2, content, "linear"))
    np.testing.assert_allclose(half, to_linear(content) / 2, rtol=1e-5)


@pytest.mark.parametrize("space", SPACES)
def test_the_noise_of_dark_pixels_makes_no_colour(space: str) -> None:
    noise = np.random.default_rng(0).uniform(0, 3, (20, 20, 3))  # black, as a camera sees it
    made = transfer_luminance(np.full((20, 20, 3), 200.0), noise, space)
    assert np.ptp(made, axis=2).max() < 24


@pytest.mark.parametrize("space", SPACES)
def test_the_styles_luminance_is_moved_to_the_contents(xp: ModuleType, space: str) -> None:
    content = 80 + 0.3 * picture(40, 50, 1).astype(np.float64)
    style = 150 + 0.2 * picture(30, 60, 2).astype(np.float64)
    grey_content, grey_style = luminance_pair(xp.asarray(content), xp.asarray(style), space)
    assert (grey_content.shape, grey_style.shape) == ((40, 50, 3), (30, 60, 3))
    of_content, of_style = (to_host(luminance(grey, space)) for grey in (grey_content, grey_style))
    np.testing.assert_allclose(of_content, luminance(content, space), rtol=1e-4)
    np.testing.assert_allclose(of_style.mean(), of_content.mean(), rtol=1e-4)
    np.testing.assert_allclose(of_style.std(), of_content.std(), rtol=1e-4)
    assert np.corrcoef(of_style.ravel(), luminance(style, space).ravel())[0, 1] > 0.9999


def test_transparent_pixels_do_not_count_in_the_luminance_pair() -> None:
    content, style = 80 + 0.3 * picture(40, 50, 1), 80 + 0.3 * picture(40, 50, 2)
    spoiled, visible = style.copy(), np.ones((40, 50))
    spoiled[:10], visible[:10] = 255, 0
    _, whole = luminance_pair(content, style[10:])
    _, part = luminance_pair(content, spoiled, style_weights=visible)
    np.testing.assert_allclose(part[10:], whole, atol=1e-2)


# The linear map


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(4))
def test_mean_and_covariance_are_the_references(xp: ModuleType, method: str, seed: int) -> None:
    image = picture(30, 40, seed).astype(np.float64)
    reference = picture(20, 50, seed + 10).astype(np.float64)
    mean, covariance = color_moments(match_colors(xp.asarray(image), xp.asarray(reference), method))
    np.testing.assert_allclose(to_host(mean), reference.reshape(-1, 3).mean(0), rtol=1e-6)
    expected = np.cov(reference.reshape(-1, 3).T, bias=True)
    np.testing.assert_allclose(to_host(covariance), expected, atol=1e-6 * np.trace(expected))


@pytest.mark.parametrize("method", METHODS)
def test_pixels_without_weight_do_not_count(method: str) -> None:
    image, reference = (picture(30, 40, seed).astype(np.float64) for seed in (1, 2))
    visible = np.zeros((30, 40))
    visible[5:20, 10:] = 0.5
    made = match_colors(image, reference, method, visible, visible)
    inside = (slice(5, 20), slice(10, None))
    np.testing.assert_allclose(made[inside], match_colors(image[inside], reference[inside], method), atol=1e-9)


def test_the_two_methods_are_their_formulas() -> None:
    image, reference = (picture(30, 40, seed).astype(np.float64) for seed in (1, 2))
    own, aim = (np.cov(x.reshape(-1, 3).T, bias=True) for x in (image, reference))
    centred = image - image.mean((0, 1))
    by_cholesky = centred @ (np.linalg.cholesky(aim) @ np.linalg.inv(np.linalg.cholesky(own))).T
    np.testing.assert_allclose(
        match_colors(image, reference, "cholesky"), by_cholesky + reference.mean((0, 1)), atol=1e-6
    )
    from scipy.linalg import sqrtm

    by_roots = centred @ (sqrtm(aim) @ np.linalg.inv(sqrtm(own))).T
    np.testing.assert_allclose(match_colors(image, reference), by_roots + reference.mean((0, 1)), atol=1e-6)


FLAT = np.full((16, 16, 3), [10.0, 200.0, 90.0])
GREY = picture(16, 16, 3).astype(np.float64)[..., :1].repeat(3, axis=2)
POOR = {
    "flat": FLAT,
    "grey": GREY,
    "black": FLAT * 0,
    "white": FLAT * 0 + 255,
    "colours": picture(16, 16).astype(float),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("image", POOR.values(), ids=POOR)
@pytest.mark.parametrize("reference", POOR.values(), ids=POOR)
def test_poor_pictures_are_matched_too(method: str, image: np.ndarray, reference: np.ndarray) -> None:
    made = match_colors(image, reference, method)
    assert np.isfinite(made).all()
    np.testing.assert_allclose(made.mean((0, 1)), reference.mean((0, 1)), atol=1e-6)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("image", POOR.values(), ids=POOR)
@pytest.mark.parametrize("other", POOR.values(), ids=POOR)
def test_poor_pictures_have_luminance_too(space: str, image: np.ndarray, other: np.ndarray) -> None:
    for made in (*luminance_pair(image, other, space), transfer_luminance(image, other, space)):
        assert np.isfinite(made).all()
        assert made.min() >= 0
        assert made.max() <= 255


@pytest.mark.parametrize("method", METHODS)
def test_the_noise_of_a_grey_picture_is_not_stretched_to_colours(method: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.5, GREY.shape)
    quiet, noisy = (match_colors(x, picture(16, 16), method) for x in (GREY, GREY + noise))
    assert np.abs(noisy - quiet).std() < 0.5 * picture(16, 16).std()


@pytest.mark.parametrize("method", METHODS)
def test_single_precision_stays(method: str) -> None:
    assert match_colors(picture(8, 8, 1), picture(8, 8, 2), method).dtype == np.float32
    for space in SPACES:
        assert transfer_luminance(picture(8, 8, 1), picture(8, 8, 2), space).dtype == np.float32
        assert [grey.dtype for grey in luminance_pair(picture(8, 8, 1), picture(8, 8, 2), space)] == [np.float32] * 2


def test_what_is_unknown_or_does_not_fit_is_refused_in_one_line() -> None:
    image = picture(8, 8)
    with pytest.raises(RecipeError, match="colour method 'pcb': known are pca, cholesky"):
        match_colors(image, image, "pcb")
    for call in (lambda: luminance(image, "hsv"), lambda: with_colors_of(image[..., 0], image, "hsv")):
        with pytest.raises(RecipeError, match="colour space 'hsv': known are lab, linear, yuv"):
            call()
    with pytest.raises(ImageError, match="all transparent"):
        match_colors(image, image, image_weights=np.zeros((8, 8)))
    with pytest.raises(ImageError, match=r"expected \(8, 8\), got \(8, 9\)"):
        match_colors(image, image, image_weights=np.ones((8, 9)))
    with pytest.raises(ImageError, match=r"\(8, 8, 3\), got \(9, 8, 3\)"):
        transfer_luminance(image, picture(9, 8))
