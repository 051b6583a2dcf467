"""style/objective.py on a device: every loss, whole and by region, as on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minstyle import build_objective, load_network
from minstyle.backend import CPU, PRECISIONS, Device, is_cupy, to_host
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import IMAGE, ROLES, Term
from minstyle.style.regions import Regions
from tests.support import devices
from tests.support.small import picture, random_weights

CONTENT, X = (picture(32, 40, seed).astype(np.float64) for seed in (1, 3))
STYLES = [picture(40, 36, 2), picture(36, 48, 4)]
ALONE = {"content_weight": 1.0, "style_weight": 1.0, "tv_weight": 1.0}


def shared(height: int, width: int) -> np.ndarray:
    """Two regions with a soft edge between them: each has pixels of weight 0, and of some part of 1."""
    left = np.clip((np.linspace(1.5, -0.5, width, dtype=np.float32)), 0, 1) + np.zeros((height, 1), np.float32)
    return np.stack([left, 1 - left])


REGIONS = Regions(shared(32, 40), tuple(shared(*style.shape[:2]) for style in STYLES), ("left", "right"))


def assert_as_on_the_cpu(recipe: Recipe, regions: Regions | None, weights: Weights | str, gpu: Device) -> None:
    """Loss by term, and gradient, in float64."""
    found = []
    for device in (CPU, gpu):
        if isinstance(weights, str):
            network = load_network(weights, device=device.name, dtype="float64")
        else:
            network = Network(weights, device, np.float64)
        objective = build_objective(CONTENT, STYLES, recipe, network, regions)
        found.append(objective.evaluate(device.asarray(X)))
    expected, on_device = found
    assert is_cupy(on_device.gradient)
    assert on_device.terms == pytest.approx(expected.terms, rel=1e-10)
    assert on_device.loss == pytest.approx(expected.loss, rel=1e-10)
    largest = np.abs(expected.gradient).max()
    assert largest > 0
    np.testing.assert_allclose(to_host(on_device.gradient), expected.gradient, rtol=1e-6, atol=1e-9 * largest)


PLACES = [(kind, layer) for kind, role in ROLES.items() for layer in ("block2_conv1", IMAGE)[role == "tv" :]]


@pytest.mark.parametrize("regions", [None, REGIONS], ids=["whole", "regions"])
@pytest.mark.parametrize(("kind", "layer"), PLACES)
def test_every_loss_is_that_of_the_cpu(
    kind: str, layer: str, regions: Regions | None, tiny_weights: Weights, gpu: Device
) -> None:
    assert_as_on_the_cpu(Recipe("r", (Term(kind, layer),), **ALONE), regions, tiny_weights, gpu)


ALL = tuple(Term(kind, IMAGE if ROLES[kind] == "tv" else "block3_conv1", 0.3) for kind in ROLES)
TOGETHER: dict[str, dict[str, Any]] = {
    "plain": {},
    "unit gradients": {"optimizer": "adam", "gradients": "unit"},
    "average pooling, in other units": {"pooling": "average", "padding": "replicate", "units": "torchvision"},
    "l2 pooling": {"pooling": "l2", "padding": "reflect", "white": 256.0, "range_weight": 2.0},
}


@pytest.mark.parametrize("regions", [None, REGIONS], ids=["whole", "regions"])
@pytest.mark.parametrize("changes", TOGETHER.values(), ids=TOGETHER)
def test_all_losses_together_are_those_of_the_cpu(
    changes: dict[str, Any], regions: Regions | None, tiny_weights: Weights, gpu: Device
) -> None:
    assert_as_on_the_cpu(Recipe("r", ALL, **{**ALONE, **changes}), regions, tiny_weights, gpu)


@pytest.mark.parametrize("regions", [None, REGIONS], ids=["whole", "regions"])
def test_projected_features_have_the_losses_of_the_cpu(regions: Regions | None, gpu: Device) -> None:
    terms = tuple(Term(kind, IMAGE if role == "tv" else "block2_conv1") for kind, role in ROLES.items())
    assert_as_on_the_cpu(Recipe("r", terms, **ALONE), regions, "mini", gpu)


# Of the loss and of the gradient's norm: a ReLU or the largest of a window may fall on either side of a rounding.
ROUGHLY = {"fp32": (1e-6, 1e-5), "tf32": (5e-3, 0.1), "fp16": (5e-3, 0.1)}


@pytest.mark.parametrize("recipe", ["fine", "gatys"])
@pytest.mark.parametrize("precision", ROUGHLY)
def test_each_precision_gives_about_the_loss_and_gradient_of_float64(precision: str, recipe: str, gpu: Device) -> None:
    """The double rounds what is stored, and factors of 16 bits. gatys pools by averages, of maps in float32."""
    weights, expected = random_weights("vgg19", (8, 16, 16, 24, 24)), None
    for device, dtype in ((CPU, np.float64), (gpu, np.float32)):
        network = Network(weights, device, dtype, precision)
        found = build_objective(CONTENT, STYLES[:1], RECIPES[recipe], network).evaluate(X)
        expected = expected or found
    assert expected is not None
    of_loss, of_gradient = ROUGHLY[precision]
    assert found.loss == pytest.approx(expected.loss, rel=of_loss)
    off = np.linalg.norm(to_host(found.gradient) - expected.gradient) / np.linalg.norm(expected.gradient)
    assert off < of_gradient
    assert precision == "fp32" or off > 1e-4, "it does round"


RECORDED = {
    "fine": RECIPES["fine"],
    "moments": Recipe("r", tuple(Term(kind, "block2_conv1") for kind in ("covariance", "mean_std")), **ALONE),
}


@pytest.mark.parametrize(
    ("precision", "recipe"),
    [(precision, "fine") for precision in (PRECISIONS if devices.REAL else ["fp32", "fp16"])] + [("fp32", "moments")],
)
def test_what_is_replayed_is_what_is_computed(precision: str, recipe: str, gpu: Device) -> None:
    """Bit for bit, at images that were not the one recorded."""
    network = Network(random_weights("vgg19", (8, 8, 8, 8, 8)), gpu, precision=precision)
    content, style = picture(32, 32, 1), picture(32, 32, 2)
    replayed, called = (build_objective(content, [style], RECORDED[recipe], network, replayed=r) for r in (True, False))
    for seed in range(3):  # the first call prepares, the second records
        image = gpu.asarray(picture(32, 32, seed))
        found, expected = replayed.evaluate(image), called.evaluate(image)
        assert found.terms == expected.terms
        np.testing.assert_array_equal(to_host(found.gradient), to_host(expected.gradient))
    assert not replayed._replay.refused
    assert replayed.own_memory() is not None
