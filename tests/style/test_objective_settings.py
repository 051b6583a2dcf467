"""style/objective.py: what each setting of the network's use does to loss and gradient, and terms side by side."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from minstyle import build_objective, check_vjp
from minstyle.network.vgg import TORCHVISION_UNIT, Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import IMAGE, ROLES, Term
from minstyle.style.features import Features
from minstyle.style.losses import LOSSES
from minstyle.style.regions import Regions
from tests.support.objectives import as_op
from tests.support.small import picture

CONTENT, STYLE, X = (picture(32, 40, seed).astype(np.float64) for seed in (1, 2, 3))
ADAM = {"optimizer": "adam", "gradients": "unit"}
ALONE = {"content_weight": 1.0, "style_weight": 1.0, "tv_weight": 1.0}


def recipe(*terms: Term, **changes: Any) -> Recipe:
    return Recipe("r", terms, **{**ALONE, **changes})


def evaluate(chosen: Recipe, network: Network, scale: float = 1.0, **given: Any) -> tuple[float, np.ndarray]:
    return build_objective(scale * CONTENT, [scale * STYLE], chosen, network, **given)(scale * X)


CONTENT_TERM, GRAM_TERM = Term("content_mean", "block3_conv2"), Term("gram_code", "block2_conv1")


@pytest.mark.parametrize("settings", [
    {"pooling": "max"}, {"pooling": "average"}, {"pooling": "l2"}, {"pooling": "max", "pooling_factor": 1.5},
    {"pooling": "average", "pooling_factor": 1.0}, {"padding": "replicate"}, {"padding": "reflect"}, {"white": 256.0},
], ids=str)  # fmt: skip
def test_both_sides_of_a_comparison_are_computed_as_the_recipe_says(
    settings: dict[str, Any], tiny_network: Network
) -> None:
    how = {name: value for name, value in settings.items() if name != "white"}
    white = settings.get("white", 255.0) / 255

    def features(image: np.ndarray, layer: str) -> np.ndarray:
        found: np.ndarray = tiny_network.features(white * image, [layer], **how)[layer]
        return found

    f, p = (features(image, "block3_conv2") for image in (X, CONTENT))
    loss, _ = evaluate(recipe(CONTENT_TERM, **settings), tiny_network)
    assert loss == pytest.approx(((f - p) ** 2).mean(), rel=1e-9)
    f, p = (features(image, "block2_conv1").reshape(-1, 6) for image in (X, STYLE))
    loss, _ = evaluate(recipe(GRAM_TERM, **settings), tiny_network)
    assert loss == pytest.approx((((f.T @ f - p.T @ p) / len(f)) ** 2).mean(), rel=1e-9)
    plain, _ = evaluate(recipe(GRAM_TERM), tiny_network)
    assert loss != pytest.approx(plain, rel=1e-6) or settings == {"pooling": "max"}


def test_the_pictures_edge_alone_sees_the_padding(tiny_network: Network) -> None:
    layers = ["block1_conv1"]
    zero, copied = (tiny_network.features(X, layers, padding=p)[layers[0]] for p in ("zero", "replicate"))
    np.testing.assert_allclose(zero[1:-1, 1:-1], copied[1:-1, 1:-1], rtol=1e-12, atol=1e-9)
    term = Term("content_sum", "block1_conv1")
    gradients = [evaluate(recipe(term, padding=padding), tiny_network)[1] for padding in ("zero", "replicate")]
    away = np.abs(gradients[0] - gradients[1]).max(axis=2)
    assert away[2:-2, 2:-2].max() < 1e-6 * away.max()


def test_white_scales_the_picture_for_network_and_variation(tiny_network: Network) -> None:
    terms = (CONTENT_TERM, GRAM_TERM, Term("tv_squared", IMAGE))
    loss, gradient = evaluate(recipe(*terms, white=510.0), tiny_network)
    doubled, at_double = evaluate(recipe(*terms), tiny_network, scale=2.0)
    assert loss == pytest.approx(doubled, rel=1e-12)
    np.testing.assert_allclose(gradient, 2 * at_double, rtol=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in ROLES if kind != "wasserstein"])
def test_units_scale_a_loss_by_its_degree(kind: str, tiny_network: Network) -> None:
    """Wasserstein's has a number of its own in these units: see test_a_term_means_the_same_on_a_network_in_others."""
    for layer, unit in (("block2_conv1", 1 / TORCHVISION_UNIT), (IMAGE, 1 / 255)):
        caffe, torchvision = (
            evaluate(recipe(Term(kind, layer), units=units), tiny_network)[0] for units in ("caffe", "torchvision")
        )
        assert torchvision == pytest.approx(unit ** LOSSES[kind].degree * caffe, rel=1e-9)


# Terms side by side


def test_terms_add_up_also_at_one_layer_and_of_one_kind(tiny_network: Network) -> None:
    terms = (
        Term("gram_code", "block2_conv1", 2.0),
        Term("covariance", "block2_conv1"),
        Term("content_mean", "block2_conv1"),
        Term("gram_code", "conv2_1", 3.0),  # the same layer by its other name
        Term("covariance", "block2_conv1"),  # the very same again
        Term("histogram", IMAGE),
        Term("tv_mean", IMAGE),
    )
    objective = build_objective(CONTENT, [STYLE], recipe(*terms), tiny_network)
    evaluation = objective.evaluate(X)
    alone = [evaluate(recipe(term), tiny_network) for term in terms]
    assert evaluation.loss == pytest.approx(sum(loss for loss, _ in alone), rel=1e-12)
    np.testing.assert_allclose(evaluation.gradient, sum(g for _, g in alone), rtol=1e-7, atol=1e-12)
    gram, covariance = (evaluation.terms[f"{kind} block2_conv1"] for kind in ("gram_code", "covariance"))
    assert gram == pytest.approx(alone[0][0] + alone[3][0], rel=1e-12)
    assert covariance == pytest.approx(2 * alone[1][0], rel=1e-12)
    assert sum(evaluation.terms.values()) == pytest.approx(evaluation.loss, rel=1e-12)


FLAT = np.full((32, 40, 3), 90.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", ["block1_conv1", "block5_conv1", IMAGE])
@pytest.mark.parametrize("kind", list(ROLES))
def test_flat_pictures_have_a_loss_and_a_gradient(kind: str, layer: str, dtype: Any, tiny_weights: Weights) -> None:
    network = Network(tiny_weights, dtype=dtype)
    for style, image in ((FLAT, X), (0 * FLAT, X), (STYLE, FLAT), (FLAT, FLAT), (0 * FLAT, 0 * FLAT)):
        objective = build_objective(style, [style], recipe(Term(kind, layer), padding="replicate"), network)
        loss, gradient = objective(image)
        assert np.isfinite(loss)
        assert np.isfinite(gradient).all()
        assert abs(loss) < 1e12


# Gradients brought to one size


def halves() -> Regions:
    weights = np.zeros((2, 32, 40), np.float32)
    weights[0, :, :10], weights[1, :, 10:] = 1, 1
    return Regions(weights, (weights,), ("left", "right"))


@pytest.mark.parametrize("kind", ["content_sum", "content_mean", "content_half"])
@pytest.mark.parametrize("weight", [1.0, 1e-3, 1e5])
def test_a_unit_gradient_has_the_weight_for_its_norm(kind: str, weight: float, tiny_network: Network) -> None:
    """By hand: the plain gradient, over the sum of absolute values of its derivative by the features."""
    layer = "block3_conv2"
    _, plain = evaluate(recipe(Term("content_sum", layer)), tiny_network)
    f, p = (tiny_network.features(image, [layer])[layer] for image in (X, CONTENT))
    expected = weight * plain / np.abs(2 * (f - p)).sum()
    for own, role in ((weight, 1.0), (1.0, weight)):  # the term's weight or its role's
        _, gradient = evaluate(recipe(Term(kind, layer, own), content_weight=role, **ADAM), tiny_network)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-12 * np.abs(expected).max())


def test_unit_gradients_of_several_terms_add_up(tiny_network: Network) -> None:
    terms = (CONTENT_TERM, GRAM_TERM, Term("covariance", "block2_conv1", 5.0), Term("histogram", IMAGE, 0.5))
    _, together = evaluate(recipe(*terms, **ADAM), tiny_network)
    alone = [evaluate(recipe(term, **ADAM), tiny_network)[1] for term in terms]
    np.testing.assert_allclose(together, sum(alone), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("regions", [None, halves()], ids=["whole", "regions"])
@pytest.mark.parametrize("kind", ["gram_code", "covariance", "histogram"])
def test_a_term_moves_the_picture_by_its_weight_in_however_many_regions(
    kind: str, regions: Regions | None, tiny_network: Network
) -> None:
    _, gradient = evaluate(recipe(Term(kind, IMAGE, 3.0), **ADAM), tiny_network, regions=regions)
    assert np.abs(gradient).sum() == pytest.approx(3.0, rel=1e-6)


def test_the_variation_keeps_its_own_gradient(tiny_network: Network) -> None:
    term = Term("tv_squared", IMAGE)
    (_, unit), (_, plain) = (evaluate(recipe(term, **given), tiny_network) for given in (ADAM, {}))
    np.testing.assert_array_equal(unit, plain)


def test_unit_gradients_do_not_change_the_loss(tiny_network: Network) -> None:
    losses = [evaluate(recipe(CONTENT_TERM, GRAM_TERM, **given), tiny_network)[0] for given in (ADAM, {})]
    assert losses[0] == losses[1]


def test_unit_gradients_are_the_same_on_a_network_in_other_units(tiny_weights: Weights) -> None:
    layers = {name: (kernel, bias / 50) for name, (kernel, bias) in tiny_weights.layers.items()}
    small = dataclasses.replace(tiny_weights, std=(50.0,) * 3, layers=layers)
    chosen = recipe(CONTENT_TERM, GRAM_TERM, Term("gram_code", IMAGE), **ADAM)
    one, other = (evaluate(chosen, Network(weights, dtype=np.float64))[1] for weights in (tiny_weights, small))
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6 * np.abs(one).max())


# Regions


@pytest.mark.parametrize("kind", ["gram_image", "gram_code", "covariance", "wasserstein"])
def test_two_regions_are_the_shares_of_two_losses(kind: str, tiny_network: Network) -> None:
    """A half of the content is compared with the first style, the other half with the second, by hand."""
    content, x, styles = picture(32, 64, 1), picture(32, 64, 3).astype(np.float64), [STYLE, picture(40, 36, 5)]
    masks = np.zeros((2, 32, 64), np.float32)
    masks[0, :, :16], masks[1, :, 16:] = 1, 1
    everywhere = [np.zeros((2, *style.shape[:2]), np.float32) for style in styles]
    for r, weights in enumerate(everywhere):
        weights[r] = 1
    regions = Regions(masks, tuple(everywhere), ("quarter", "rest"))
    layer = "block2_conv1"
    chosen = recipe(Term(kind, layer))
    loss, _ = build_objective(content, styles, chosen, tiny_network, regions)(x)
    f = tiny_network.features(x, [layer])[layer]
    entry, expected = LOSSES[kind], 0.0
    for style, part, share in ((styles[0], f[:, :8], 0.25), (styles[1], f[:, 8:], 0.75)):
        own = tiny_network.features(style.astype(np.float64), [layer])[layer]
        target = entry.target(*entry.statistic(Features(own)), unit=1.0)
        # The Keras program's loss counts positions: here all of the picture's.
        counted = 1.0 if kind != "gram_image" else (f[..., 0].size / part[..., 0].size) ** 2
        expected += share * counted * float(entry.loss(Features(part), target, (32, 64)))
    assert loss == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("given", [{}, {"padding": "replicate", "pooling": "average"}], ids=str)
@pytest.mark.parametrize("kind", ["gram_image", "gram_relative", "covariance", "mean_std", "wasserstein", "histogram"])
def test_gradients_with_regions(kind: str, given: dict[str, Any], tiny_network: Network) -> None:
    feathered = np.linspace(0, 1, 40)[None, :].repeat(32, axis=0).astype(np.float32)
    weights = np.stack([feathered, 1 - feathered])
    regions = Regions(weights, (weights,), ("left", "right"))
    terms = (*(Term(kind, at) for at in ("block1_conv1", "block3_conv1", IMAGE)), Term("content_mean", "block2_conv1"))
    objective = build_objective(CONTENT, [STYLE], recipe(*terms, **given), tiny_network, regions)
    check_vjp(as_op(objective), [X], step=1e-8, tolerance=1e-5)


def test_one_region_of_everything_is_no_region(tiny_network: Network) -> None:
    ones = np.ones((1, 32, 40), np.float32)
    chosen = recipe(CONTENT_TERM, GRAM_TERM, Term("histogram", IMAGE))
    (loss, gradient), (plain, expected) = (
        evaluate(chosen, tiny_network, regions=regions) for regions in (Regions(ones, (ones,), ("picture",)), None)
    )
    assert loss == pytest.approx(plain, rel=1e-9)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-9 * np.abs(expected).max())


def half_hidden(width: int) -> np.ndarray:
    weights = np.zeros((1, 32, width), np.float32)
    weights[:, :, : width // 2] = 1
    return weights


@pytest.mark.parametrize("kind", ["gram_code", "covariance", "mean_std", "wasserstein", "histogram"])
@pytest.mark.parametrize(("layer", "reach"), [(IMAGE, 0), ("block1_conv1", 1), ("block2_conv1", 6)])
def test_hidden_pixels_have_no_part_in_the_style(kind: str, layer: str, reach: int, tiny_network: Network) -> None:
    """Neither those of the style picture nor those of the image, as far as the layer does not see across the edge."""
    regions = Regions(half_hidden(64), (half_hidden(64),), ("picture",))
    style, x = (picture(32, 64, seed).astype(np.float64) for seed in (2, 3))
    chosen = recipe(Term(kind, layer))
    loss, gradient = build_objective(style, [style], chosen, tiny_network, regions)(x)
    assert np.abs(gradient[:, 32 + reach :]).max() == 0
    style[:, 32 + reach :], x[:, 32 + reach :] = 255, 0
    again, same = build_objective(style, [style], chosen, tiny_network, regions)(x)
    assert again == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(same, gradient, rtol=1e-6, atol=1e-12 * np.abs(gradient).max())
