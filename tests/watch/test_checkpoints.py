"""watch/checkpoints.py: written on a budget of time, whole or not at all, one generation kept, removed when asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.errors import FileError
from minstyle.notices import NO_CHECKPOINT, Notice
from minstyle.recipe.presets import RECIPES
from minstyle.run.observer import Plan
from minstyle.run.result import Record
from minstyle.run.state import RunState
from minstyle.run.statefile import load_state, read_state
from minstyle.watch import checkpoints as checkpoints_file
from minstyle.watch.checkpoints import SHARE, Checkpoints, checkpoint_of, generations


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now, self.writing = 0.0, 0.0

    def __call__(self) -> float:
        return self.now


def state_after(evaluations: int) -> RunState:
    records = [Record(n, (4, 4), 1.0 / n, {"tv": 1.0 / n}) for n in range(1, evaluations + 1)]
    image = np.full((4, 4, 3), float(evaluations), np.float32)
    best = image if records else None
    return RunState(round=evaluations, image=image, best=best, best_loss=0.5, history=records, before=evaluations)


def plan(done: int = 0) -> Plan:
    return Plan(RECIPES["document"], ((4, 4),), 10, history=tuple(state_after(done).history))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Of writing that takes ``writing`` seconds."""
    clock, write = Clock(), checkpoints_file.write_state

    def slow(*given: Any) -> None:
        write(*given)
        clock.now += clock.writing

    monkeypatch.setattr(checkpoints_file, "write_state", slow)
    return clock


def done(path: Path) -> int:
    return load_state(path).done


@pytest.mark.parametrize("writing", [0.01, 0.1, 1.0, 30.0])
def test_writing_takes_no_more_than_its_share_of_the_time(clock: Clock, tmp_path: Path, writing: float) -> None:
    clock.writing, path = writing, tmp_path / "out.png.checkpoint"
    observer = Checkpoints(path, {}, clock=clock)
    observer.start(plan())
    spent = 0.0
    for number in range(1, 401):
        clock.now += 5.0
        before = clock.now
        observer.border(state_after(number))
        spent += clock.now - before
    assert spent <= SHARE * clock.now + writing, "how long the first one takes is not known before"
    assert spent >= min(SHARE * clock.now, 400 * writing) - 2 * writing, "the share is used"


def test_a_state_that_has_grown_is_expected_to_take_longer(clock: Clock, tmp_path: Path) -> None:
    """The latest one, of another size, took next to nothing: at 100 MB a second the next takes 0.4 s."""
    clock.writing, path = 0.0, tmp_path / "out.png.checkpoint"
    observer = Checkpoints(path, {}, clock=clock)
    observer.start(plan())
    clock.now += 1.0
    observer.border(state_after(1))
    grown = state_after(2)
    grown.image = np.zeros((1000, 3334, 3), np.float32)  # 40 MB
    clock.now += 18.0
    observer.border(grown)
    assert done(path) == 1
    clock.now += 2.0
    observer.border(grown)
    assert done(path) == 2


def test_two_generations_are_kept_and_all_are_removed(clock: Clock, tmp_path: Path) -> None:
    path = checkpoint_of(tmp_path / "out.png")
    assert path.name == "out.png.checkpoint"
    observer = Checkpoints(path, {"name": "Löwe"}, clock=clock)
    observer.start(plan())
    for number, files in ((1, [path.name]), (2, [path.name, f"{path.name}.old"]), (3, [path.name, f"{path.name}.old"])):
        clock.now += 10
        observer.border(state_after(number))
        assert sorted(os.listdir(tmp_path)) == files
    assert (done(path), done(generations(path)[1])) == (3, 2)
    assert read_state(path)[1] == {"name": "Löwe"}
    generations(path)[2].write_bytes(b"what a kill left")
    observer.remove()
    assert os.listdir(tmp_path) == []
    observer.remove()


def test_another_runs_generation_does_not_outlive_the_first_of_this(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "c"
    for file in generations(path):
        file.write_bytes(b"another run's")
    observer = Checkpoints(path, {}, clock=clock)
    observer.start(plan())
    clock.now += 10
    observer.border(state_after(1))
    assert os.listdir(tmp_path) == ["c"]
    assert done(path) == 1


def test_a_run_that_goes_on_keeps_the_generation_that_it_went_on_from(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "c"
    first = Checkpoints(path, {}, clock=clock)
    first.start(plan())
    first.border(state_after(2))
    first.close(KeyboardInterrupt())
    second = Checkpoints(path, {}, clock=clock)
    second.start(plan(2))
    clock.now += 100
    second.border(state_after(2))
    assert os.listdir(tmp_path) == ["c"], "that is written already"
    second.border(state_after(3))
    assert (done(path), done(generations(path)[1])) == (3, 2)


@pytest.mark.parametrize(("error", "written"), [
    (KeyboardInterrupt(), True), (MemoryError(), True), (FileError("disk full"), True), (None, False),
    (SystemExit(), False),
])  # fmt: skip
def test_a_run_that_is_ended_early_writes_once_more(
    clock: Clock, tmp_path: Path, error: BaseException | None, written: bool
) -> None:
    observer = Checkpoints(tmp_path / "c", {}, clock=clock)
    observer.start(plan())
    observer.border(state_after(5))
    assert os.listdir(tmp_path) == [], "no time has passed"
    observer.close(error)
    assert os.listdir(tmp_path) == (["c"] if written else [])


def test_a_full_disk_ends_no_run_and_harms_no_checkpoint(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Notice] = []
    observer = Checkpoints(tmp_path / "c", {}, told.append, clock)
    observer.start(plan())
    clock.now += 10
    observer.border(state_after(1))
    write = checkpoints_file.write_state

    def full(state: RunState, path: Path, about: Any) -> None:
        path.write_bytes(b"half of it")
        raise FileError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(checkpoints_file, "write_state", full)
    for number in (2, 3):
        clock.now += 10
        observer.border(state_after(number))
    (notice,) = told
    assert notice.kind == NO_CHECKPOINT
    assert "No space left" in notice.text
    assert os.listdir(tmp_path) == ["c"]
    assert done(tmp_path / "c") == 1
    monkeypatch.setattr(checkpoints_file, "write_state", write)
    clock.now += 10
    observer.border(state_after(4))
    assert done(tmp_path / "c") == 4
