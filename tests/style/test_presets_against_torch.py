"""The recipes of the known programs against those programs' own formulas, computed by PyTorch (tools/torch_twin)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minstyle.backend import CPU
from minstyle.network.layers import CHANNELS
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.style.objective import build_objective
from tests.support.small import picture, random_weights

torch = pytest.importorskip("torch")
from torch_twin.crowson import CrowsonIterated  # noqa: E402 (only where PyTorch is)
from torch_twin.programs import TWINS  # noqa: E402

PRESETS = [name for name in TWINS if name not in ("document", "gatys")]  # those are in test_against_torch.py
Sizes = tuple[tuple[int, int], tuple[int, int]]
# Rows and columns of content and image, and of the style where the program keeps its shape.
EVEN: Sizes = ((48, 64), (64, 48))
ODD: Sizes = ((53, 71), (45, 64))
SMALL: Sizes = ((32, 48), (48, 40))

Wide = tuple[Weights, Network, Network]
LIMITS = (1e-10, 1e-8)  # of the relative differences of loss and gradient in float64
# In float32 the gradient is another one where an activation is 0 but for rounding.
SINGLE_LIMITS = (2e-5, 5e-3)


def relative(a: Any, b: Any) -> float:
    return float(np.linalg.norm(np.ravel(a) - np.ravel(b)) / np.linalg.norm(np.ravel(b)))


def image_of(size: tuple[int, int], seed: int) -> np.ndarray:
    return picture(*size, seed).astype(np.float64)


def pictures(recipe: Recipe, sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    size, style = sizes
    return image_of(size, 1), image_of(size if recipe.style_fit == "stretch" else style, 2)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """For matrices this small, threads that wait for one another take longer, on a busy machine many times as long."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def tiny_torchvision(tiny_weights: Weights) -> Weights:
    """The tiny network for images of 0..1 with their deviations divided out, RGB, as torchvision's are."""
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    return dataclasses.replace(tiny_weights, mean=mean, std=std, channel_order="RGB")


@pytest.mark.parametrize("sizes", [EVEN, ODD], ids=str)
@pytest.mark.parametrize("network", ["tiny_weights", "tiny_torchvision"])
@pytest.mark.parametrize("preset", PRESETS)
def test_loss_and_gradient_are_the_programs(
    preset: str, network: str, sizes: Sizes, request: pytest.FixtureRequest
) -> None:
    recipe, weights = RECIPES[preset], request.getfixturevalue(network)
    content, style = pictures(recipe, sizes)
    image = image_of(sizes[0], 3)
    expected = TWINS[preset](weights, content, [style])(image)
    found = build_objective(content, [style], recipe, Network(weights, CPU, np.float64))(image)
    assert relative(found[0], expected[0]) < LIMITS[0]
    assert relative(found[1], expected[1]) < LIMITS[1]


@pytest.fixture(scope="module", params=["real", "random"])
def wide(request: pytest.FixtureRequest) -> Wide:
    """The real VGG19, or a random VGG16 as far as the recipes look: weights, network in float64 and in float32."""
    random = request.param == "random"
    weights = random_weights("vgg16", CHANNELS, through=12) if random else request.getfixturevalue("real_weights")
    return weights, Network(weights, CPU, np.float64), Network(weights, CPU, np.float32)


@pytest.mark.parametrize("preset", PRESETS)
def test_at_full_width(preset: str, wide: Wide) -> None:
    recipe, (weights, *networks) = RECIPES[preset], wide
    content, style = pictures(recipe, SMALL)
    image = image_of(SMALL[0], 3)
    expected = TWINS[preset](weights, content, [style])(image)
    for network, limits in zip(networks, (LIMITS, SINGLE_LIMITS), strict=True):
        found = build_objective(content, [style], recipe, network)(image)
        print(preset, weights.network, network.dtype, *(relative(a, b) for a, b in zip(found, expected, strict=True)))
        assert relative(found[0], expected[0]) < limits[0]
        assert relative(found[1], expected[1]) < limits[1]


def changed(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    """The recipe with each number that makes its loss changed: weights by a tenth, choices to another."""
    for field in ("content_weight", "style_weight", "tv_weight"):
        value = getattr(recipe, field)
        if value:
            yield field, dataclasses.replace(recipe, **{field: 1.1 * value})
    for i, term in enumerate(recipe.terms):
        if recipe.effective_weight(term):
            other = dataclasses.replace(term, weight=1.1 * term.weight)
            terms = (*recipe.terms[:i], other, *recipe.terms[i + 1 :])
            yield term.name, dataclasses.replace(recipe, terms=terms)
    yield "white", dataclasses.replace(recipe, white=recipe.white + 1)
    yield "pooling", dataclasses.replace(recipe, pooling="average")
    yield "padding", dataclasses.replace(recipe, padding="reflect")
    units = "caffe" if recipe.units == "torchvision" else "torchvision"
    yield "units", dataclasses.replace(recipe, units=units)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_number_counts(preset: str, tiny_weights: Weights) -> None:
    """A recipe with any of its numbers changed is found not to be the program's."""
    recipe, network = RECIPES[preset], Network(tiny_weights, CPU, np.float64)
    content, style = pictures(recipe, SMALL)
    image = image_of(SMALL[0], 3)
    loss, gradient = TWINS[preset](tiny_weights, content, [style])(image)
    for name, other in changed(recipe):
        found = build_objective(content, [style], other, network)(image)
        assert relative(found[0], loss) > 10 * LIMITS[0], name
        assert relative(found[1], gradient) > 10 * LIMITS[1], name


def blended(preset: str, weights: Weights) -> tuple[Any, Any]:
    """(objective, twin) of two styles of different shapes, 3 to 7."""
    content, *styles = (image_of(size, seed) for seed, size in enumerate([(48, 64), (64, 48), (45, 53)]))
    recipe = dataclasses.replace(RECIPES[preset], blend=(3, 7))
    objective = build_objective(content, styles, recipe, Network(weights, CPU, np.float64))
    return objective, TWINS[preset](weights, content, styles, blend=(3, 7))


@pytest.mark.parametrize("preset", ["johnson", "crowson", "fine"])
def test_styles_are_blended_as_in_the_program(preset: str, tiny_torchvision: Weights) -> None:
    objective, twin = blended(preset, tiny_torchvision)
    image = image_of(EVEN[0], 3)
    (loss, gradient), expected = objective(image), twin(image)
    assert relative(loss, expected[0]) < LIMITS[0]
    assert relative(gradient, expected[1]) < LIMITS[1]


def test_a_loss_for_each_style_has_the_same_gradient(tiny_weights: Weights) -> None:
    """Athalye's program compares with each style by itself: that adds to the loss how far the styles are apart."""
    objective, twin = blended("athalye", tiny_weights)
    apart = []
    for seed in (3, 4):
        image = image_of(EVEN[0], seed)
        (loss, gradient), expected = objective(image), twin(image)
        assert relative(gradient, expected[1]) < LIMITS[1]
        assert expected[0] > 1.001 * loss
        apart.append(expected[0] - loss)
    assert apart[0] == pytest.approx(apart[1], rel=1e-8)


def test_the_programs_own_square_root(real_weights: Weights, capsys: pytest.CaptureFixture[str]) -> None:
    """Crowson's program takes 12 steps of an iteration for the square root, ours is exact. So far apart are the two."""
    recipe = RECIPES["crowson"]
    content, style = pictures(recipe, SMALL)
    image = image_of(SMALL[0], 3)
    exact = build_objective(content, [style], recipe, Network(real_weights, CPU, np.float64))(image)
    iterated = CrowsonIterated(real_weights, content, [style])(image)
    loss, gradient = (relative(a, b) for a, b in zip(iterated, exact, strict=True))
    with capsys.disabled():
        print(f"\n  crowson with 12 steps for the root: loss {loss:.1e}, gradient {gradient:.1e} off", end="")
    assert 1e-4 < loss < 0.1
    assert 1e-4 < gradient < 0.2
