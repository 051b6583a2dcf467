"""run/statefile.py: a run goes on from a file at any evaluation, bit for bit; damaged and hostile files are refused."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minstyle
from minstyle.errors import CheckpointError, FileError
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.observer import Observer, Step
from minstyle.run.result import Result
from minstyle.run.state import RunState
from minstyle.run.statefile import load_state, read_state, save_state, write_state
from minstyle.run.stylize import stylize
from tests.support.damaged import flipped_files, outcomes_in_child
from tests.support.small import picture

CONTENT, STYLE = picture(48, 60, 1), picture(40, 52, 2)
RUNS: dict[str, dict[str, Any]] = {
    "lbfgs": {"optimizer": "lbfgs", "detail": 1.0, "history": 3},
    "lbfgs smooth": {"optimizer": "lbfgs", "bounds": "smooth", "history": 2},
    "lbfgs to its end": {"optimizer": "lbfgs", "evaluations": 25, "tolerance": 0.5, "sizes": 32, "rounds": 1},
    "adam": {"optimizer": "adam", "learning_rate": 5.0},
    "adam smooth": {"optimizer": "adam", "learning_rate": 5.0, "bounds": "smooth"},
    "averaged": {"optimizer": "adam", "learning_rate": 5.0, "averaging": 0.9, "bounds": "step"},
    "averaged smooth": {"optimizer": "adam", "learning_rate": 5.0, "averaging": 0.9, "bounds": "smooth"},
    "scipy": {"optimizer": "scipy"},
}
every_run = pytest.mark.parametrize("changes", RUNS.values(), ids=list(RUNS))


@pytest.fixture(scope="module")
def network(tiny_weights: Weights) -> Network:
    return Network(tiny_weights)


def short(changes: dict[str, Any]) -> Recipe:
    base: dict[str, Any] = {"sizes": (32, 40), "rounds": 2, "evaluations": 4}
    return dataclasses.replace(RECIPES["document"], **{**base, **changes})


def run(network: Network, recipe: Recipe, state: RunState | None = None, observer: Observer | None = None) -> Result:
    observers = [] if observer is None else [observer]
    return stylize(CONTENT, [STYLE], recipe, network=network, observers=observers, state=state)


class Interrupter(Observer):
    def __init__(self, evaluation: int) -> None:
        self.evaluation = evaluation

    def step(self, step: Step) -> None:
        if step.record.evaluation == self.evaluation and not step.ends_round:
            raise KeyboardInterrupt


def same(one: Result, other: Result) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    assert one.history == other.history
    assert one.loss == other.loss


@every_run
def test_a_run_ended_at_any_evaluation_goes_on_from_a_file(
    changes: dict[str, Any], network: Network, tmp_path: Path
) -> None:
    """From the state itself too."""
    recipe = short(changes)
    whole = run(network, recipe)
    assert whole.error is None
    for evaluation in range(1, whole.evaluations + 1):
        state = RunState()
        ended = run(network, recipe, state, Interrupter(evaluation))
        assert isinstance(ended.error, KeyboardInterrupt)
        assert ended.evaluations == evaluation
        save_state(state, tmp_path / "state")
        loaded = load_state(tmp_path / "state")
        lost = evaluation - loaded.done  # an evaluation within an iteration; scipy's: within a round
        assert recipe.optimizer == "scipy" or lost <= 4
        same(run(network, recipe, loaded if evaluation % 5 else state), whole)


@every_run
def test_each_border_of_a_run_can_be_saved_and_saving_changes_nothing(
    changes: dict[str, Any], network: Network, tmp_path: Path
) -> None:
    recipe, borders = short(changes), list[int]()

    class Saver(Observer):
        def border(self, state: RunState) -> None:
            borders.append(state.done)
            assert state.done == len(state.history), "nothing would be lost"
            write_state(state, tmp_path / f"{len(borders)}", {"n": len(borders)})

    whole = run(network, recipe, observer=Saver())
    same(whole, run(network, recipe))
    assert borders[0] == 0
    assert borders == sorted(borders)
    assert borders[-1] == whole.evaluations
    for number in range(1, len(borders) + 1, 5):
        state, about = read_state(tmp_path / f"{number}")
        assert about == {"n": number}
        same(run(network, recipe, state), whole)


def test_a_failing_line_search_is_gone_on_from_too() -> None:
    """A loss whose gradient lies: no step lowers the loss, the history is let go, and the evaluations are counted."""
    from minstyle.optimize.lbfgs import lbfgs

    def lying(x: np.ndarray) -> tuple[float, np.ndarray]:
        sign = -1.0 if np.abs(x).max() < 3 else 1.0
        return float((x**4).sum()), sign * 4 * x**3

    start = np.full((2, 2, 3), 8.0)
    losses: list[float] = []
    borders: list[tuple[int, Any]] = []

    def border(x: np.ndarray, state: Any, evaluations: int, iterations: int) -> None:
        borders.append((evaluations, dataclasses.replace(
            state, steps=state.steps.copy(), changes=state.changes.copy(), products=state.products.copy(),
            order=list(state.order))))  # fmt: skip

    def note(x: np.ndarray, loss: float) -> None:
        losses.append(loss)

    lbfgs(lying, start, evaluations=60, history=2, on_evaluation=note, on_iteration=border)
    counts = [count for count, _ in borders]
    assert max(np.diff(counts)) >= 10, "a line search in vain"
    for count, state in borders:
        rest: list[float] = []
        lbfgs(lying, start, evaluations=60 - count, history=2, state=state,
              on_evaluation=lambda x, loss, to=rest: to.append(loss))  # fmt: skip
        assert losses[:count] + rest == losses


def test_a_state_torn_while_the_optimiser_worked_begins_its_round_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    import minstyle.optimize.lbfgs as lbfgs_file

    recipe = short(RUNS["lbfgs"])
    whole, state, learn, left = run(network, recipe), RunState(), lbfgs_file._learn, iter(range(100))

    def torn(state: Any, step: np.ndarray, *others: Any) -> None:
        if next(left) == 7:
            state.steps[:] = 1
            raise KeyboardInterrupt
        learn(state, step, *others)

    monkeypatch.setattr(lbfgs_file, "_learn", torn)
    ended = run(network, recipe, state)
    assert isinstance(ended.error, KeyboardInterrupt)
    assert state.midway is None
    assert 0 < state.done < ended.evaluations
    same(run(network, recipe, state), whole)


def test_an_interrupt_is_raised_where_that_is_asked_for(network: Network) -> None:
    def ended(**given: Any) -> Result:
        return stylize(CONTENT, [STYLE], short({}), network=network, observers=[Interrupter(3)], **given)

    assert isinstance(ended().error, KeyboardInterrupt)
    state = RunState()
    with pytest.raises(KeyboardInterrupt):
        ended(on_interrupt="raise", state=state)
    assert len(state.history) == 3
    with pytest.raises(minstyle.MinstyleError, match="on_interrupt: expected return or raise, got 'ignore'"):
        ended(on_interrupt="ignore")


def test_the_library_has_the_names() -> None:
    assert (minstyle.RunState, minstyle.save_state, minstyle.load_state) == (RunState, save_state, load_state)


# The states of other runs


@pytest.fixture
def lbfgs_state(network: Network) -> RunState:
    state = RunState()
    run(network, short(RUNS["lbfgs"]), state, Interrupter(7))
    assert state.midway is not None
    assert state.stage == 0
    return state


@pytest.mark.parametrize(("changes", "words"), [
    ({**RUNS["lbfgs"], "sizes": (36, 40)}, "(32, 40, 3)"), ({**RUNS["lbfgs"], "history": 4}, "pairs"),
    (RUNS["adam"], "optimizer: expected adam, got lbfgs"), (RUNS["scipy"], "optimizer"),
    ({**RUNS["lbfgs"], "rounds": 1}, "round"),
])  # fmt: skip
def test_the_state_of_another_run_is_refused(
    lbfgs_state: RunState, network: Network, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(CheckpointError) as caught:
        run(network, short(changes), lbfgs_state)
    assert words in str(caught.value)
    assert str(caught.value).startswith("state of a run: ")


# Files that are no states


def test_a_file_that_is_not_there_and_one_that_cannot_be_written(lbfgs_state: RunState, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="gone not found: expected the checkpoint of a run"):
        load_state(tmp_path / "gone")
    with pytest.raises(FileError, match="cannot write"):
        save_state(lbfgs_state, tmp_path / "no folder" / "state")
    assert os.listdir(tmp_path) == []


@pytest.fixture
def good(lbfgs_state: RunState, tmp_path: Path) -> Path:
    save_state(lbfgs_state, tmp_path / "state")
    return tmp_path / "state"


def edited(path: Path, edit: Callable[[dict[str, Any], dict[str, np.ndarray]], Any], packed: bool = False) -> Path:
    """The file with its text and arrays changed."""
    with np.load(path) as file:
        arrays = dict(file)
    text = json.loads(arrays.pop("text").tobytes())
    edit(text, arrays)
    arrays["text"] = np.frombuffer(json.dumps(text).encode(), np.uint8)
    save: Any = np.savez_compressed if packed else np.savez
    with open(path, "wb") as written:
        save(written, **arrays)
    return path


EDITS: dict[str, Callable[[dict[str, Any], dict[str, np.ndarray]], Any]] = {
    "another format": lambda text, arrays: text.update(format="x"),
    "another version": lambda text, arrays: text.update(version=2),
    "no history": lambda text, arrays: text.update(history=None),
    "a history too short": lambda text, arrays: text.update(history=[]),
    "more done than there is": lambda text, arrays: text.update(before=1000),
    "stage below 0": lambda text, arrays: text.update(stage=-1),
    "stage of no number": lambda text, arrays: text.update(stage="0"),
    "stage true": lambda text, arrays: text.update(stage=True),
    "round without end": lambda text, arrays: text.update(round=10**30),
    "seconds infinite": lambda text, arrays: text.update(seconds=float("inf")),
    "seconds NaN": lambda text, arrays: text.update(seconds=float("nan")),
    "no midway": lambda text, arrays: text.pop("midway"),
    "midway a number": lambda text, arrays: text.update(midway=3),
    "another kind": lambda text, arrays: text["midway"].update(kind="sgd"),
    "a kind that is a list": lambda text, arrays: text["midway"].update(kind=[]),
    "order twice": lambda text, arrays: text["midway"].update(order=[1, 1]),
    "order beyond": lambda text, arrays: text["midway"].update(order=[10**6]),
    "losses are none": lambda text, arrays: text["midway"].update(losses=None),
    "many losses": lambda text, arrays: text["midway"].update(losses=[1.0] * 21),
    "losses of text": lambda text, arrays: text["midway"].update(losses=["1"]),
    "x missing": lambda text, arrays: arrays.pop("x"),
    "x of another shape": lambda text, arrays: arrays.update(x=arrays["x"][:-1]),
    "x of whole numbers": lambda text, arrays: arrays.update(x=arrays["x"].astype(int)),
    "x of text": lambda text, arrays: arrays.update(x=np.array(["a"])),
    "x NaN": lambda text, arrays: arrays.update(x=arrays["x"] * np.nan),
    "x turned": lambda text, arrays: arrays.update(x=np.asfortranarray(arrays["x"])),
    "gradient infinite": lambda text, arrays: arrays.update(gradient=arrays["gradient"] * np.inf),
    "gradient of twice the bytes": lambda text, arrays: arrays.update(gradient=arrays["gradient"].astype("f8")),
    "products not square": lambda text, arrays: arrays.update(products=arrays["products"][:1]),
    "a pair missing": lambda text, arrays: arrays.pop("step0"),
    "a pair too short": lambda text, arrays: arrays.update(change0=arrays["change0"][:-1]),
    "no best image": lambda text, arrays: arrays.pop("best"),
    "image of four channels": lambda text, arrays: arrays.update(image=np.zeros((32, 40, 4))),
    "image of no pixels": lambda text, arrays: arrays.update(image=np.zeros((0, 40, 3))),
    "terms of numbers": lambda text, arrays: text["history"][0].update(terms=[1, 2]),
    "terms that clear the screen": lambda text, arrays: text["history"][0].update(terms=["\x1b[2J"]),
    "history of another width": lambda text, arrays: arrays.update(history0=arrays["history0"][:, :1]),
    "shape of a history": lambda text, arrays: text["history"][0].update(shape=[32]),
    "about a list": lambda text, arrays: text.update(about=[]),
    "adam without moments": lambda text, arrays: text.update(adam={"steps": 1, "averaged": 0}),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_state_with_a_lie_is_refused_in_one_line(good: Path, name: str) -> None:
    edited(good, EDITS[name])
    with pytest.raises(CheckpointError) as caught:
        load_state(good)
    message = str(caught.value)
    assert message.startswith(f"{good}: ")
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert len(message) < 600


def test_packed_records_pickles_and_absurd_sizes_are_refused(good: Path, tmp_path: Path) -> None:
    edited(good, lambda text, arrays: None)
    load_state(good)
    edited(good, lambda text, arrays: arrays.update(best=np.zeros((2000, 2000, 3))), packed=True)
    with pytest.raises(CheckpointError, match="not packed"):
        load_state(good)
    header = io.BytesIO()
    described: Any = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6, 3)}
    np.lib.format.write_array_header_1_0(header, described)
    others = {
        "deep": b"(" * 65535,
        "unended": b"{'descr': (",
        "digits": b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"1" * 60000,
    }
    headers = {name: b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text for name, text in others.items()}
    for name, data in {"huge": header.getvalue(), "start": b"\x93NUM", **headers}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("text.npy", data)
        with pytest.raises(CheckpointError):
            load_state(tmp_path / name)
    with open(tmp_path / "pickle", "wb") as file:
        np.savez(file, text=np.array([{}], object))
    with pytest.raises(CheckpointError):
        load_state(tmp_path / "pickle")
    with zipfile.ZipFile(tmp_path / "texts", "w") as archive:
        text = np.frombuffer(b"[" * 900_000, np.uint8)
        buffer = io.BytesIO()
        np.save(buffer, text)
        archive.writestr("text.npy", buffer.getvalue())
    with pytest.raises(CheckpointError):
        load_state(tmp_path / "texts")


def test_cut_and_flipped_files_are_refused(good: Path, tmp_path: Path) -> None:
    """In a process of its own. The archive's checksums see to it that no flipped number is taken for the right one."""
    flipped = flipped_files(good, 300)
    data = good.read_bytes()
    for part in range(64):
        (flipped / f"cut{part}").write_bytes(data[: len(data) * part // 64])
    outcomes = outcomes_in_child("minstyle.run.statefile.load_state", flipped, error="CheckpointError")
    wrong = {name: what for name, what in outcomes.items() if what not in ("refused", "valid")}
    assert wrong == {}
    valid = [name for name, what in outcomes.items() if what == "valid"]
    assert all(not name.startswith("cut") for name in valid)
    for name in valid:  # bits that nobody reads: times, names of systems
        assert load_state(flipped / name).history == load_state(good).history
