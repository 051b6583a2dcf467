"""state.py: the best image is kept whatever follows, and a run goes on from its state as if it had not ended."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle.network.vgg import Network
from minstyle.optimize.adam import adam
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.loop import Event, run_stages
from minstyle.run.pictures import Pictures
from minstyle.run.result import Record
from minstyle.run.stages import plan_stages
from minstyle.run.state import RunState
from tests.support.small import picture

CONTENT, STYLE = picture(48, 60, 1), picture(40, 52, 2)


@settings(deadline=None, max_examples=25)
@given(rate=st.sampled_from([0.1, 1.0, 4.0]), count=st.integers(1, 30), seed=st.integers(0, 99))
def test_the_image_of_the_lowest_loss_is_kept(rate: float, count: int, seed: int) -> None:
    """Large steps of Adam overshoot: the loss goes up and down, and the best x must live through what follows."""
    seen: list[tuple[float, np.ndarray]] = []
    state = RunState()

    def bowl(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(((x - 2) ** 2).sum()), 2 * (x - 2)

    def watch(x: np.ndarray, loss: float) -> None:
        seen.append((loss, x.copy()))
        state.note(Record(len(seen), (3, 4), loss, {}), x, averaged=False)
        np.testing.assert_array_equal(state.best, min(seen, key=lambda pair: pair[0])[1])

    start = np.random.default_rng(seed).uniform(-5, 5, (3, 4, 5))
    adam(bowl, start, learning_rate=rate, iterations=count, on_evaluation=watch)
    assert state.best_loss == min(loss for loss, _ in seen)
    assert [record.loss for record in state.history] == [loss for loss, _ in seen]


def test_another_stage_begins_with_a_best_of_its_own_and_an_average_is_always_it() -> None:
    state, images = RunState(), [np.full((2, 2, 3), value) for value in (1.0, 2.0, 3.0)]
    state.note(Record(1, (2, 2), 5.0, {}, stage=1), images[0], averaged=False)
    state.note(Record(2, (2, 2), 9.0, {}, stage=2), images[1], averaged=False)
    assert state.best_loss == 9.0, "losses of different stages do not compare"
    state.note(Record(3, (2, 2), 11.0, {}, stage=2), images[2], averaged=True)
    np.testing.assert_array_equal(state.best, images[2])


RUNS = {
    "lbfgs": {"optimizer": "lbfgs", "detail": 1.0},
    "scipy": {},
    "smooth": {"bounds": "smooth"},
    "adam": {"optimizer": "adam", "learning_rate": 5.0},
    "averaged": {"optimizer": "adam", "learning_rate": 5.0, "averaging": 0.9, "bounds": "step"},
}


def short(changes: dict[str, Any]) -> Recipe:
    return dataclasses.replace(RECIPES["document"], sizes=(32, 40), rounds=2, evaluations=3, **changes)


@pytest.mark.parametrize("changes", RUNS.values(), ids=list(RUNS))
def test_a_run_goes_on_from_its_state_bit_for_bit(changes: dict[str, Any], tiny_network: Network) -> None:
    """After each round the state is written out as plain data; from each of these the run ends the same."""
    recipe = short(changes)
    pictures = Pictures(CONTENT, (STYLE,), recipe)
    stages = plan_stages(CONTENT.shape, recipe, tiny_network)
    saved: list[bytes] = []

    def tell(state: RunState, event: Event) -> bool:
        if event is Event.END_OF_ROUND:
            saved.append(pickle.dumps(state))
        return False

    whole = run_stages(stages, pictures, RunState(), tell)
    assert len(saved) == 4
    assert (whole.stage, whole.round, whole.image, whole.stopped) == (2, 0, None, False)
    for data in saved:
        state: RunState = pickle.loads(data)
        done = len(state.history)
        went_on = run_stages(stages, pictures, state, lambda state, event: False)
        assert went_on is state
        assert went_on.history == whole.history
        assert done == len(whole.history) or went_on.seconds > 0
        assert went_on.best_loss == whole.best_loss
        np.testing.assert_array_equal(went_on.best, whole.best)


def test_where_there_is_a_record_there_is_an_image() -> None:
    """Also when memory, or the user's patience, ends while the image is copied."""

    class Uncopied:
        def copy(self) -> None:
            raise MemoryError

    state = RunState()
    with pytest.raises(MemoryError):
        state.note(Record(1, (2, 2), 5.0, {}), Uncopied(), averaged=False)
    assert (state.history, state.best) == ([], None)


def test_a_stopped_run_says_so_and_has_its_best_image(tiny_network: Network) -> None:
    recipe = short({})
    stages = plan_stages(CONTENT.shape, recipe, tiny_network)
    pictures = Pictures(CONTENT, (STYLE,), recipe)
    state = run_stages(stages, pictures, RunState(), lambda state, event: event is Event.END_OF_ROUND)
    assert state.stopped
    assert (state.stage, state.round) == (0, 1)
    assert state.best is not None
    assert state.best.shape == (32, 40, 3)
    went_on = run_stages(stages, Pictures(CONTENT, (STYLE,), recipe), state, lambda state, event: False)
    assert (went_on.stage, went_on.stopped) == (2, False), "it was asked to stop once"
