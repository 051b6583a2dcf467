"""Objectives: gradients of whole networks in float64, terms, targets, what is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from minstyle import build_objective, check_vjp
from minstyle.errors import LayerError, ShapeError
from minstyle.network.layers import CHANNELS
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import IMAGE, ROLES, Term
from tests.support.objectives import as_op
from tests.support.small import picture, random_weights


@pytest.mark.parametrize("size", [(32, 48), (37, 41)], ids=str)
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize("vgg", ["vgg16", "vgg19"])
def test_gradient_of_a_whole_vgg_objective(vgg: str, name: str, pooling: str, size: tuple[int, int]) -> None:
    network = Network(random_weights(vgg, (4, 6, 8, 10, 10)), dtype=np.float64)
    recipe = dataclasses.replace(RECIPES[name], pooling=pooling)
    content, style, image = (picture(*size, seed).astype(np.float64) for seed in (1, 2, 3))
    objective = build_objective(content, [style], recipe, network)
    # A step so small that it crosses next to no kink of ReLU or max pooling.
    check_vjp(as_op(objective), [image], step=1e-8, tolerance=1e-5)


def test_gradient_of_a_full_width_vgg_with_real_weights(real_weights: Weights) -> None:
    network = Network(real_weights, dtype=np.float64)
    content, style, image = (picture(32, 32, seed).astype(np.float64) for seed in (1, 2, 3))
    objective = build_objective(content, [style], RECIPES["document"], network)
    check_vjp(as_op(objective), [image], step=1e-8, tolerance=1e-5)


@pytest.mark.parametrize("name", list(RECIPES))
def test_terms_add_up_to_the_loss(name: str, tiny_network: Network) -> None:
    recipe = dataclasses.replace(RECIPES[name], tv_weight=0.5)
    objective = build_objective(picture(32, 40, 1), [picture(32, 40, 2)], recipe, tiny_network)
    evaluation = objective.evaluate(picture(32, 40, 3))
    names = [term.name for term in recipe.terms]
    assert list(evaluation.terms) == names + ["out_of_range"] * (recipe.range_weight > 0)
    assert sum(evaluation.terms.values()) == pytest.approx(evaluation.loss, rel=1e-12)
    assert all(value > 0 for name, value in evaluation.terms.items() if name in names)


def test_what_pixels_have_beyond_0_and_255_costs(tiny_network: Network) -> None:
    recipe = dataclasses.replace(RECIPES["document"], range_weight=3.0)
    objective = build_objective(picture(32, 40, 1), [picture(32, 40, 2)], recipe, tiny_network)
    image = picture(32, 40, 3).clip(5, 250)
    assert objective.evaluate(image).terms["out_of_range"] == 0
    image[3, 4, 0], image[7, 8, 2] = 265.0, -20.0
    assert objective.evaluate(image).terms["out_of_range"] == pytest.approx(3 * (10**2 + 20**2) / image.size)


def test_every_weight_scales_its_own_terms(tiny_network: Network) -> None:
    def terms(**weights: float) -> dict[str, float]:
        recipe = dataclasses.replace(RECIPES["document"], **weights)
        objective = build_objective(picture(32, 40, 1), [picture(32, 40, 2)], recipe, tiny_network)
        return objective.evaluate(picture(32, 40, 3)).terms

    plain = terms()
    for role in ("content", "style", "tv"):
        default = getattr(RECIPES["document"], f"{role}_weight")
        for term, value in terms(**{f"{role}_weight": 3 * default}).items():
            served = next(t.role for t in RECIPES["document"].terms if t.name == term)
            assert value == pytest.approx(plain[term] * (3 if served == role else 1), rel=1e-12)


def test_the_content_itself_has_no_content_loss_and_the_style_no_style_loss(tiny_network: Network) -> None:
    content, style = picture(32, 40, 1), picture(32, 40, 2)
    objective = build_objective(content, [style], RECIPES["document"], tiny_network)
    at_content, at_style = objective.evaluate(content).terms, objective.evaluate(style).terms
    assert at_content["content_sum block5_conv2"] == 0
    assert max(value for name, value in at_style.items() if name.startswith("gram")) < 1e-20 * max(at_content.values())


def test_a_style_of_another_size_is_compared_by_its_mean_gram(tiny_network: Network) -> None:
    # One colour everywhere has, away from the borders, the same mean Gram at any size; the plain Gram grows with it.
    recipe = Recipe("r", (Term("gram_paper", "block1_conv1"),))
    content = picture(64, 64, 1)
    flat = np.full((256, 256, 3), 90.0)
    loss_small, _ = build_objective(content, [flat[:128, :128]], recipe, tiny_network)(content)
    loss_large, _ = build_objective(content, [flat], recipe, tiny_network)(content)
    assert loss_small == pytest.approx(loss_large, rel=0.02)


def test_several_styles_count_alike(tiny_network: Network) -> None:
    content, one, two = picture(32, 32, 1), picture(32, 32, 2), picture(48, 40, 3)
    recipe = Recipe("r", (Term("gram_paper", "block2_conv1"),))
    once, _ = build_objective(content, [one, two], recipe, tiny_network)(content)
    again, _ = build_objective(content, [two, one, one, two], recipe, tiny_network)(content)
    alone, _ = build_objective(content, [one], recipe, tiny_network)(content)
    assert once == pytest.approx(again, rel=1e-10)
    assert once != pytest.approx(alone, rel=1e-3)


def test_terms_of_weight_zero_are_not_computed(tiny_weights: Weights) -> None:
    # A network that ends at block3 has no block5_conv2, which is not missed as long as nothing weighs it.
    short = Network(dataclasses.replace(tiny_weights, layers=dict(list(tiny_weights.layers.items())[:5])))
    recipe = Recipe("r", (Term("content_sum", "block5_conv2", 0.0), Term("gram_image", "block3_conv1")))
    objective = build_objective(picture(32, 32), [picture(32, 32, 1)], recipe, short)
    assert list(objective.evaluate(picture(32, 32)).terms) == ["gram_image block3_conv1"]
    with pytest.raises(
        LayerError, match=r"'block5_conv2' of vgg19: these weights end at block3_conv1; for all: .* fetch vgg19"
    ):
        build_objective(picture(32, 32), [picture(32, 32, 1)], RECIPES["document"], short)


def test_layers_by_either_name_are_the_same(tiny_network: Network) -> None:
    content, style, image = (picture(32, 32, seed) for seed in range(3))
    losses = [
        build_objective(content, [style], Recipe("r", (Term("gram_paper", layer),)), tiny_network)(image)[0]
        for layer in ("block2_conv1", "conv2_1", "relu2_1")
    ]
    assert losses[0] == losses[1] == losses[2]


def test_wrong_input_is_named(tiny_network: Network) -> None:
    content, style = picture(32, 40), picture(32, 40, 1)
    objective = build_objective(content, [style], RECIPES["document"], tiny_network)
    with pytest.raises(ShapeError, match=r"\(32, 40, 3\), got \(40, 32, 3\)"):
        objective(picture(40, 32))
    with pytest.raises(ShapeError, match=r"style: .*\(32, 40\)"):
        build_objective(content, [style[:, :, 0]], RECIPES["document"], tiny_network)
    with pytest.raises(ShapeError, match="expected a style picture, got none"):
        build_objective(content, [], RECIPES["document"], tiny_network)
    with pytest.raises(LayerError, match=r"'blok1_conv1' of vgg19: known are block1_conv1"):
        build_objective(content, [style], Recipe("r", (Term("gram_paper", "blok1_conv1"),)), tiny_network)


def test_content_and_variation_alone_need_no_style(tiny_network: Network) -> None:
    recipe = Recipe("r", (Term("content_half", "block2_conv2"), Term("total_variation", IMAGE)), tv_weight=1.0)
    loss, gradient = build_objective(picture(32, 32), [], recipe, tiny_network)(picture(32, 32, 1))
    assert loss > 0
    assert gradient.shape == (32, 32, 3)


@pytest.mark.parametrize("layer", ["block2_conv1", IMAGE])
@pytest.mark.parametrize("kind", list(ROLES))
def test_a_term_means_the_same_on_a_network_in_other_units(kind: str, layer: str, tiny_weights: Weights) -> None:
    # Input divided by 50 and biases by 50 make the same network, whose features are all 50 times smaller.
    unit = 50.0
    layers = {name: (kernel, bias / unit) for name, (kernel, bias) in tiny_weights.layers.items()}
    small = dataclasses.replace(tiny_weights, std=(unit,) * 3, layers=layers)
    recipe = Recipe("r", (Term(kind, layer),), content_weight=1.0, tv_weight=1.0)
    content, style, image = (picture(32, 40, seed) for seed in (1, 2, 3))
    (loss, gradient), (other_loss, other_gradient) = (
        build_objective(content, [style], recipe, Network(weights, dtype=np.float64))(image)
        for weights in (tiny_weights, small)
    )
    assert other_loss == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(other_gradient, gradient, rtol=1e-4, atol=1e-6 * np.abs(gradient).max())


def projected(weights: Weights, coordinates: Callable[[str, int], np.ndarray]) -> Weights:
    """The weights with a projection at every layer that a recipe may read."""
    names = [name for name in weights.layers if name.endswith("conv1") or name in ("block4_conv2", "block5_conv2")]
    projections = {name: coordinates(name, weights.layers[name][1].size) for name in names}
    return dataclasses.replace(weights, projections=projections)


# The tutorial reads features before ReLU, which no small network stands in for.
TURNED = {name: recipe for name, recipe in RECIPES.items() if name != "pytorch-tutorial"}


@pytest.mark.parametrize("recipe", TURNED)
def test_a_turned_basis_of_all_channels_changes_no_loss(recipe: str) -> None:
    def turned(name: str, channels: int) -> np.ndarray:
        return np.linalg.qr(np.random.default_rng(len(name)).standard_normal((channels, channels)))[0]

    weights, pictures = random_weights("vgg16", CHANNELS), [picture(33, 40, seed) for seed in range(3)]
    found = []
    for variant in (weights, projected(weights, turned)):
        objective = build_objective(*pictures[:1], pictures[1:2], TURNED[recipe], Network(variant, dtype=np.float64))
        found.append(objective(pictures[2]))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-9)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-6, atol=1e-9 * np.abs(found[0][1]).max())


def test_a_small_network_is_not_read_where_it_stands_for_nothing() -> None:
    weights = projected(random_weights("vgg16", (2, 3, 2, 3, 2)), lambda name, channels: np.eye(channels))
    content, style = picture(32, 32, 0), picture(32, 32, 1)
    recipe = Recipe("r", (Term("gram_paper", "conv1_1"), Term("content_half", "block3_conv2")), content_weight=1.0)
    message = "stands in for vgg16 at block1_conv1, .*, block5_conv2 only, got layer 'block3_conv2'"
    with pytest.raises(LayerError, match=message):
        build_objective(content, [style], recipe, Network(weights))


def test_channels_that_are_left_out_count_in_the_formula_all_the_same() -> None:
    """A wide network that uses few of its channels, and these channels alone as coordinates: one and the same loss."""
    wide = random_weights("vgg16", CHANNELS)
    used = {name: np.arange(bias.size) < bias.size // 4 for name, (_, bias) in wide.layers.items()}
    silent = {
        name: (kernel * used[name], np.where(used[name], bias, -1e3).astype(np.float32))
        for name, (kernel, bias) in wide.layers.items()
    }
    weights = dataclasses.replace(wide, layers=silent)
    few = projected(weights, lambda name, channels: np.eye(channels)[:, used[name]])
    pictures = [picture(32, 32, seed) for seed in range(3)]
    losses = [
        build_objective(pictures[0], [pictures[1]], RECIPES["gatys"], Network(w, dtype=np.float64))(pictures[2])[0]
        for w in (weights, few)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-10)
