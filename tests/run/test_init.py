"""run/init.py: each start image has the spectrum, colours and share of noise that its name says, by seed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from minstyle.errors import ImageError, RecipeError
from minstyle.recipe.recipe import NOISES
from minstyle.run.init import STARTS, noise_image, start_image
from tests.support.small import picture

CONTENT, STYLES = picture(40, 60, 1), (picture(50, 30, 2), 0.5 * picture(32, 48, 3))
MEAN = (123.68, 116.779, 103.939)


def start(kind: str, **options: Any) -> np.ndarray:
    return start_image(kind, CONTENT, STYLES, mean_color=MEAN, **options)


def colours(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance, by NumPy itself."""
    pixels = image.reshape(-1, 3).astype(np.float64)
    return pixels.mean(0), np.cov(pixels.T, bias=True)


def slope(image: np.ndarray) -> float:
    """Of the logarithm of power over that of frequency, in rings of frequency of the whole circle."""
    height, width, _ = image.shape
    power = (np.abs(np.fft.fft2(image - image.mean((0, 1)), axes=(0, 1))) ** 2).mean(axis=2)
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    edges = np.geomspace(0.02, 0.5, 12)
    rings = [(f >= low) & (f < high) for low, high in itertools.pairwise(edges)]
    return float(np.polyfit([np.log(f[r]).mean() for r in rings], [np.log(power[r]).mean() for r in rings], 1)[0])


@pytest.mark.parametrize("shape", [(256, 256, 3), (201, 310, 3)])
@pytest.mark.parametrize(("noise", "expected"), [("white", 0), ("pink", -1), ("brown", -2)])
def test_noise_has_the_spectrum_of_its_colour(noise: str, expected: float, shape: tuple[int, ...]) -> None:
    assert slope(noise_image(shape, noise)) == pytest.approx(expected, abs=0.05)


def test_white_noise_is_uniform_by_numpys_generator() -> None:
    expected = np.random.default_rng(7).uniform(0, 255, CONTENT.shape)
    np.testing.assert_array_equal(start("noise", seed=7), expected)


@pytest.mark.parametrize("noise", ["pink", "brown"])
@pytest.mark.parametrize("shape", [(64, 64, 3), (33, 50, 3)])
def test_pink_and_brown_have_mean_and_deviation_of_the_uniform_noise(noise: str, shape: tuple[int, ...]) -> None:
    made = noise_image(shape, noise)
    np.testing.assert_allclose(made.mean((0, 1)), 127.5)
    np.testing.assert_allclose(made.std((0, 1)), 255 / np.sqrt(12))


@pytest.mark.parametrize("noise", NOISES)
def test_the_channels_of_noise_are_independent(noise: str) -> None:
    off = np.corrcoef(noise_image((256, 256, 3), noise).reshape(-1, 3).T) - np.eye(3)
    assert np.abs(off).max() < {"white": 0.02, "pink": 0.1, "brown": 0.7}[noise]  # few waves carry brown noise


@pytest.mark.parametrize("deviation", [0.0, 0.001, 0.256, 20.0])
def test_grey_is_the_mean_colour_and_a_little_noise(deviation: float) -> None:
    away = start("grey", deviation=deviation) - MEAN
    assert away.std() == pytest.approx(deviation, rel=0.03)
    assert np.abs(away.mean((0, 1))).max() <= 0.1 * deviation


def test_the_content_is_itself() -> None:
    np.testing.assert_array_equal(start("content"), CONTENT)


@pytest.mark.parametrize("noise", NOISES)
def test_style_noise_has_the_styles_colours(noise: str) -> None:
    made = start_image("style", CONTENT, STYLES[:1], mean_color=MEAN, noise=noise)
    assert made.shape == CONTENT.shape
    for found, expected in zip(colours(made), colours(STYLES[0]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(("blend", "shares"), [(None, (0.5, 0.5)), ((3, 1), (0.75, 0.25)), ((0, 2), (0, 1))])
def test_the_colours_of_styles_are_blended(blend: Any, shares: Any) -> None:
    each = [colours(style) for style in STYLES]
    for found, first, second in zip(colours(start("style", blend=blend)), *each, strict=True):
        np.testing.assert_allclose(found, shares[0] * first + shares[1] * second, rtol=1e-6, atol=1e-3)


def test_style_noise_has_no_pattern_of_the_style() -> None:
    assert slope(start_image("style", picture(200, 200), STYLES, mean_color=MEAN)) == pytest.approx(0, abs=0.05)


def test_transparent_pixels_of_a_style_do_not_count() -> None:
    spoiled, opacity = STYLES[0].copy(), np.ones(STYLES[0].shape[:2])
    spoiled[:20], opacity[:20] = 255, 0
    made = start_image("style", CONTENT, [spoiled], mean_color=MEAN, opacities=[opacity])
    for found, expected in zip(colours(made), colours(STYLES[0][20:]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("kind", ["content", "grey", "style"])
@pytest.mark.parametrize("mix", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("noise", NOISES)
def test_mix_is_the_share_of_noise(kind: str, mix: float, noise: str) -> None:
    expected = (1 - mix) * start(kind, noise=noise) + mix * start("noise", noise=noise)
    np.testing.assert_allclose(start(kind, mix=mix, noise=noise), expected)


def test_the_noise_that_is_mixed_in_is_not_that_of_the_style_start() -> None:
    style, noise = start("style").ravel(), start("noise").ravel()
    assert abs(np.corrcoef(style, noise)[0, 1]) < 0.05


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", STARTS)
def test_the_seed_decides(kind: str, noise: str) -> None:
    options: Any = {"noise": noise, "mix": 0.5}
    np.testing.assert_array_equal(start(kind, seed=3, **options), start(kind, seed=3, **options))
    assert not np.array_equal(start(kind, seed=3, **options), start(kind, seed=4, **options))


def test_nothing_is_written_into_the_pictures() -> None:
    before = [image.copy() for image in (CONTENT, *STYLES)]
    for kind in STARTS:
        start(kind, mix=0.5)
    for image, copy in zip((CONTENT, *STYLES), before, strict=True):
        np.testing.assert_array_equal(image, copy)


@pytest.mark.parametrize(("options", "words"), [
    ({"kind": "gray"}, "unknown start 'gray': known are noise, content, style, grey"),
    ({"kind": "noise", "noise": "blue"}, "unknown noise 'blue': known are white, pink, brown"),
    ({"kind": "content", "mix": 1.5}, r"mix of noise: expected a part in 0\.\.1, got 1\.5"),
    ({"kind": "content", "mix": float("nan")}, r"mix of noise: expected a part in 0\.\.1, got nan"),
    ({"kind": "grey", "deviation": -1}, "deviation of grey: expected .*, got -1"),
    ({"kind": "style", "blend": (1,)}, r"blend: expected 2 weights from 0, not all 0, got \(1,\)"),
    ({"kind": "style", "blend": (0, 0)}, "blend: expected 2 weights"),
    ({"kind": "style", "blend": (2, -1)}, "blend: expected 2 weights"),
    ({"kind": "style", "opacities": [None]}, "opacities of styles: expected 2, got 1"),
])  # fmt: skip
def test_what_is_unknown_or_out_of_range_is_refused_in_one_line(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        start(**options)
    assert len(str(caught.value).splitlines()) == 1


def test_a_start_from_no_visible_style_is_refused() -> None:
    with pytest.raises(RecipeError, match="at least one style picture"):
        start_image("style", CONTENT, [], mean_color=MEAN)
    with pytest.raises(ImageError, match="all transparent"):
        start("style", opacities=[None, np.zeros((32, 48))])
