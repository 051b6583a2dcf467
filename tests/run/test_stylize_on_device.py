"""run/stylize.py on a device: every recipe's picture, and those of other settings, as on the CPU; a run goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minstyle import stylize
from minstyle.backend import CPU, Device, choose_device, is_cupy
from minstyle.errors import DeviceError, ResourceError
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.kept import Kept
from minstyle.run.observer import Observer, Step
from minstyle.run.state import RunState
from minstyle.style.regions import Regions
from tests.support import cupy_double
from tests.support.cupy_double import LEDGER
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
    network, state = Network(tiny_weights, gpu, np.float64), RunState()
    whole = stylize(CONTENT, [STYLE], recipe, network=network)
    stylize(CONTENT, [STYLE], recipe, network=network, state=state, observers=[StopsAt(2)])
    assert is_cupy(state.best)
    rest = stylize(CONTENT, [STYLE], recipe, network=network, state=state)
    np.testing.assert_array_equal(rest.image, whole.image)


# A device that fails


class FailsAt(Observer):
    """The device fails after an evaluation: while the next is computed, for all that is asked of it, or once."""

    def __init__(self, evaluation: int, error: Exception, lasting: bool) -> None:
        self.evaluation, self.error, self.lasting = evaluation, error, lasting
        self.images: list[np.ndarray] = []
        self.closed: list[BaseException | None] = []

    def step(self, step: Step) -> bool:
        self.images.append(step.image())
        if step.record.evaluation == self.evaluation:
            LEDGER.fault, LEDGER.lasting = self.error, self.lasting
        return False

    def close(self, error: BaseException | None = None) -> None:
        self.closed.append(error)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """The double, whatever there is: no device is broken by a test."""
    monkeypatch.setattr(LEDGER, "fault", None)
    monkeypatch.setattr(LEDGER, "lasting", True)
    with cupy_double.installed():
        yield choose_device("gpu")


def fault(kind: str) -> Exception:
    """As CuPy raises it."""
    of = {"runtime": "cupy_backends.cuda.api.runtime", "cublas": "cupy_backends.cuda.libs.cublas",
          "cusolver": "cupy_backends.cuda.libs.cusolver"}  # fmt: skip
    name = {"runtime": "CUDARuntimeError", "cublas": "CUBLASError", "cusolver": "CUSOLVERError"}
    return type(name[kind], (RuntimeError,), {"__module__": of[kind]})(f"{kind}: something\nfailed")


@pytest.mark.parametrize("optimizer", ["scipy", "lbfgs", "adam"])
@pytest.mark.parametrize("kind", ["runtime", "cublas", "cusolver"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for good"])
def test_a_device_that_fails_ends_the_run_with_the_best_picture_so_far(
    optimizer: str, kind: str, lasting: bool, tiny_weights: Weights, failing: Device
) -> None:
    recipe = dataclasses.replace(RECIPES["document"], **{**SMALL, "optimizer": optimizer, "evaluations": 8})
    first, fails = FailsAt(99, fault(kind), False), FailsAt(3, fault(kind), lasting)
    result = stylize(
        CONTENT, [STYLE], recipe, network=Network(tiny_weights, failing, np.float64), observers=[first, fails]
    )
    assert isinstance(result.error, DeviceError)
    assert f"Error: {kind}: something); --device cpu" in str(result.error)
    assert first.closed == fails.closed == [result.error]
    assert result.evaluations == 3
    losses = [record.loss for record in result.history]
    if lasting:  # there is the copy on the host, of the first evaluation where the others came within a second
        assert result.loss in losses
        np.testing.assert_array_equal(result.image, fails.images[losses.index(result.loss)])
    else:
        assert result.loss == min(losses)
        np.testing.assert_array_equal(result.image, fails.images[int(np.argmin(losses))])


def test_a_device_that_fails_before_there_is_a_picture_is_told(tiny_weights: Weights, failing: Device) -> None:
    network = Network(tiny_weights, failing, np.float64)
    LEDGER.fault = fault("runtime")
    with pytest.raises(DeviceError, match="the GPU failed"):
        stylize(CONTENT, [STYLE], RECIPES["document"], network=network)


def test_a_lack_of_the_devices_memory_for_good_ends_the_run_with_the_picture_so_far(
    tiny_weights: Weights, failing: Device
) -> None:
    """For what there is before that: tests/run/test_fallback.py."""
    error = cupy_double.cupy.cuda.memory.OutOfMemoryError("Out of memory allocating 512 bytes")
    recipe = dataclasses.replace(RECIPES["document"], **{**SMALL, "evaluations": 8})
    fails = FailsAt(2, error, True)
    result = stylize(CONTENT, [STYLE], recipe, network=Network(tiny_weights, failing, np.float64), observers=[fails])
    assert isinstance(result.error, ResourceError)
    assert result.evaluations == 2
    assert any(np.array_equal(result.image, image) for image in fails.images)


def test_the_copy_on_the_host_is_a_second_old_at_most(failing: Device) -> None:
    times = iter([0.0, 0.0, 0.9, 1.1, 1.1, 1.9])  # it looks at the clock, and once more when it copies
    state = RunState()
    kept = Kept(state, lambda: next(times))
    for value in (1.0, 2.0, 3.0, 4.0):
        state.best, state.best_loss = failing.xp.full((2, 2, 3), value), 10 - value
        kept.look()
    assert (kept.best()[0].max(), kept.best()[1]) == (4.0, 6.0), "while the device answers, what it has"
    LEDGER.fault = fault("runtime")
    assert (kept.best()[0].max(), kept.best()[1]) == (3.0, 7.0)
    with pytest.raises(DeviceError):
        Kept(state).best()


def test_on_the_host_nothing_is_copied() -> None:
    state = RunState(best=np.ones((2, 2, 3)))
    kept = Kept(state, lambda: pytest.fail("it looks at the clock"))
    kept.look()
    assert kept.best()[0].max() == 1
