"""run/fitting.py: a run that does not fit is cut into bands; L-BFGS remembers less only where that is not enough."""

from __future__ import annotations

import dataclasses
import tracemalloc
from typing import Any

import numpy as np
import pytest

from minstyle.errors import RecipeError, ResourceError
from minstyle.memory import Room
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.run.estimate import Estimator, check_room
from minstyle.run.fitting import fitted
from minstyle.run.stylize import stylize
from tests.support.small import picture, random_weights

RECIPE = dataclasses.replace(
    RECIPES["fine"], draft="none", sizes=(256, 4000), scales=1, evaluations=(5, 25), history=12
)
CONTENT, STYLE = (1500, 2000, 3), (600, 600, 3)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(random_weights("vgg19", (32, 32, 32, 32, 32)))


@pytest.fixture(scope="module")
def estimator(network: Network) -> Estimator:
    return Estimator(CONTENT, [STYLE], RECIPE, network, quick=True)


def room(estimator: Estimator, share: float) -> Room:
    """A share of what the whole picture takes beside what the process has."""
    return Room(estimator.base + round(share * (estimator.estimate().memory - estimator.base)), "--memory")


def bands_of(estimate: Any) -> list[int]:
    return [stage.bands for stage in estimate.stages]


def test_what_fits_is_left_as_it_is(estimator: Estimator) -> None:
    for there in (None, room(estimator, 1.0)):
        recipe, estimate, notices = fitted(estimator, RECIPE, there)
        assert (recipe, bands_of(estimate), notices) == (RECIPE, [0, 0], [])


def test_what_does_not_fit_is_cut_into_as_few_bands_as_do(estimator: Estimator) -> None:
    found = []
    for share in (0.9, 0.8):
        there = room(estimator, share)
        recipe, estimate, (notice,) = fitted(estimator, RECIPE, there)
        first, bands = bands_of(estimate)
        assert recipe == RECIPE
        assert first == 0
        assert estimate.memory <= there.bytes
        assert estimator.estimate(bands=bands - 1 if bands > 2 else 0).memory > there.bytes or bands > 4
        assert f"painted in {bands} bands" in notice.text
        assert estimate.seconds > estimator.estimate().seconds
        check_room(estimator, estimate, there, in_bands=True)
        found.append(bands)
    assert 2 <= found[0] < found[1]


def test_then_the_history_is_shorter_and_then_the_run_is_refused(estimator: Estimator) -> None:
    there = room(estimator, 0.45)
    recipe, estimate, (notice,) = fitted(estimator, RECIPE, there)
    assert recipe.history in (10, 5, 3)
    assert recipe == dataclasses.replace(RECIPE, history=recipe.history)
    assert notice.text.endswith(f"with a --history of {recipe.history}, not 12")
    assert estimate.memory <= there.bytes
    small = room(estimator, 0.05)
    recipe, estimate, notices = fitted(estimator, RECIPE, small)
    assert (recipe, bands_of(estimate), notices) == (RECIPE, [0, 0], [])
    with pytest.raises(ResourceError) as refused:
        check_room(estimator, estimate, small, in_bands=True)
    with pytest.raises(ResourceError) as refused_whole:
        check_room(estimator, estimate, small)
    advised, advised_whole = (int(str(e.value).split("--size 256,")[1].split(",")[0]) for e in (refused, refused_whole))
    assert advised > advised_whole


def test_bands_that_are_asked_for(estimator: Estimator) -> None:
    assert bands_of(fitted(estimator, RECIPE, room(estimator, 0.01), 7)[1]) == [0, 7]
    assert bands_of(fitted(estimator, RECIPE, None, (3, 4))[1]) == [3, 4]
    with pytest.raises(RecipeError, match="one a stage"):
        fitted(estimator, RECIPE, None, (3, 4, 5))


def test_the_peak_of_a_run_in_bands_is_foreseen(network: Network) -> None:
    recipe = dataclasses.replace(RECIPES["fine"], draft="none", sizes=(512,), scales=1, evaluations=(4,), history=2)
    content, style = picture(512, 128, 1), picture(320, 400, 2)
    estimator = Estimator(content.shape, [style.shape], recipe, network)
    (stage,) = estimator.estimate(bands=8).stages
    (whole,) = estimator.estimate().stages
    tracemalloc.start()
    result = stylize(content, [style], recipe, network=network, bands=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.error is None
    # Not more, and the threads' buffers, which the estimate takes for full, are not filled by strips so small.
    assert 0.9 * peak < stage.memory - estimator.base - 12e6 < 1.6 * peak
    assert stage.memory - estimator.base < 0.9 * (whole.memory - estimator.base)


def test_a_run_in_bands_paints_the_same_picture(tiny_network: Network) -> None:
    recipe = dataclasses.replace(RECIPES["fine"], draft="none", sizes=(48, 96), scales=1, evaluations=(4, 4))
    content, style = (picture(96, 64, n).astype(np.float64) for n in (1, 2))
    whole, found = (stylize(content, [style], recipe, network=tiny_network, bands=bands) for bands in (0, 3))
    assert [r.loss for r in found.history] == pytest.approx([r.loss for r in whole.history], rel=1e-9)
    np.testing.assert_allclose(found.image, whole.image, atol=1e-6)


def test_a_run_that_goes_on_keeps_its_history(estimator: Estimator) -> None:
    short = next(there for share in (0.5, 0.4, 0.3, 0.25, 0.2)
                 if fitted(estimator, RECIPE, there := room(estimator, share))[0] != RECIPE)  # fmt: skip
    recipe, estimate, notices = fitted(estimator, RECIPE, short, shorter=False)
    assert recipe == RECIPE
    assert estimate.memory > short.bytes
    assert notices == []


def test_the_advised_size_is_one_that_is_accepted_and_no_larger_one_is(estimator: Estimator) -> None:
    there = room(estimator, 0.1)
    recipe = estimator.largest(there.bytes, in_bands=True)
    assert recipe is not None
    for size, fits in ((recipe.sizes[-1], True), (recipe.sizes[-1] + 8, False)):
        tried = dataclasses.replace(RECIPE, sizes=(*recipe.sizes[:-1], size))
        assert (fitted(estimator, tried, there)[1].memory <= there.bytes) == fits, size
