"""The default recipe on plain ground: no specks, no colours of its own, no patterns of the network's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minstyle import load_network
from minstyle.images import load_image
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.pictures import Pictures
from minstyle.run.stylize import stylize

SIZE = 64
ONE_SIZE = dataclasses.replace(RECIPES["fine"], sizes=(SIZE,), scales=1, evaluations=(20,))


def chroma_detail(image: np.ndarray) -> float:
    """The mean size of what red minus green has beyond the mean of its four neighbours: single pixels of colour."""
    d = image[..., 0] - image[..., 1]
    around = (d[:-2, 1:-1] + d[2:, 1:-1] + d[1:-1, :-2] + d[1:-1, 2:]) / 4
    return float(np.abs(d[1:-1, 1:-1] - around).mean())


def product(ground: float) -> np.ndarray:
    """A blue square before ground of one level of grey."""
    image = np.full((SIZE, SIZE, 3), ground)
    image[SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4] = (60, 90, 150)
    return image


def detail_of_ground(ground: float, recipe: Recipe, photographs: int) -> float:
    """That of the painted ground, as a part of the painting's own: the mean of photographs that differ by rounding.

    Of a single one it differs from machine to machine by a tenth and more, as rounding does.
    """
    painting, found = load_image("examples/swirls.jpg"), []
    for seed in range(photographs):
        content = product(ground) + np.random.default_rng(seed).normal(0, 1e-3, (SIZE, SIZE, 3))
        content = content.clip(0, 255)
        seen = Pictures.of(content, [painting], recipe).at((SIZE, SIZE)).styles[0]
        image = stylize(content, [painting], recipe, network=load_network("mini")).image
        found.append(chroma_detail(image[: SIZE // 4]) / chroma_detail(seen))
    return float(np.mean(found))


@pytest.mark.parametrize("ground", [255.0, 0.0])
def test_white_and_black_ground_have_no_specks(ground: float) -> None:
    """Single pixels of colour there are less than those of the painting (0.4 of them on white, 0.6 on black), and far
    less than with bounds=smooth (1.2, 1.0)."""
    found = detail_of_ground(ground, ONE_SIZE, 5)
    assert found < 0.95
    assert found < 0.85 * detail_of_ground(ground, dataclasses.replace(ONE_SIZE, bounds="smooth"), 2)


@pytest.mark.parametrize(("name", "evaluations", "most"), [("fine", 30, 1.0), ("gram", 10, 1.4)])
def test_a_small_style_is_no_frame(name: str, evaluations: int, most: float) -> None:
    """A painting a quarter as large on even grey: as much colour at the edges as within (``gram``, alone: twice)."""
    recipe = dataclasses.replace(RECIPES[name], sizes=(128,), scales=1, evaluations=(evaluations,), style_scale=(0.25,))
    painting = load_image("examples/glass.jpg")
    colour = np.ptp(stylize(np.full((96, 128, 3), 128.0), [painting], recipe, network=load_network("mini")).image, 2)
    edges = np.ones(colour.shape, bool)
    edges[8:-8, 8:-8] = False
    assert colour[edges].mean() < most * colour[~edges].mean()


def test_grey_pictures_make_a_grey_one() -> None:
    recipe = dataclasses.replace(ONE_SIZE, sizes=(SIZE,), evaluations=(2,))
    grey = load_image("examples/swirls.jpg").mean(axis=2, keepdims=True).repeat(3, axis=2)
    faint = (0.9 * grey + 10) * (1.01, 1, 0.99)  # as compression may leave it

    def colour(content: np.ndarray, style: np.ndarray, color: str = "auto") -> float:
        chosen = dataclasses.replace(recipe, color=color)
        return float(np.ptp(stylize(content, [style], chosen, network=load_network("mini")).image, axis=2).max())

    assert colour(grey, faint) < 1e-3
    assert colour(grey, faint, "style") > 1
    assert colour(grey, load_image("examples/swirls.jpg")) > 1
    assert colour(load_image("examples/cat.jpg"), grey) > 1
