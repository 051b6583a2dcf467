"""style/own_losses.py: a loss that is not ours, in ten lines, counts like one of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minstyle import Features, Recipe, Term, build_objective, check_vjp, register_loss
from minstyle.engine import ops
from minstyle.engine.autodiff import value_of
from minstyle.errors import RecipeError
from minstyle.network.vgg import Network
from minstyle.recipe import terms
from minstyle.run.observer import role_of
from minstyle.run.stylize import stylize
from minstyle.style import losses
from tests.support.small import picture

CONTENT, STYLE, OTHER = (picture(*shape).astype(np.float64) for shape in ((32, 40, 1), (36, 32, 2), (32, 40, 3)))


def five_colours(features: Features) -> np.ndarray:
    """The picture's mean colours from its darkest fifth to its lightest. -> (5, 3)"""
    pixels = value_of(features.map).reshape(-1, 3)
    order = np.argsort(pixels @ [0.299, 0.587, 0.114])
    return np.array([fifth.mean(axis=0) for fifth in np.array_split(pixels[order], 5)])


def palette(features: Features, colours: np.ndarray) -> Any:
    """The mean square distance of each pixel (H, W, 3) to the nearest of the palette's colours (5, 3)."""
    pixels = value_of(features.map)
    nearest = ((pixels[:, :, None] - colours) ** 2).sum(axis=3).argmin(axis=2)
    return ops.squared_error(features.map, colours[nearest]) * (1 / nearest.size)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register_loss("palette", "style", palette, statistic=five_colours)
    yield
    for name in set(losses.LOSSES) - terms.OURS:
        del losses.LOSSES[name], terms._roles[name]


def recipe(*more: Term, **settings: Any) -> Recipe:
    usual = {"sizes": 32, "init": "content", "rounds": 1, "evaluations": 8, "tv_weight": 0.0, "optimizer": "lbfgs"}
    return Recipe("own", (Term("content_mean", "block2_conv1"), *more), **{**usual, **settings})


def test_the_picture_takes_the_palette(tiny_network: Network) -> None:
    found = [stylize(CONTENT, [STYLE], recipe(Term("palette", "image", weight)), network=tiny_network)
             for weight in (0.0, 1.0)]  # fmt: skip
    colours = five_colours(Features(STYLE))
    plain, own = (float(palette(Features(result.image), colours)) for result in found)
    assert own < 0.5 * plain
    assert "palette" in found[1].history[0].terms
    assert role_of("palette") == "style"


def test_its_gradient_is_that_of_the_formula(tiny_network: Network) -> None:
    objective = build_objective(CONTENT, [STYLE], recipe(Term("palette", "image", 2.0), content_weight=0), tiny_network)
    loss, gradient = objective(CONTENT)
    colours = five_colours(Features(STYLE))
    assert loss == pytest.approx(2 * float(palette(Features(CONTENT), colours)))
    nearest = ((CONTENT[:, :, None] - colours) ** 2).sum(axis=3).argmin(axis=2)
    np.testing.assert_allclose(gradient, 4 * (CONTENT - colours[nearest]) / nearest.size, atol=1e-12)
    check_vjp(lambda x: palette(Features(x), colours), (CONTENT,))


def test_without_a_statistic_features_are_compared(tiny_network: Network) -> None:
    def mean(features: Features, target: np.ndarray) -> Any:
        return ops.squared_error(features.map if target.ndim == 3 else features.raw, target)

    register_loss("own_content", "content", mean)
    register_loss("own_style", "style", mean, target=lambda raw: 2 * raw)
    register_loss("own_tv", "tv", lambda features, nothing: ops.total_variation(features.map))
    layer = "block1_conv1"
    own = recipe(Term("own_content", layer), Term("own_style", layer), Term("own_tv", "image"), tv_weight=1.0)
    found = build_objective(CONTENT, [STYLE], own, tiny_network).evaluate(OTHER).terms
    x, p, a = (tiny_network.features(image, [layer])[layer] for image in (OTHER, CONTENT, STYLE))
    raw = [Features(f).raw for f in (x, a)]
    assert found[f"own_content {layer}"] == pytest.approx(own.content_weight * float(((x - p) ** 2).sum()))
    assert found[f"own_style {layer}"] == pytest.approx(float(((raw[0] - 2 * raw[1]) ** 2).sum()))
    assert found["own_tv"] > 0


def test_it_may_be_registered_again_and_ours_may_not() -> None:
    register_loss("palette", "content", palette)
    assert Term("palette", "image").role == "content"
    with pytest.raises(
        RecipeError, match=r"name of a loss: expected a word that is not the name of one of minstyle's .* 'gram_mean'"
    ):
        register_loss("gram_mean", "style", palette)
    with pytest.raises(RecipeError, match="role of own: expected content or style or tv, got 'styles'"):
        register_loss("own", "styles", palette)
    for name in ("two words", "a,b", "a:1", "", "0", "n" * 101):
        with pytest.raises(RecipeError, match="name of a loss"):
            register_loss(name, "style", palette)


def test_a_recipe_with_it_is_json_and_unknown_elsewhere() -> None:
    own = recipe(Term("palette", "image"))
    assert Recipe.from_json(own.to_json()) == own
    with pytest.raises(RecipeError, match=r"'palett': did you mean palette\? .* minstyle.register_loss adds your own"):
        dataclasses.replace(own.terms[0], kind="palett")


def test_an_objective_is_described_in_a_line(tiny_network: Network) -> None:
    objective = build_objective(CONTENT, [STYLE], recipe(Term("palette", "image")), tiny_network)
    assert repr(objective) == f"Objective(40 x 32, recipe own, 2 terms, {tiny_network!r})"
