"""run/fallback.py: a device whose memory is used up, by CuPy's double with less of it: what is given up, and said."""

from __future__ import annotations

import dataclasses
import gc
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minstyle.backend import Device, choose_device
from minstyle.errors import DeviceMemoryError, ResourceError
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.notices import LESS_MEMORY, Notice
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import Term
from minstyle.run.fallback import Fallback
from minstyle.run.observer import Observer, Step
from minstyle.run.result import Result
from minstyle.run.stages import Stage
from minstyle.run.state import RunState
from minstyle.run.stylize import stylize
from tests.support import cupy_double
from tests.support.cupy_double import LEDGER
from tests.support.cupy_double.graphs import recorded
from tests.support.cupy_double.pools import MEMORY
from tests.support.small import picture, random_weights

CONTENT, STYLE = picture(40, 48, 1), picture(36, 40, 2)
RECIPE = dataclasses.replace(RECIPES["fine"], sizes=(48,), scales=1, draft="none", rounds=1, evaluations=(7,))
IMAGE = 40 * 48 * 3 * 8  # bytes
REPLAYED = "evaluations are no longer recorded and replayed, which small pictures feel"


class Watcher(Observer):
    """Keeps the notices; from evaluation ``at`` on, room for ``images`` is all that the device has."""

    def __init__(self, images: int = 0, at: int = 0) -> None:
        self.images, self.at = images, at
        self.notices: list[Notice] = []

    def step(self, step: Step) -> bool:
        if self.images and step.record.evaluation == self.at:
            MEMORY.total = IMAGE * self.images
        return False

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    @property
    def given_up(self) -> list[str]:
        assert {notice.kind for notice in self.notices} <= {LESS_MEMORY}
        assert all(notice.text.startswith("the GPU's memory does not suffice for 48 x 40: ") for notice in self.notices)
        return [notice.text.split(": ")[1] for notice in self.notices]


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """The double, whatever there is: no device is filled by a test."""
    gc.collect()
    monkeypatch.setattr(MEMORY, "total", MEMORY.total)
    monkeypatch.setattr(LEDGER, "fault", None)
    with cupy_double.installed() as cupy:
        cupy.get_default_memory_pool().free_all_blocks()
        yield choose_device("gpu")


@pytest.fixture
def records(double: Device, monkeypatch: pytest.MonkeyPatch) -> Device:
    """The double, whose products of float64, quick here, are recorded as are those of float32, our own kernels'."""
    product = type(double.xp.matmul)
    monkeypatch.setattr(product, "__call__", recorded(product.__call__.__wrapped__))
    return double


def run(weights: Weights, device: Device, watcher: Observer, recipe: Recipe = RECIPE, **given: Any) -> Result:
    return stylize(CONTENT, [STYLE], recipe, network=Network(weights, device, np.float64), observers=[watcher], **given)


def losses(result: Result) -> list[float]:
    return [record.loss for record in result.history]


@pytest.fixture(scope="module")
def undisturbed(tiny_weights: Weights) -> Result:
    with cupy_double.installed():
        return run(tiny_weights, choose_device("gpu"), Observer())


def test_in_the_middle_of_a_run_it_gives_up_one_thing_after_the_other_and_goes_on(
    tiny_weights: Weights, records: Device, undisturbed: Result
) -> None:
    watcher = Watcher(46, at=4)
    result = run(tiny_weights, records, watcher)
    assert result.error is None
    assert watcher.given_up == [
        REPLAYED,
        "L-BFGS remembers 10 pairs in place of 20",
        "L-BFGS remembers 5 pairs in place of 10",
    ]
    assert losses(result)[:4] == losses(undisturbed)[:4], "bit for bit, as long as nothing is given up"
    assert result.loss == min(losses(result)) < losses(undisturbed)[3]


def test_a_state_with_fewer_pairs_is_one_to_go_on_from(tiny_weights: Weights, records: Device) -> None:
    class Stops(Watcher):
        def step(self, step: Step) -> bool:
            super().step(step)
            return step.record.evaluation == 6

    state = RunState()
    first = run(tiny_weights, records, Stops(46, at=2), state=state)
    assert state.midway is not None
    assert len(state.midway.state.steps) == 5  # type: ignore[union-attr]
    result = run(tiny_weights, records, Observer(), state=state)
    assert result.error is None
    assert losses(result)[:6] == losses(first)[:6]
    assert result.evaluations == 7, "no evaluation was made twice"


def test_at_the_end_the_picture_is_kept_and_the_advised_size_fits(
    tiny_weights: Weights, records: Device, undisturbed: Result
) -> None:
    watcher = Watcher(32, at=2)
    result = run(tiny_weights, records, watcher)
    assert len(watcher.given_up) == 4
    assert isinstance(result.error, ResourceError)
    found = re.fullmatch(r"the GPU's memory does not suffice for 48 x 40; the largest that fits is about --size (\d+), "
                         "or try --device cpu", str(result.error))  # fmt: skip
    assert found
    assert losses(result)[:2] == losses(undisturbed)[:2]
    assert result.loss == min(losses(result))
    size = int(found[1])
    assert 37 < size < 48, "and the content's shorter side has the 32 pixels that it needs"
    gc.collect()
    assert run(tiny_weights, records, Observer(), dataclasses.replace(RECIPE, sizes=(size,))).error is None


def test_where_nothing_fits_that_is_said(tiny_weights: Weights, double: Device) -> None:
    network = Network(tiny_weights, double, np.float64)
    MEMORY.total = 8 * IMAGE
    with pytest.raises(ResourceError, match="nor for much less; try --network mini, or --device cpu"):
        stylize(CONTENT, [STYLE], RECIPE, network=network)


def test_of_adam_there_is_only_the_replay_to_give_up(tiny_weights: Weights, records: Device) -> None:
    watcher = Watcher(20, at=3)
    result = run(tiny_weights, records, watcher, dataclasses.replace(RECIPE, optimizer="adam"))
    assert watcher.given_up == [REPLAYED]
    assert isinstance(result.error, ResourceError)
    assert result.evaluations >= 3
    assert result.loss == min(losses(result))


def test_the_last_thing_is_to_paint_in_bands(tiny_weights: Weights, double: Device) -> None:
    tall = picture(640, 32, 1)
    steps = {"optimizer": "adam", "learning_rate": 1.0, "evaluations": (4,)}
    recipe, network = dataclasses.replace(RECIPE, sizes=(640,), **steps), Network(tiny_weights, double, np.float64)
    whole = stylize(tall, [STYLE], recipe, network=network)
    watcher = Watcher(18 * 8 * tall.size // IMAGE, at=2)
    cut = stylize(tall, [STYLE], recipe, network=network, observers=[watcher])
    assert cut.error is None
    assert [notice.text.split(": ")[1] for notice in watcher.notices] == [  # nothing was recorded: cuBLAS refuses
        "it is painted in 4 bands of rows, which takes longer",
        "it is painted in 8 bands of rows, which takes longer",
    ]
    assert losses(cut) == pytest.approx(losses(whole), rel=1e-9), "exact, and begun anew by Adam"


def test_before_bands_factors_of_16_bits_where_the_card_and_the_network_take_them(double: Device) -> None:
    weights, state = random_weights("vgg19", (8, 8, 8, 8, 8)), RunState()
    cases = [(np.float32, None, "fp16"), (np.float32, "tf32", "fp16"), (np.float32, "fp32", "fp32"),
             (np.float64, None, None)]  # fmt: skip
    for dtype, given, expected in cases:
        network = Network(weights, double, dtype, given)
        stage = Stage((40, 48), network, 4, dataclasses.replace(RECIPE, optimizer="adam"))
        fallback = Fallback()
        notice = fallback.give_up(stage, state)
        assert (notice is not None) == (expected == "fp16"), "40 rows are too few for bands"
        assert fallback.applied(stage).network.precision == expected
        assert network.precision == given, "another stage may use it"
    assert fallback.applied(dataclasses.replace(stage, network=Network(weights))).network.precision is None


def test_a_run_goes_on_in_half_precision(double: Device) -> None:
    class Fails(Watcher):
        def step(self, step: Step) -> bool:
            if step.record.evaluation in (2, 3):
                error = cupy_double.cupy.cuda.runtime.CUDARuntimeError("cudaErrorMemoryAllocation")
                LEDGER.fault, LEDGER.lasting = error, False
            return False

    watcher = Fails()
    recipe = Recipe("r", (Term("gram_mean", "block2_conv1"),), sizes=(48,), optimizer="lbfgs", history=3,
                    rounds=1, evaluations=(5,))  # fmt: skip
    network = Network(random_weights("vgg19", (8, 8, 8, 8, 8)), double)
    result = stylize(CONTENT, [STYLE], recipe, network=network, observers=[watcher])
    assert result.error is None
    given_up = [notice.text.split(": ")[1] for notice in watcher.notices if notice.kind == LESS_MEMORY]
    assert given_up == [REPLAYED, "convolutions multiply factors of 16 bits, as with --precision fp16"]
    assert result.loss < losses(result)[0]


@pytest.mark.parametrize("status", ["cudaErrorMemoryAllocation: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"])
def test_a_library_without_memory_is_no_device_that_fails(status: str, tiny_weights: Weights, records: Device) -> None:
    class Fails(Watcher):
        def step(self, step: Step) -> bool:
            if step.record.evaluation == 2 and not self.notices:
                LEDGER.fault, LEDGER.lasting = cupy_double.cupy.cuda.runtime.CUDARuntimeError(status), False
            return False

    watcher = Fails()
    assert run(tiny_weights, records, watcher).error is None
    assert watcher.given_up == [REPLAYED]


def test_elsewhere_a_lack_is_a_line(double: Device) -> None:
    MEMORY.total = 1000
    with pytest.raises(DeviceMemoryError, match=r"the GPU's memory is used up \(OutOfMemoryError: Out of memory alloc"):
        double.asarray(CONTENT)
