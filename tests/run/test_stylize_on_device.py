"""run/stylize.py on a device: every recipe's picture, and those of other settings, as on the CPU; a run goes on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from minstyle import stylize
from minstyle.backend import CPU, Device, is_cupy
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.observer import Observer, Step
from minstyle.run.state import RunState
from minstyle.style.regions import Regions
from tests.support.small import picture

CONTENT, STYLE = picture(34, 40, 1), picture(36, 40, 2)
SMALL: dict[str, Any] = {"sizes": (40,), "rounds": 1, "evaluations": 3}


def halves(height: int, width: int) -> np.ndarray:
    weights = np.zeros((2, height, width), np.float32)
    weights[0, :, : width // 2], weights[1, :, width // 2 :] = 1, 1
    return weights


REGIONS = Regions(halves(34, 40), (halves(36, 40),), ("left", "right"))


def assert_the_cpus_picture(recipe: Recipe, weights: Weights, gpu: Device, regions: Regions | None = None) -> None:
    on_device, on_cpu = (
        stylize(CONTENT, [STYLE], recipe, network=Network(weights, device, np.float64), regions=regions)
        for device in (gpu, CPU)
    )
    assert len(on_device.history) == len(on_cpu.history) >= 3
    assert [r.loss for r in on_device.history] == pytest.approx([r.loss for r in on_cpu.history], rel=1e-8)
    np.testing.assert_allclose(on_device.image, on_cpu.image, atol=1e-3)


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_paints_the_picture_of_the_cpu(name: str, tiny_weights: Weights, gpu: Device) -> None:
    recipe = dataclasses.replace(RECIPES[name], **SMALL, scales=1, draft="none")
    assert_the_cpus_picture(recipe, tiny_weights, gpu, REGIONS if name == "fine" else None)


WAYS: dict[str, dict[str, Any]] = {
    "L-BFGS, smooth bounds": {"optimizer": "lbfgs", "bounds": "smooth", "evaluations": 6},
    "scipy, several rounds": {"optimizer": "scipy", "rounds": 3},
    "Adam, bounds, a mean": {"optimizer": "adam", "bounds": "step", "averaging": 0.9},
    "Adam, unit gradients": {"optimizer": "adam", "gradients": "unit"},
    "Adam, two sizes": {"optimizer": "adam", "sizes": (40, 48)},
    "two sizes, with detail": {"optimizer": "lbfgs", "sizes": (40, 48), "detail": 0.5},
    "noise and another network": {"init": "noise", "noise": "pink", "pooling": "l2", "padding": "reflect"},
    "colours": {"color": "match", "color_map": "cholesky"},
    "luminance": {"color": "luminance", "init": "grey"},
}


@pytest.mark.parametrize("changes", WAYS.values(), ids=WAYS)
def test_settings_paint_the_picture_of_the_cpu(changes: dict[str, Any], tiny_weights: Weights, gpu: Device) -> None:
    recipe = dataclasses.replace(RECIPES["document"], **{**SMALL, **changes})
    assert_the_cpus_picture(recipe, tiny_weights, gpu)


class StopsAt(Observer):
    def __init__(self, evaluation: int) -> None:
        self.evaluation = evaluation

    def step(self, step: Step) -> bool:
        return step.record.evaluation == self.evaluation


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_run_that_was_ended_goes_on_to_the_same_picture(optimizer: str, tiny_weights: Weights, gpu: Device) -> None:
    recipe = dataclasses.replace(RECIPES["document"], **SMALL, optimizer=optimizer)
    network, state = Network(tiny_weights, gpu), RunState()
    whole = stylize(CONTENT, [STYLE], recipe, network=network)
    stylize(CONTENT, [STYLE], recipe, network=network, state=state, observers=[StopsAt(2)])
    assert is_cupy(state.best)
    rest = stylize(CONTENT, [STYLE], recipe, network=network, state=state)
    np.testing.assert_array_equal(rest.image, whole.image)
