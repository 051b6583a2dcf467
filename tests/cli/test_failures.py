"""cli/main.py: interrupts, full disks, a lack of memory: one line each, and no picture is lost or half written."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minstyle.run.loop as loop
from minstyle.cli.main import _Announce as Announce
from minstyle.images import load_image
from minstyle.run.observer import Observer, Plan
from minstyle.style.objective import Evaluation, Objective
from minstyle.watch.checkpoints import Checkpoints
from minstyle.watch.contact_sheet import Sheet
from minstyle.watch.plot import Plot
from minstyle.watch.progress import Progress
from minstyle.watch.snapshots import Snapshots
from minstyle.watch.trace import Trace
from tests.support.studio import SUMMARY, Captured, Studio, last_line, told_in_one_line

# Interrupts


def fail_at(monkeypatch: pytest.MonkeyPatch, number: int, error: type[BaseException]) -> None:
    """Make the run's objective raise at that evaluation; what is tried for the estimate does not count."""
    build, left = loop.build_objective, iter(range(number - 1, -1, -1))

    def built(*args: Any, **settings: Any) -> Objective:
        objective = build(*args, **settings)
        evaluate = objective.evaluate

        def counted(image: np.ndarray, precision: str | None = None) -> Evaluation:
            if next(left) == 0:
                raise error
            return evaluate(image, precision)

        monkeypatch.setattr(objective, "evaluate", counted)
        return objective

    monkeypatch.setattr(loop, "build_objective", built)


def test_an_interrupt_saves_the_best_picture_so_far(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert studio.run("--save-every", "3") == 0
    third = (studio.results / "out_eval0003.png").read_bytes()
    capsys.readouterr()
    fail_at(monkeypatch, 4, KeyboardInterrupt)
    assert studio.run() == 130
    captured = capsys.readouterr()
    summary = SUMMARY.fullmatch(last_line(captured.out))
    assert summary is not None
    assert (summary["word"], summary["evaluations"]) == ("interrupted", "3")
    assert studio.out.read_bytes() == third
    assert "Traceback" not in captured.err


def test_an_interrupt_before_the_first_evaluation_writes_nothing(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    fail_at(monkeypatch, 1, KeyboardInterrupt)
    assert studio.run("--quiet") == 130
    assert capsys.readouterr() == ("", "minstyle: interrupted before there was a picture\n")
    assert os.listdir(studio.results) == []


@pytest.mark.usefixtures("interruptible")
def test_control_c_in_a_process_of_its_own(studio: Studio) -> None:
    done = studio.signalled(signal.SIGINT, "--rounds", 100_000, "--factr", 0, "--pgtol", 0)
    assert done.returncode == 130, done.stderr
    summary = SUMMARY.fullmatch(last_line(done.stdout))
    assert summary is not None
    assert summary["word"] == "interrupted"
    assert "Traceback" not in done.stderr
    assert load_image(studio.out).shape == (32, 40, 3)
    left = sorted(os.listdir(studio.results))
    # A run of so many rounds is a long one, which has a checkpoint to go on from.
    assert [name for name in left if name != "out.png.checkpoint.old"] == ["out.png", "out.png.checkpoint", "run.jsonl"]


OBSERVERS = (Progress, Announce, Trace, Plot, Sheet, Snapshots, Checkpoints)


@pytest.mark.parametrize("observer", OBSERVERS, ids=lambda observer: observer.__name__)
@pytest.mark.parametrize("late", [False, True], ids=["at first", "at last"])
def test_an_interrupt_while_an_observer_starts(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, observer: type[Observer], late: bool
) -> None:
    start = observer.start

    def interrupted(self: Observer, plan: Plan) -> None:
        if late:
            start(self, plan)
        raise KeyboardInterrupt

    monkeypatch.setattr(observer, "start", interrupted)
    beside = ("--trace", studio.trace, "--plot", studio.results / "p.svg", "--sheet", studio.results / "s.png")
    assert studio.run(*beside, "--save-every", "1", "--checkpoint", studio.results / "kept") == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == "minstyle: interrupted before there was a picture"
    assert "Traceback" not in captured.err
    assert set(os.listdir(studio.results)) <= {studio.trace.name}


def fill_disk(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """No file can be put under a name that begins with ``place``."""
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if str(target).startswith(str(place)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)


@pytest.fixture
def full_disk(studio: Studio, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results' folder is full when the picture is saved; the folder for temporary files is not, and is returned."""
    rescue = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(rescue))
    fill_disk(monkeypatch, studio.results)
    return rescue


def test_a_picture_that_cannot_be_saved_is_rescued(
    studio: Studio, full_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert studio.run("--quiet") == 2
    line = told_in_one_line(capsys)
    (rescued,) = (path for path in full_disk.rglob("*") if path.is_file())
    assert f"cannot write {studio.out}: {os.strerror(errno.ENOSPC)}" in line
    assert str(rescued) in line
    assert os.listdir(studio.results) == []
    monkeypatch.undo()
    expected = load_image(rescued)
    studio.image()
    np.testing.assert_array_equal(load_image(studio.out), expected)


def test_a_rescue_overwrites_no_file_of_that_name(studio: Studio, full_disk: Path, capsys: Captured) -> None:
    (full_disk / "out.png").write_bytes(b"someone's picture")
    assert studio.run("--quiet") == 2
    assert (full_disk / "out.png").read_bytes() == b"someone's picture"
    (rescued,) = (path for path in full_disk.rglob("*") if path.is_file() and path != full_disk / "out.png")
    assert str(rescued) in told_in_one_line(capsys)


# What stands between the run and a file beside the picture that the disk refuses.
BESIDE = {
    "out_eval0002.png": ("--save-every", "2"),
    "run.svg": ("--plot", "run.svg"),
    "sheet.png": ("--sheet", "sheet.png"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_cannot_be_written_beside_the_picture_ends_nothing(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, name: str
) -> None:
    monkeypatch.chdir(studio.results)
    expected = studio.image()
    fill_disk(monkeypatch, Path(name) if name in BESIDE[name] else studio.results / name)
    assert studio.run(*BESIDE[name]) == 2
    captured = capsys.readouterr()
    summary = SUMMARY.fullmatch(last_line(captured.out))
    assert summary is not None
    assert (summary["word"], summary["evaluations"]) == ("painted", "5")
    told = [line for line in captured.err.splitlines() if "error" in line]
    assert len(told) == 1
    assert re.search(rf"^minstyle: error: cannot write .*{name}: No space left", told[0])
    assert captured.err.splitlines()[-1] == told[0]
    assert studio.out.read_bytes() == expected
    assert set(os.listdir(studio.results)) <= {"out.png", "out_eval0004.png"}


def test_a_trace_whose_disk_is_full_for_a_while_has_whole_lines(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Half of the second line is written; then there is room again."""
    expected, write, count = studio.image(), Trace._write, iter(range(100))

    def half(trace: Trace, mode: str, text: str) -> None:
        if next(count) == 2:
            limit = (studio.trace.stat().st_size + len(text) // 2, resource.RLIM_INFINITY)
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)  # Python ignores the signal that comes with it
        try:
            write(trace, mode, text)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    monkeypatch.setattr(Trace, "_write", half)
    assert studio.run("--quiet", "--trace", studio.trace) == 2
    assert f"cannot write {studio.trace}: File too large" in told_in_one_line(capsys)
    assert studio.out.read_bytes() == expected
    assert [json.loads(line)["evaluation"] for line in studio.trace.read_text().splitlines()] == [1, 3, 4, 5]


@pytest.mark.skipif(
    sys.platform != "linux", reason="needs a system that keeps running programs from being opened to write"
)
def test_a_trace_that_cannot_be_written_is_told_before_the_run(studio: Studio, capsys: Captured) -> None:
    """Its folder can be: a program lies there that runs, which may be replaced, and not be opened."""
    shutil.copy(shutil.which("cat") or "", studio.trace)
    with subprocess.Popen(["cat"], executable=studio.trace, stdin=subprocess.PIPE):
        assert studio.run("--quiet", "--trace", studio.trace) == 2
    assert f"cannot write {studio.trace}: {os.strerror(errno.ETXTBSY)}" in told_in_one_line(capsys)
    assert os.listdir(studio.results) == [studio.trace.name]


@pytest.mark.parametrize("number", [1, 3])
def test_a_lack_of_memory_is_told_in_one_line(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, number: int
) -> None:
    fail_at(monkeypatch, number, MemoryError)
    assert studio.run("--quiet") == 2
    assert "memory" in told_in_one_line(capsys)
    assert os.listdir(studio.results) == (["out.png"] if number > 1 else []), "what there was is saved"
