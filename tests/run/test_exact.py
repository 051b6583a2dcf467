"""run/exact.py: the last evaluations of a run in float32; on CuPy's double, by what its kernels are asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minstyle.backend import CPU, Device, choose_device
from minstyle.engine.kernels import Replay
from minstyle.engine.kernels.gpu.precision import precision
from minstyle.errors import OptimizeError
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import IMAGE, Term
from minstyle.run import loop
from minstyle.run.observer import Observer, Step
from minstyle.run.result import Result
from minstyle.run.state import RunState
from minstyle.run.stylize import stylize
from minstyle.style.objective import Objective, build_objective
from tests.support import cupy_double
from tests.support.small import picture

CONTENT, STYLE = picture(32, 36, 1), picture(36, 32, 2)
SHORT = dataclasses.replace(RECIPES["gram"], sizes=(36,), scales=1, draft="none", rounds=1, evaluations=(4,))

TV = Recipe("tv", (Term("tv_sum", IMAGE),))


@pytest.fixture
def double() -> Iterator[Device]:
    with cupy_double.installed():
        yield choose_device("gpu")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The precision of each evaluation. As if factors were rounded, though of float64: those of TF32 are off by 2 %."""
    evaluate, found = Objective._evaluate, list[str]()

    def noted(self: Objective, array: Any) -> Any:
        found.append(precision())
        scalars, dx = evaluate(self, array)
        return (scalars * 1.02 if precision() != "fp32" else scalars), dx

    monkeypatch.setattr(Objective, "_evaluate", noted)
    monkeypatch.setattr(Replay, "__call__", lambda self, function, x: function(x))  # what is replayed asks nobody
    monkeypatch.setattr(Objective, "rounds", property(lambda self: self.network.precision == "tf32"))
    return found


class Stops(Observer):
    def __init__(self, evaluation: int) -> None:
        self.evaluation = evaluation

    def step(self, step: Step) -> bool:
        return step.record.evaluation == self.evaluation


def run(
    network: Network, observers: tuple[Observer, ...] = (), state: RunState | None = None, **changes: Any
) -> Result:
    recipe = dataclasses.replace(SHORT, **changes)
    return stylize(CONTENT, [STYLE], recipe, network=network, observers=observers, state=state)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "scipy"])
def test_the_reported_loss_is_of_float32(
    optimizer: str, tiny_weights: Weights, double: Device, asked: list[str]
) -> None:
    result = run(Network(tiny_weights, double, np.float64, "tf32"), optimizer=optimizer)
    assert asked[-1] == "fp32"
    assert set(asked[:-1]) == {"tf32"}
    assert result.loss == result.history[-1].loss
    if optimizer != "scipy":
        assert len(asked) == 4, "within the budget"
    exact = run(Network(tiny_weights, double, np.float64, "fp32"), optimizer=optimizer)
    assert set(asked[-len(exact.history) :]) == {"fp32"}


def test_lbfgs_evaluates_anew_and_keeps_its_pairs(tiny_weights: Weights, double: Device, asked: list[str]) -> None:
    """A loss that falls by 2 % all at once is no fall, and one that rises is no failed step."""
    network = Network(tiny_weights, double, np.float64, "tf32")
    result = run(network, evaluations=(8,))
    losses = [record.loss for record in result.history]
    assert asked == ["tf32"] * 7 + ["fp32"]
    assert losses[7] == pytest.approx(losses[6] / 1.02, rel=1e-9), "the same image"


def test_a_run_that_ends_early_is_evaluated_once_more(tiny_weights: Weights, double: Device, asked: list[str]) -> None:
    result = run(Network(tiny_weights, double, np.float64, "tf32"), evaluations=(30,), iterations=2)
    assert asked == ["tf32"] * (len(asked) - 1) + ["fp32"]
    assert result.loss == result.history[-1].loss


def test_only_the_last_round_of_the_last_size(tiny_weights: Weights, double: Device, asked: list[str]) -> None:
    run(Network(tiny_weights, double, np.float64, "tf32"), sizes=(36, 40), rounds=2, evaluations=(2, 2))
    assert len(asked) >= 8
    assert asked == ["tf32"] * (len(asked) - 1) + ["fp32"]


@pytest.mark.parametrize("stop", [6, 7, 8])
def test_a_run_goes_on_over_the_change_bit_for_bit(
    stop: int, tiny_weights: Weights, double: Device, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minstyle.run.exact.SHARE", 0.3)  # two of eight
    network, state = Network(tiny_weights, double, np.float64, "tf32"), RunState()
    whole = run(network, evaluations=(8,))
    assert asked == ["tf32"] * 6 + ["fp32"] * 2
    run(network, (Stops(stop),), state, evaluations=(8,))
    rest = run(network, state=state, evaluations=(8,))
    np.testing.assert_array_equal(rest.image, whole.image)
    assert rest.loss == whole.loss


def test_only_products_of_float32_on_a_device_are_rounded(tiny_weights: Weights, double: Device) -> None:
    cases = [(double, np.float32, None, True), (double, np.float32, "fp16", True), (double, np.float32, "fp32", False),
             (double, np.float64, "tf32", False), (CPU, np.float32, "tf32", False)]  # fmt: skip
    for device, dtype, name, rounds in cases:
        network = Network(tiny_weights, device, dtype, name)
        assert build_objective(CONTENT, [], TV, network).rounds == rounds


def test_no_number_in_half_precision_names_the_precision_that_has_more_of_them(
    tiny_weights: Weights, double: Device
) -> None:
    objective = build_objective(CONTENT, [], TV, Network(tiny_weights, double, np.float32, "fp16"))
    found = loop._explained(OptimizeError("no number"), objective, None)
    assert str(found) == "no number; half precision ends at 1e6, try --precision tf32 first"
    objective = build_objective(CONTENT, [], TV, Network(tiny_weights, double, np.float32))
    bad = np.full_like(CONTENT, np.nan)
    assert str(loop._explained(OptimizeError("no number"), objective, bad)) == f"{TV.terms[0].name}: no number"
