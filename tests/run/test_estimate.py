"""run/estimate.py: what a run takes, before it starts."""

from __future__ import annotations

import dataclasses
import re
import tracemalloc

import numpy as np
import pytest

from minstyle.errors import ImageError, ResourceError
from minstyle.memory import Room, resident
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.run.estimate import Estimator, check_room
from minstyle.run.stylize import stylize
from tests.support.observers import Watcher
from tests.support.small import picture, random_weights

RECIPE = dataclasses.replace(RECIPES["document"], sizes=(64, 128), rounds=2, evaluations=(3, 2))
CONTENT, STYLE = (300, 400, 3), (200, 200, 3)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(random_weights("vgg19", (16, 16, 16, 16, 16)))


@pytest.fixture(scope="module")
def estimator(network: Network) -> Estimator:
    return Estimator(CONTENT, [STYLE], RECIPE, network)


def test_stages_have_the_shapes_networks_and_evaluations_of_the_run(network: Network, estimator: Estimator) -> None:
    watcher = Watcher()
    stylize(picture(300, 400, 1), [picture(200, 200, 2)], RECIPE, network=network, observers=[watcher])
    estimate, (plan,) = estimator.estimate(), watcher.plans
    assert tuple(stage.shape for stage in estimate.stages) == plan.shapes == ((64, 85), (128, 170))
    assert tuple(stage.evaluations for stage in estimate.stages) == plan.budgets == (8, 6)
    assert estimate.evaluations == plan.evaluations == 14
    assert {stage.network for stage in estimate.stages} == {"vgg19"}
    assert estimate.seconds == pytest.approx(sum(stage.seconds for stage in estimate.stages))


def test_the_peak_of_the_arrays_is_foreseen(network: Network) -> None:
    """Of what NumPy allocates: the process itself, larger, is measured by tools/estimate_table.py."""
    recipe = dataclasses.replace(RECIPES["crowson"], sizes=(400,), scales=1, evaluations=(3,), size_of="long")
    content, style = picture(300, 400, 1), picture(300, 400, 2)
    estimator = Estimator(content.shape, [style.shape], recipe, network)
    (stage,) = estimator.estimate().stages
    tracemalloc.start()
    stylize(content, [style], recipe, network=network)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stage.memory - estimator.base - 12e6 == pytest.approx(peak, rel=0.25)


def test_memory_and_time_grow_with_the_size(estimator: Estimator) -> None:
    small, large = (estimator.estimate(dataclasses.replace(RECIPE, sizes=(s,))).stages[-1] for s in (512, 1024))
    pixels = 1024 * 1365 - 512 * 682
    assert 100 * pixels < large.memory - small.memory < 3000 * pixels
    assert large.seconds_each > 2 * small.seconds_each


def test_the_largest_size_fits_and_the_next_does_not(estimator: Estimator) -> None:
    def memory(size: int) -> int:
        sizes = (64, size) if size > 64 else (size,)
        return estimator.estimate(dataclasses.replace(RECIPE, sizes=sizes)).stages[-1].memory

    most = memory(100)
    recipe = estimator.largest(most)
    assert recipe is not None
    assert recipe.sizes == (64, 100)
    smaller = estimator.largest(memory(50))
    assert smaller is not None
    assert smaller.sizes == (50,)
    assert estimator.largest(1) is None


def test_a_run_without_room_is_refused_with_the_size_that_fits(estimator: Estimator) -> None:
    estimate = estimator.estimate()
    check_room(estimator, estimate, None)
    check_room(estimator, estimate, Room(estimate.memory, "this machine"))
    large = dataclasses.replace(RECIPE, sizes=(64, 8000))
    some = Room(round(estimate.stages[-1].memory / 0.95), "its control group")  # the part that an advised size takes
    with pytest.raises(ResourceError, match=re.escape("(its control group)") + r".*--size 64,\d+$"):
        check_room(estimator, estimator.estimate(large), some)
    with pytest.raises(ResourceError, match="no size fits: try --network mini, or more memory"):
        check_room(estimator, estimate, Room(1000, "--memory"))
    estimator.small = True
    with pytest.raises(ResourceError, match="no size fits: it needs more memory"):
        check_room(estimator, estimate, Room(1000, "--memory"))
    estimator.small = False


def test_what_the_process_held_before_and_gave_back_is_not_counted(network: Network) -> None:
    held = np.ones(1_000_000_000, np.uint8)
    with_it = resident()
    del held
    estimator = Estimator(CONTENT, [STYLE], RECIPE, network)
    estimate = estimator.estimate()
    assert estimator.base < estimate.memory < with_it - 500_000_000
    check_room(estimator, estimate, Room(estimate.memory, "--memory"))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_the_advised_size_is_accepted(estimator: Estimator, network: Network, share: float) -> None:
    """By the estimator that advised it, and by one that tries the network again for that size."""
    large = dataclasses.replace(RECIPE, sizes=(64, 600))
    estimate, small = estimator.estimate(large), estimator.base + 12_000_000
    there = Room(round(small + share * (estimate.memory - small)), "--memory")
    with pytest.raises(ResourceError) as refused:
        check_room(estimator, estimate, there)
    advised = dataclasses.replace(large, sizes=tuple(map(int, str(refused.value).split("--size ")[1].split(","))))
    check_room(estimator, estimator.estimate(advised), there)
    again = Estimator(CONTENT, [STYLE], advised, network, quick=True)
    check_room(again, again.estimate(), there)


def test_a_quick_try_is_a_small_one(network: Network) -> None:
    tried: list[int] = []

    class Counting(Network):
        def walk(self, image, *args, **settings):  # type: ignore[no-untyped-def]
            tried.append(image.shape[0] * image.shape[1])
            return super().walk(image, *args, **settings)

    counting = Counting(random_weights("vgg19", (16, 16, 16, 16, 16)))
    Estimator(CONTENT, [STYLE], RECIPE, counting, quick=True)
    quick = sum(tried)
    tried.clear()
    Estimator(CONTENT, [STYLE], RECIPE, counting)
    assert 5 * quick < sum(tried)


def test_regions_and_crops_are_counted(network: Network) -> None:
    cropped = dataclasses.replace(RECIPE, style_crop=((0.0, 0.0, 0.5, 0.5),), style_fit="native")
    estimate = Estimator(CONTENT, [STYLE], cropped, network, regions=3).estimate()
    assert estimate.seconds > 0
    assert np.isfinite(estimate.memory)


def test_a_content_too_small_is_refused_as_in_a_run(network: Network) -> None:
    with pytest.raises(ImageError, match="at least 32 pixels"):
        Estimator((40, 4000, 3), [STYLE], dataclasses.replace(RECIPE, sizes=(500,), size_of="long"), network)


def test_what_a_run_that_goes_on_has_already_is_not_counted_twice(network: Network) -> None:
    held = 10**9
    twice, once = (Estimator(CONTENT, [STYLE], RECIPE, network, held=held) for held in (0, held))
    assert twice.base - once.base == pytest.approx(held, rel=0.1)
