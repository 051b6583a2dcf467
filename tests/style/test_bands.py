"""The objective in bands: what the whole one finds, in a part of the memory, strip by strip and band by band."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minstyle import RECIPES, Objective, Recipe, Term, build_objective, load_network, register_loss
from minstyle.backend import Device
from minstyle.engine import kernels, ops
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe import terms
from minstyle.recipe.terms import IMAGE, ROLES
from minstyle.style import losses
from minstyle.style.features import settings_of
from minstyle.style.regions import Regions
from minstyle.style.strips import Strips, parts_of
from tests.support.memory import peak_memory
from tests.support.small import picture, random_weights


def pictures(*shape: int) -> list[np.ndarray]:
    height, width = shape
    return [picture(*size, seed).astype(np.float64) for seed, size in
            enumerate(((height, width), (height, width), (height + 9, width - 5), (40, 50)), start=1)]  # fmt: skip


def equal(recipe: Recipe, network: Network, shape: tuple[int, int], *, tolerance: float = 1e-12, styles: int = 1,
          regions: Regions | None = None, bands: tuple[int, ...] = (2, 5)) -> None:  # fmt: skip
    """Fails unless the objective in bands is the whole one, term by term."""
    image, content, *others = pictures(*shape)
    whole = build_objective(content, others[:styles], recipe, network, regions).evaluate(image)
    for count in bands:
        found = build_objective(content, others[:styles], recipe, network, regions, bands=count).evaluate(image)
        assert found.loss == pytest.approx(whole.loss, rel=tolerance)
        assert list(found.terms) == list(whole.terms)
        assert found.terms == pytest.approx(whole.terms, rel=100 * tolerance)  # of differences of nearly equal numbers
        distance = np.linalg.norm(found.gradient - whole.gradient)
        assert distance <= tolerance * np.linalg.norm(whole.gradient)
        assert found.largest == pytest.approx(whole.largest, rel=100 * tolerance)


@pytest.mark.parametrize("shape", [(97, 41), (64, 48)], ids=str)
@pytest.mark.parametrize("name", list(RECIPES))
def test_bands_are_the_whole(name: str, shape: tuple[int, int], tiny_network: Network) -> None:
    equal(dataclasses.replace(RECIPES[name], tv_weight=0.5), tiny_network, shape)


@pytest.mark.parametrize("bands", [1, 3, 1000])
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("padding", ["zero", "replicate", "reflect"])
def test_poolings_and_paddings(padding: str, pooling: str, bands: int, tiny_network: Network) -> None:
    recipe = dataclasses.replace(RECIPES["gram"], padding=padding, pooling=pooling)
    equal(recipe, tiny_network, (75, 34), bands=(bands,))


@pytest.mark.parametrize("weights", ["mini", "vgg"])
def test_in_single_precision(weights: str, real_weights: Weights) -> None:
    """The small network with its projections, and the first blocks of the real one, in their full widths."""
    network = load_network("mini") if weights == "mini" else Network(real_weights)
    if weights == "mini":  # the roots of its many tiny eigenvalues make more of a rounding
        equal(RECIPES["fine"], network, (97, 41), tolerance=1e-4, bands=(3,))
    recipe = RECIPES["gram"] if weights == "mini" else Recipe(
        "shallow", (Term("content_mean", "block2_conv2"), Term("gram_mean", "block1_conv1"),
                    Term("covariance", "block3_conv1"), Term("tv_sum", IMAGE)), units="torchvision")  # fmt: skip
    equal(recipe, network, (97, 41), tolerance=1e-5, bands=(3,))


@pytest.mark.parametrize("gradients", ["plain", "unit"])
@pytest.mark.parametrize("masked", [False, True])
def test_every_kind_of_loss_with_several_styles(gradients: str, masked: bool, tiny_network: Network) -> None:
    """Also where a layer has several, at the image itself, before ReLU, and after pooling."""
    layers = ("block1_conv1", "block3_pool", "block2_conv1_linear")
    all_terms = [Term(kind, layer, 1 + i) for kind in ROLES for i, layer in enumerate(layers)]
    own = [Term("gram_mean", IMAGE), Term("histogram", IMAGE), *(Term(k, IMAGE) for k, r in ROLES.items() if r == "tv")]
    recipe = Recipe(
        "all", (*all_terms, *own), gradients=gradients, optimizer="adam", blend=(1, 3), white=256, range_weight=2.0
    )
    regions = None
    if masked:

        def halves(height: int, width: int) -> np.ndarray:
            left = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (height, width))
            return np.stack([left, 1 - left])

        others = (halves(82, 32), halves(40, 50))
        others[1][0] = 0  # the second style has one of the regions
        regions = Regions(halves(73, 37), others, ("left", "right"))
    equal(recipe, tiny_network, (73, 37), styles=2, regions=regions, bands=(4,), tolerance=1e-11)


@pytest.fixture
def own_loss() -> Iterator[None]:
    register_loss("steps", "style", lambda f, target: ops.squared_error(f.raw, target) + ops.mean_variation(f.map))
    yield
    for name in set(losses.LOSSES) - terms.OURS:
        del losses.LOSSES[name], terms._roles[name]


@pytest.mark.usefixtures("own_loss")
def test_a_loss_of_ones_own_reads_what_it_likes(tiny_network: Network) -> None:
    equal(Recipe("own", (Term("steps", "block2_conv2"), Term("gram_mean", "block2_conv2"))), tiny_network, (70, 40))


def objective_of(network: Network, shape: tuple[int, int], bands: int, recipe: Recipe = RECIPES["fine"]) -> Objective:
    _, content, style, _ = pictures(*shape)
    return build_objective(content, [style], recipe, network, bands=bands)


def test_the_same_bits_on_any_number_of_threads(real_weights: Weights) -> None:
    recipe = Recipe("shallow", (Term("content_mean", "block2_conv2"), Term("gram_mean", "block3_conv1")))
    objective = objective_of(Network(real_weights), (70, 60), 3, recipe)
    image, found = picture(70, 60), []
    for count in (1, 3):
        with kernels.use_threads(count):
            found.append(objective.evaluate(image))
    assert found[0].terms == found[1].terms
    assert np.array_equal(found[0].gradient, found[1].gradient)


def test_the_image_stays_as_it_is_and_an_evaluation_can_be_repeated(tiny_network: Network) -> None:
    image, *_ = pictures(64, 40)
    objective, before = objective_of(tiny_network, (64, 40), 4), image.copy()
    first, second = objective.evaluate(image), objective.evaluate(image)
    assert np.array_equal(image, before)
    assert first.loss == second.loss
    assert np.array_equal(first.gradient, second.gradient)
    assert objective.culprit(image) is None
    assert objective.culprit(np.full_like(image, np.nan)) is not None


def test_it_takes_a_part_of_the_memory() -> None:
    """In all, building included, little more than one of the first maps; a whole evaluation takes five."""
    network = Network(random_weights("vgg19", (24, 32, 40, 40, 40)))
    image = picture(640, 32)
    build_objective(image[:64], [image[:64]], RECIPES["fine"], network)(image[:64])  # transforms the kernels
    a_map = 4 * 24 * image.size // 3
    with peak_memory(below=1.5 * a_map), kernels.use_threads(1):
        build_objective(image, [image], RECIPES["fine"], network, bands=12)(image)


@pytest.mark.parametrize(("height", "rows", "strips"), [(3266, 252, [13, 7, 7]), (1024, 256, [4, 4, 4]),
                                                        (640, 54, [12, 6, 3])])  # fmt: skip
def test_strips_behind_poolings_have_several_bands(
    height: int, rows: int, strips: list[int], tiny_network: Network
) -> None:
    """But four can share a picture of as many bands of 256 rows, and each begins where a strip does."""
    recipe = RECIPES["fine"]
    layers = [f"block{number}_conv1" for number in (1, 3, 4)]
    found = Strips(tiny_network, recipe, layers, (height, 32), rows)
    assert [len(cut) for cut in found._strips] == strips
    steps = tiny_network.steps(layers, (height, 32), **settings_of(recipe))
    parts = parts_of(steps, height, rows, min(4, strips[-1]))
    for segment, cut in zip(found.segments, found._strips, strict=True):
        assert {rows.start >> segment.halvings for rows in parts} <= {strip.start for strip in cut}


def test_on_a_device(gpu: Device) -> None:
    weights = random_weights("vgg19", (4, 6, 8, 10, 10))
    recipe = RECIPES["fine"]
    image, *_ = pictures(64, 48)
    found: list[Any] = [objective_of(Network(weights, device, np.float64), (64, 48), 3, recipe)(gpu.asarray(image)
                        if device is gpu else image) for device in (gpu, Network(weights).device)]  # fmt: skip
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-10)
