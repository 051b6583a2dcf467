"""style/targets.py: compared with is the mean of the styles' statistics, by share, in each region they have."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from minstyle.errors import ImageError, RecipeError
from minstyle.network.vgg import TORCHVISION_UNIT, Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import IMAGE, Term
from minstyle.style.features import Areas, read_features, unit_of
from minstyle.style.histogram import quantiles
from minstyle.style.objective import build_objective
from minstyle.style.regions import Regions
from minstyle.style.targets import content_targets, style_targets
from tests.support.small import picture

LAYER = "block2_conv1"
STYLES = [picture(32, 48, 1).astype(np.float64), picture(40, 36, 2).astype(np.float64)]


def recipe(*kinds: str, layer: str = LAYER, **changes: Any) -> Recipe:
    return Recipe("r", tuple(Term(kind, layer) for kind in kinds), **changes)


def targets(chosen: Recipe, network: Network, styles: Any = STYLES, regions: Regions | None = None) -> list[Any]:
    """The targets of each term, by region."""
    return list(style_targets(styles, chosen.terms, chosen, network, regions).values())


def raw_and_mean(f: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Second raw moment and mean, written out."""
    w = np.full(f.shape[:2], 1 / f[..., 0].size) if weights is None else weights / weights.sum()
    return np.einsum("hw,hwc,hwd->cd", w, f, f), np.einsum("hw,hwc->c", w, f)


def features(network: Network, image: np.ndarray) -> np.ndarray:
    found: np.ndarray = network.features(image, [LAYER])[LAYER]
    return found


@pytest.mark.parametrize(("blend", "shares"), [((), (0.5, 0.5)), ((3, 7), (0.3, 0.7)), ((0.5, 0.5), (0.5, 0.5))])
def test_a_blend_is_the_weighted_mean_of_the_statistics(
    blend: tuple[float, ...], shares: tuple[float, float], tiny_network: Network
) -> None:
    kinds = ("gram_paper", "covariance", "mean_std", "histogram")
    (gram,), ((spread, _),), ((mean, deviation, _),), ((curve, energy),) = targets(
        recipe(*kinds, blend=blend), tiny_network
    )
    maps = [features(tiny_network, style) for style in STYLES]
    raw, middle = (
        sum(share * part for share, part in zip(shares, parts, strict=True))
        for parts in zip(*map(raw_and_mean, maps), strict=True)
    )
    np.testing.assert_allclose(gram, raw, rtol=1e-9)
    np.testing.assert_allclose(mean, middle, rtol=1e-9)
    np.testing.assert_allclose(spread, raw - np.outer(middle, middle), rtol=1e-7)
    np.testing.assert_allclose(deviation**2, np.diag(raw) - middle**2, rtol=1e-7)
    expected = sum(share * quantiles(f) for share, f in zip(shares, maps, strict=True))
    np.testing.assert_allclose(curve, expected, rtol=1e-9)
    assert energy == pytest.approx((expected**2).sum() / len(expected))


@pytest.mark.parametrize("kind", ["gram_code", "covariance", "mean_std", "wasserstein", "histogram"])
def test_a_style_that_does_not_count_is_not_there(kind: str, tiny_network: Network) -> None:
    content, image = picture(32, 32, 3), picture(32, 32, 4)
    both = build_objective(content, STYLES, recipe(kind, blend=(1, 0)), tiny_network)(image)
    alone = build_objective(content, STYLES[:1], recipe(kind), tiny_network)(image)
    assert both[0] == alone[0]
    np.testing.assert_array_equal(both[1], alone[1])


def test_a_style_that_does_not_count_is_not_computed(tiny_network: Network) -> None:
    unusable = np.full((32, 32, 3), np.nan)
    ((target,),) = targets(recipe("gram_paper", blend=(1, 0)), tiny_network, [STYLES[0], unusable])
    assert np.isfinite(target).all()


def test_a_blend_of_other_styles_is_refused(tiny_network: Network) -> None:
    with pytest.raises(RecipeError, match="blend: expected a value for each style, 2 in all, got 3"):
        targets(recipe("gram_paper", blend=(1, 3, 1)), tiny_network)


def test_content_is_the_features_themselves(tiny_network: Network) -> None:
    content = STYLES[0]
    chosen = recipe("content_sum")
    (((target),),) = content_targets(content, chosen.terms, chosen, tiny_network).values()
    np.testing.assert_array_equal(target, features(tiny_network, content))


# Regions


def halves(height: int, width: int, left: bool = True, right: bool = True) -> np.ndarray:
    """Two regions (2, H, W): the left and the right half, each as far as the picture has it."""
    weights = np.zeros((2, height, width), np.float32)
    weights[0, :, : width // 2], weights[1, :, width // 2 :] = left, right
    return weights


def test_each_region_has_the_statistics_of_its_part(tiny_network: Network) -> None:
    regions = Regions(halves(32, 32), (halves(32, 48),), ("left", "right"))
    ((left, right),) = targets(recipe("gram_paper"), tiny_network, STYLES[:1], regions)
    f = features(tiny_network, STYLES[0])
    half = f.shape[1] // 2
    np.testing.assert_allclose(left, raw_and_mean(f[:, :half])[0], rtol=1e-6)
    np.testing.assert_allclose(right, raw_and_mean(f[:, half:])[0], rtol=1e-6)


def test_a_region_that_one_style_has_takes_that_style_alone(tiny_network: Network) -> None:
    regions = Regions(halves(32, 32), (halves(32, 48, right=False), halves(40, 36)), ("left", "right"))
    ((left, right),) = targets(recipe("gram_paper", blend=(1, 3)), tiny_network, STYLES, regions)
    first, second = (features(tiny_network, style) for style in STYLES)
    lefts = [raw_and_mean(f[:, : f.shape[1] // 2])[0] for f in (first, second)]
    np.testing.assert_allclose(left, 0.25 * lefts[0] + 0.75 * lefts[1], rtol=1e-6)
    np.testing.assert_allclose(right, raw_and_mean(second[:, second.shape[1] // 2 :])[0], rtol=1e-6)


def test_a_region_whose_only_style_does_not_count_is_refused(tiny_network: Network) -> None:
    regions = Regions(halves(32, 32), (halves(32, 48), halves(40, 36, right=False)), ("left", "#00ff00"))
    for kind in ("gram_paper", "covariance"):
        with pytest.raises(RecipeError, match=r"region #00ff00: expected a style picture that has it .*\(0, 1\)"):
            targets(recipe(kind, blend=(0, 1)), tiny_network, STYLES, regions)


def test_regions_of_other_styles_are_refused(tiny_network: Network) -> None:
    regions = Regions(halves(32, 32), (halves(32, 48),), ("left", "right"))
    with pytest.raises(ImageError, match="regions: expected those of 2 style pictures, got 1"):
        targets(recipe("gram_paper"), tiny_network, STYLES, regions)


def test_areas_are_shares_of_what_is_seen_and_weights_that_sum_to_one(tiny_network: Network) -> None:
    weights = halves(32, 64)
    weights[0] *= 0.5  # the left half is half transparent
    areas = Areas(weights, ("left", "right"), tiny_network)
    assert areas.shares == pytest.approx([1 / 3, 2 / 3])
    left, right = areas.at((16, 32))
    assert left is not None
    assert right is not None
    assert (left.sum(), right.sum()) == pytest.approx((1, 1))
    np.testing.assert_allclose(left[:, :16], 1 / 256)
    assert left.dtype == np.float64
    assert areas.at((16, 32))[0] is left, "resampled once"
    assert Areas(halves(32, 64, right=False), ("left", "right"), tiny_network).at((4, 8))[1] is None


# What the network sees


def test_the_unit_of_features_and_image(tiny_weights: Weights) -> None:
    for std in (1.0, 50.0):
        network = Network(dataclasses.replace(tiny_weights, std=(std,) * 3))
        caffe, torchvision = (recipe("gram_paper", units=units) for units in ("caffe", "torchvision"))
        assert unit_of(LAYER, network, caffe) == pytest.approx(std)
        assert unit_of(LAYER, network, torchvision) == pytest.approx(std / TORCHVISION_UNIT)
        assert unit_of(IMAGE, network, caffe) == 1
        assert unit_of(IMAGE, network, torchvision) == pytest.approx(1 / 255)


def test_the_image_comes_first_as_white_as_the_recipe_says(tiny_network: Network) -> None:
    image = STYLES[0]
    for white in (255.0, 256.0, 100.0):
        first, second = read_features(tiny_network, image, [LAYER], recipe("gram_paper", white=white))
        assert (first.layer, second.layer) == (IMAGE, LAYER)
        np.testing.assert_allclose(first.whole.map, image * (white / 255), rtol=1e-12)
        np.testing.assert_allclose(
            second.whole.map, features(tiny_network, image * (white / 255)), rtol=1e-9, atol=1e-9
        )
