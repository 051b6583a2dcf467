"""run/minimise.py: a round goes by the optimiser and bounds that the recipe names, with its numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from minstyle.network.vgg import Network
from minstyle.optimize.adam import adam
from minstyle.optimize.lbfgs import lbfgs
from minstyle.optimize.pyramid import PYRAMID
from minstyle.optimize.scipy_lbfgs import scipy_lbfgs
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.minimise import Round, minimise
from minstyle.style.objective import build_objective
from tests.support.small import picture

DARK, LIGHT = -40.0, 300.0  # where the quadratic below wants half of the pixels each: beyond black and white
GOAL = np.where(np.arange(96).reshape(4, 8, 3) % 2, DARK, LIGHT)
START = np.random.default_rng(0).uniform(0, 255, GOAL.shape)


def quadratic(x: np.ndarray) -> tuple[float, np.ndarray]:
    return float(((x - GOAL) ** 2).sum()), 2 * (x - GOAL)


def recipe(**changes: Any) -> Recipe:
    return dataclasses.replace(RECIPES["document"], **changes)


class Path:
    """The images that a round hands out, and its losses."""

    def __init__(self, chosen: Recipe, evaluations: int = 30, **given: Any) -> None:
        self.images: list[np.ndarray] = []
        self.losses: list[float] = []
        objective, start = given.pop("objective", quadratic), given.pop("start", START)
        self.stop = given.pop("stop", None)
        self.end: Round = minimise(objective, start, chosen, evaluations, given.pop("state", None), self.note)

    def note(self, x: np.ndarray, loss: float) -> bool:
        self.images.append(x.copy())
        self.losses.append(loss)
        return len(self.losses) == self.stop


ALL = [{"optimizer": "lbfgs"}, {"optimizer": "scipy"}, {"optimizer": "adam", "learning_rate": 10.0}]


@pytest.mark.parametrize("given", ALL, ids=["lbfgs", "scipy", "adam"])
@pytest.mark.parametrize("bounds", ["end", "smooth"])
def test_optimisers_lower_the_loss_of_a_picture(given: dict[str, Any], bounds: str, tiny_network: Network) -> None:
    objective = build_objective(picture(32, 40, 1), [picture(32, 40, 2)], RECIPES["document"], tiny_network)
    path = Path(recipe(bounds=bounds, **given), objective=objective, start=picture(32, 40, 3).astype(np.float64))
    assert min(path.losses) < 0.5 * path.losses[0]
    assert path.end.adam_state is not None if given["optimizer"] == "adam" else path.end.adam_state is None


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    a, b = x[..., ::2], x[..., 1::2]
    g = np.empty_like(x)
    g[..., ::2], g[..., 1::2] = -2 * (1 - a) - 400 * a * (b - a**2), 200 * (b - a**2)
    return float(((1 - a) ** 2 + 100 * (b - a**2) ** 2).sum()), g


NUMBERS = {"history": 3}, {"factr": 1e14}, {"pgtol": 100.0}, {"iterations": 4}, {}
START_OF_ROSENBROCK = np.random.default_rng(1).uniform(-1, 1, (2, 4, 4))


def test_scipys_lbfgs_has_the_recipes_numbers() -> None:
    for numbers in NUMBERS:
        losses: list[float] = []
        named = {"history": 10, "factr": 1e7, "pgtol": 1e-5, "iterations": 15000, **numbers}
        scipy_lbfgs(rosenbrock, START_OF_ROSENBROCK, evaluations=25,
                    on_evaluation=lambda _, loss, to=losses: to.append(loss), **named)  # fmt: skip
        check_path(losses, numbers, recipe(optimizer="scipy", **named))


def test_our_lbfgs_has_the_recipes_numbers() -> None:
    for numbers in (*NUMBERS, {"tolerance": 1.0}):
        losses: list[float] = []
        named = {"history": 10, "factr": 1e7, "pgtol": 1e-5, "tolerance": 0.0, "iterations": 15000, **numbers}
        lbfgs(rosenbrock, START_OF_ROSENBROCK, evaluations=25, preconditioner=PYRAMID,
              on_evaluation=lambda _, loss, to=losses: to.append(loss), **named)  # fmt: skip
        check_path(losses, numbers, recipe(optimizer="lbfgs", **named))


def check_path(losses: list[float], numbers: dict[str, Any], chosen: Recipe) -> None:
    path = Path(chosen, 25, objective=rosenbrock, start=START_OF_ROSENBROCK)
    assert path.losses == losses
    usual = Path(recipe(optimizer=chosen.optimizer), 25, objective=rosenbrock, start=START_OF_ROSENBROCK)
    assert numbers == {} or losses != usual.losses


def test_adam_has_the_recipes_numbers() -> None:
    plain = {"learning_rate": 10.0, "betas": (0.9, 0.999), "epsilon": 1e-8, "averaging": 0.0}
    seen = []
    for numbers in ({"learning_rate": 3.0}, {"betas": (0.5, 0.9)}, {"epsilon": 100.0}, {"averaging": 0.9}, {}):
        named = plain | numbers
        found = adam(quadratic, START, iterations=12, **named)
        path = Path(recipe(optimizer="adam", **named), 12)
        np.testing.assert_array_equal(path.end.last, found.last)
        assert len(path.losses) == 12
        seen.append(path.images[-1])
    for image in seen[:-1]:
        assert np.abs(image - seen[-1]).max() > 0.1, "each number changes the path"


def test_adam_makes_no_more_iterations_than_the_recipe_allows() -> None:
    assert len(Path(recipe(optimizer="adam", iterations=5), 12).losses) == 5


@pytest.mark.parametrize("given", ALL, ids=["lbfgs", "scipy", "adam"])
def test_bounds_at_the_end_leave_the_way_free(given: dict[str, Any]) -> None:
    path = Path(recipe(bounds="end", **given), 60)
    assert path.images[-1].min() < 0
    assert path.images[-1].max() > 255


@pytest.mark.parametrize(("bounds", "given"), [("step", ALL[2]), *(("smooth", given) for given in ALL)],
                         ids=["step-adam", "smooth-lbfgs", "smooth-scipy", "smooth-adam"])  # fmt: skip
def test_within_bounds_every_image_is(bounds: str, given: dict[str, Any]) -> None:
    path = Path(recipe(bounds=bounds, **given), 60)
    for image in (*path.images, path.end.last):
        assert image.min() >= 0
        assert image.max() <= 255
    np.testing.assert_allclose(path.end.last, np.where(GOAL < 0, 0, 255), atol=3)
    assert path.losses == [quadratic(image)[0] for image in path.images]


def test_with_averaging_the_mean_of_the_images_is_shown() -> None:
    chosen = recipe(optimizer="adam", averaging=0.8)
    images = Path(dataclasses.replace(chosen, averaging=0.0), 10).images
    path = Path(chosen, 10)
    for n, shown in enumerate(path.images):
        weights = 0.8 ** np.arange(n, -1, -1)
        expected = np.tensordot(weights / weights.sum(), np.stack(images[: n + 1]), 1)
        np.testing.assert_allclose(shown, expected, rtol=1e-9)
    assert path.losses == [quadratic(image)[0] for image in images]


# The smooth map turns back at the bounds: what was beyond one starts on this side of it.
@pytest.mark.parametrize(("bounds", "tolerance"), [("end", 1e-6), ("step", 1e-6), ("smooth", 5e-3)])
def test_a_round_of_adam_goes_on_where_the_last_one_ended(bounds: str, tolerance: float) -> None:
    chosen = recipe(optimizer="adam", bounds=bounds, averaging=0.9)
    whole, first = Path(chosen, 12), Path(chosen, 5)
    second = Path(chosen, 7, start=first.end.last, state=first.end.adam_state)
    np.testing.assert_allclose([*first.losses, *second.losses], whole.losses, rtol=tolerance)
    np.testing.assert_allclose(second.images[-1], whole.images[-1], atol=1e3 * tolerance)
    anew = Path(chosen, 7, start=first.end.last)
    assert np.abs(anew.images[0] - second.images[0]).max() > 1, "the mean of the images goes on"


@pytest.mark.parametrize("given", ALL, ids=["lbfgs", "scipy", "adam"])
@pytest.mark.parametrize("bounds", ["end", "smooth"])
def test_a_request_to_stop_is_heard(given: dict[str, Any], bounds: str) -> None:
    path = Path(recipe(bounds=bounds, **given), 30, stop=2)
    assert len(path.losses) == 2
    assert path.end.stopped
