"""The default recipe on plain ground: no specks, no colours of its own, no patterns of the network's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minstyle import load_network
from minstyle.images import load_image
from minstyle.recipe.presets import RECIPES
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


@pytest.mark.parametrize("ground", [255.0, 0.0])
def test_white_and_black_ground_have_no_specks(ground: float) -> None:
    """Single pixels of colour there are less than those of the painting (0.7 of them, with bounds=smooth 1.2)."""
    content, painting = product(ground), load_image("examples/swirls.jpg")
    seen = Pictures.of(content, [painting], ONE_SIZE).at((SIZE, SIZE)).styles[0]
    found = stylize(content, [painting], ONE_SIZE, network=load_network("mini")).image
    assert chroma_detail(found[: SIZE // 4]) < 0.95 * chroma_detail(seen)
