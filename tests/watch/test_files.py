"""watch/trace.py and watch/snapshots.py: what is written of a run: its trace and its snapshots."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from minstyle.errors import FileError, ImageError
from minstyle.images import load_image
from minstyle.network.vgg import Network
from minstyle.run.observer import Observer, Step
from minstyle.watch.snapshots import Snapshots
from minstyle.watch.trace import Trace
from tests.support.observers import Watcher, run, step_at

# Trace


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a trace, which must be strict JSON, one whole line each."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_a_trace_has_one_line_an_evaluation(tiny_network: Network, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("a trace of yesterday\n")
    result = run(tiny_network, [Trace(path)])
    records = lines(path)
    assert [set(record) for record in records] == [
        {"shape", "round", "evaluation", "loss", "terms", "seconds", "stage"}
    ] * result.evaluations
    assert [(r["evaluation"], tuple(r["shape"]), r["loss"], r["terms"], r["stage"]) for r in records] == [
        dataclasses.astuple(record) for record in result.history
    ]
    assert {record["round"] for record in records} == {1, 2}
    assert os.listdir(tmp_path) == ["run.jsonl"]


def test_a_trace_can_be_followed_while_the_run_goes(tiny_network: Network, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    counts: list[tuple[int, int]] = []

    class Follower(Observer):
        def step(self, step: Step) -> None:
            counts.append((len(lines(path)), step.record.evaluation))

    run(tiny_network, [Trace(path), Follower()])
    assert counts
    assert all(written == evaluation for written, evaluation in counts)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder of a user who is not allowed everything, as root is, and that user at work."""
    with tempfile.TemporaryDirectory() as name:
        user = 65534 if os.geteuid() == 0 else os.geteuid()
        os.chown(name, user, -1)
        before = os.geteuid()
        os.seteuid(user)
        try:
            yield Path(name)
        finally:
            os.chmod(name, 0o700)
            os.seteuid(before)


def test_a_trace_that_only_its_folder_lets_be_written_is_refused_before_the_run(own_folder: Path) -> None:
    path = own_folder / "run.jsonl"
    path.write_text("a trace of yesterday\n")
    path.chmod(0o400)
    with pytest.raises(FileError, match=f"^cannot write {path}: Permission denied$"):
        Trace(path)
    assert os.listdir(own_folder) == ["run.jsonl"]


def test_a_trace_in_a_closed_folder_is_written_in_its_place(tiny_network: Network, own_folder: Path) -> None:
    path = own_folder / "run.jsonl"
    path.touch()
    own_folder.chmod(0o500)
    result = run(tiny_network, [Trace(path)])
    assert len(lines(path)) == result.evaluations
    with pytest.raises(FileError, match="Permission denied"):
        Trace(own_folder / "new.jsonl")


@pytest.mark.parametrize("there", [True, False], ids=["a file", "no file yet"])
def test_before_the_run_a_trace_changes_nothing(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    if there:
        target.write_text("a trace of yesterday\n")
    link.symlink_to(target)
    Trace(link)
    assert (link.is_symlink(), target.exists()) == (True, there)
    assert not there or target.read_text() == "a trace of yesterday\n"


@pytest.mark.parametrize(
    "make", [Trace, Snapshots, lambda path: Snapshots(path, 5)], ids=["trace", "rounds", "every 5"]
)
def test_a_place_that_cannot_be_written_is_told_before_the_run(make: Any, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=f"the folder {tmp_path / 'gone'} does not exist"):
        make(tmp_path / "gone" / "out.png")
    assert os.listdir(tmp_path) == []


def test_snapshots_of_an_unknown_format_are_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"unknown extension '\.gif'"):
        Snapshots(tmp_path / "out.gif")


@pytest.mark.parametrize("kind", ["trace", "snapshots"])
def test_a_folder_that_goes_away_ends_the_run_with_the_picture(
    tiny_network: Network, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()

    class Remover(Observer):
        def step(self, step: Step) -> None:
            if step.record.evaluation == 3:
                shutil.rmtree(folder)

    watcher = Watcher()
    writer = Trace(folder / "out.png") if kind == "trace" else Snapshots(folder / "out.png", 3)
    result = run(tiny_network, [watcher, Remover(), writer])
    assert isinstance(result.error, FileError)
    assert str(folder / "out") in str(result.error)
    assert result.evaluations == 3
    np.testing.assert_array_equal(result.image, watcher.best().clip(0, 255))


# Snapshots


def test_snapshots_every_n_evaluations(tiny_network: Network, tmp_path: Path) -> None:
    watcher = Watcher()
    result = run(tiny_network, [watcher, Snapshots(tmp_path / "out.png", every=2)])
    numbers = range(2, result.evaluations + 1, 2)
    assert sorted(os.listdir(tmp_path)) == [f"out_eval{number:04d}.png" for number in numbers]
    images = {s.record.evaluation: i for s, i in zip(watcher.steps, watcher.images, strict=True) if not s.ends_round}
    for number in numbers:
        expected = np.rint(images[number]).clip(0, 255)
        np.testing.assert_array_equal(load_image(tmp_path / f"out_eval{number:04d}.png"), expected)


def test_snapshots_after_each_round(tiny_network: Network, tmp_path: Path) -> None:
    result = run(tiny_network, [Snapshots(tmp_path / "out.PNG")])
    assert sorted(os.listdir(tmp_path)) == ["out_round01.PNG", "out_round02.PNG"]
    first, last = (load_image(tmp_path / f"out_round0{i}.PNG") for i in (1, 2))
    np.testing.assert_array_equal(last, np.rint(result.image))
    assert np.abs(first - last).max() > 0


def test_the_image_is_computed_only_when_it_is_saved(tmp_path: Path) -> None:
    asked: list[int] = []

    def image() -> np.ndarray:
        asked.append(evaluation)
        return np.zeros((4, 4, 3))

    snapshots = Snapshots(tmp_path / "out.png", every=3)
    for evaluation in range(1, 10):
        snapshots.step(step_at(evaluation, image))
        snapshots.step(dataclasses.replace(step_at(evaluation, image), ends_round=True))
    assert asked == [3, 6, 9]
