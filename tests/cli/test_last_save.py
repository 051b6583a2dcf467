"""The finished picture is never lost in its last save: another place and form for any error; signals wait for it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minstyle.job.output as output_file
from minstyle.cli.main import main
from minstyle.errors import ImageError
from minstyle.images import load_image, load_picture, read_text, save_picture
from minstyle.job.output import save_or_rescue
from minstyle.watch.interrupts import Interrupts
from minstyle.weights.__main__ import main as weights_main
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ERRORS = [
    OSError(errno.ENOSPC, "full"), MemoryError(), ImageError("out.png: too wide"), ValueError("no"), SystemError("no"),
    ZeroDivisionError("no"),
]  # fmt: skip
EVERY = [[], ["--compare", "document"]]
signalled = pytest.mark.parametrize("number", SIGNALS)
every_command = pytest.mark.parametrize("command", EVERY, ids=["a run", "a comparison"])


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, and no other place where the tests write: a home that is closed."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("HOME", str(folder / "none"))
    return folder


def saving(monkeypatch: pytest.MonkeyPatch, before: Callable[[Path], None]) -> None:
    """Call ``before`` with the path before any picture is written."""

    def watched(usual: Any) -> Callable[..., None]:
        def save(image: np.ndarray, path: Path, **settings: Any) -> None:
            before(path)
            usual(image, path, **settings)

        return save

    for module, name in (("run.saving", "picture"), ("job.output", "image"), ("job.comparison", "picture")):
        place, function = f"minstyle.{module}", f"save_{name}"
        monkeypatch.setattr(f"{place}.{function}", watched(getattr(sys.modules[place], function)))


def failing(studio: Studio, error: Exception) -> Callable[[Path], None]:
    def fail(path: Path) -> None:
        if path == studio.out:
            raise error

    return fail


def test_for_any_error_the_picture_is_saved_elsewhere_with_all_that_it_has(
    studio: Studio, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    opacity = np.ones((32, 40))
    opacity[:, :9] = 0.25
    save_picture(picture(32, 40, 1), studio.content, opacity=opacity, dpi=(300, 300))
    options = ["--quiet", "--depth", "16"]
    studio.image(*options)
    whole, text = load_picture(studio.out), read_text(studio.out)
    studio.out.unlink()
    for error in ERRORS:
        with monkeypatch.context() as patch:
            saving(patch, failing(studio, error))
            assert studio.run(*options) == 2, error
        (rescued,) = temporary.rglob("*.png")
        assert f"The picture was saved as {rescued} instead: move it" in told_in_one_line(capsys)
        found = load_picture(rescued)
        np.testing.assert_array_equal(found.image, whole.image)
        np.testing.assert_array_equal(np.asarray(found.opacity), np.asarray(whole.opacity))
        assert (found.depth, found.dpi, read_text(rescued)) == (16, whole.dpi, text)
        assert os.listdir(studio.results) == []
        rescued.unlink()


@every_command
def test_what_no_format_can_hold_is_saved_as_an_array(
    studio: Studio, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, command: list[str]
) -> None:
    """As where there is no memory for a picture's bytes."""

    def fail(path: Path) -> None:
        raise MemoryError

    saving(monkeypatch, fail)
    assert studio.run("--quiet", *command) == 2
    (rescued,) = (path for path in temporary.rglob("*") if path.is_file())
    assert (rescued.suffix, [path.name for path in temporary.iterdir()]) == (".npy", [rescued.parent.name])
    line = told_in_one_line(capsys)
    assert f"cannot write {studio.out}: not enough memory. The picture was saved as {rescued}" in line
    monkeypatch.undo()
    studio.image(*command)
    expected = load_image(studio.out)
    if not command:  # a sheet has seconds in it
        np.testing.assert_array_equal(np.rint(np.load(rescued)), expected)


def test_where_nothing_can_be_written_no_folder_stays(
    studio: Studio, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    assert studio.run("--quiet") == 2
    assert told_in_one_line(capsys).endswith(f"cannot write {studio.out}: {os.strerror(errno.ENOSPC)}")
    assert (os.listdir(temporary), os.listdir(studio.results)) == ([], [])


@every_command
def test_a_comparison_has_the_same_rescue(
    studio: Studio, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, command: list[str]
) -> None:
    saving(monkeypatch, failing(studio, MemoryError()))
    assert studio.run("--quiet", *command) == 2
    (rescued,) = temporary.rglob("picture.png")
    assert str(rescued) in told_in_one_line(capsys)


def test_the_checkpoint_stays_until_the_picture_is_at_its_place(
    studio: Studio, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    kept = studio.folder / "kept"
    monkeypatch.setattr("minstyle.watch.checkpoints.SHARE", 1e9)
    with monkeypatch.context() as patch:
        saving(patch, failing(studio, MemoryError()))
        assert studio.run("--quiet", "--optimizer", "adam", "--checkpoint", kept) == 2
    assert kept.exists()
    (rescued,) = temporary.rglob("picture.png")
    assert main(["--resume", str(kept), "--quiet"]) == 0
    np.testing.assert_array_equal(load_image(studio.out), load_image(rescued))
    assert not kept.exists()


# Signals


@signalled
@every_command
@pytest.mark.usefixtures("interruptible", "temporary")
def test_a_signal_waits_for_the_save(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, number: int, command: list[str]
) -> None:
    saving(monkeypatch, lambda path: os.kill(os.getpid(), number))
    assert studio.run("--quiet", *command) == 128 + number
    assert load_image(studio.out).ndim == 3
    assert os.listdir(studio.results) == ["out.png"]


@pytest.mark.usefixtures("interruptible", "temporary")
@every_command
@pytest.mark.parametrize(("first", "second", "seconds"), [
    (signal.SIGTERM, signal.SIGINT, 0), (signal.SIGTERM, signal.SIGTERM, 1.2),
])  # fmt: skip
def test_a_further_interrupt_or_a_later_signal_in_the_save_stops_at_once(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, command: list[str],
    first: int, second: int, seconds: float,
) -> None:  # fmt: skip
    clock = time.monotonic()
    monkeypatch.setattr("minstyle.signals.time.monotonic", lambda: clock)

    def twice(path: Path) -> None:
        nonlocal clock
        os.kill(os.getpid(), first)
        clock += seconds
        os.kill(os.getpid(), second)

    saving(monkeypatch, twice)
    assert studio.run("--quiet", *command) == 128 + second
    assert capsys.readouterr().err == "minstyle: stopped at once\n"
    assert os.listdir(studio.results) == []


together = pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGTERM, signal.SIGHUP), (signal.SIGHUP, signal.SIGHUP)]
)


@together
@every_command
@pytest.mark.usefixtures("interruptible", "temporary")
def test_signals_that_come_together_in_the_save_wait_for_it(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, command: list[str], first: int, second: int
) -> None:
    def both(path: Path) -> None:
        os.kill(os.getpid(), first)
        time.sleep(0.02)
        os.kill(os.getpid(), second)

    saving(monkeypatch, both)
    assert studio.run("--quiet", *command) == 128 + first
    assert load_image(studio.out).ndim == 3
    assert os.listdir(studio.results) == ["out.png"]


@together
@pytest.mark.usefixtures("interruptible")
def test_signals_that_come_together_end_the_run_with_its_picture(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, first: int, second: int
) -> None:
    usual = Interrupts.step

    def step(self: Interrupts, step: Any) -> None:
        if step.record.evaluation == 2:
            os.kill(os.getpid(), first)
            os.kill(os.getpid(), second)
        usual(self, step)

    monkeypatch.setattr(Interrupts, "step", step)
    assert studio.run("--no-checkpoint") == 128 + first
    captured = capsys.readouterr()
    assert ("interrupted after" in captured.out, "at once" in captured.err) == (True, False)
    assert load_image(studio.out).shape == (32, 40, 3)


@together
@pytest.mark.usefixtures("interruptible")
def test_signals_that_come_together_before_the_run_end_it_in_one_line(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, first: int, second: int
) -> None:
    def stop(*given: object, **named: object) -> None:
        try:
            os.kill(os.getpid(), first)
            time.sleep(5)
        finally:  # what is cleaned up is cleaned up whole
            os.kill(os.getpid(), second)

    monkeypatch.setattr("minstyle.job.job.load_networks", stop)
    assert studio.run("--quiet") == 128 + first
    assert capsys.readouterr() == ("", "minstyle: interrupted before there was a picture\n")
    assert os.listdir(studio.results) == []


@signalled
@pytest.mark.usefixtures("interruptible")
def test_a_signal_ends_a_comparison_with_what_was_made(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    usual = Interrupts.step

    def step(self: Interrupts, step: Any) -> None:
        if step.record.evaluation == 2:
            os.kill(os.getpid(), number)
        usual(self, step)

    monkeypatch.setattr(Interrupts, "step", step)
    assert studio.run("--quiet", "--compare", "document,johnson") == 128 + number
    assert load_image(studio.out).ndim == 3


@signalled
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("where", ["read_pictures", "load_networks", "_estimator", "writer", "check_memory"])
def test_a_signal_before_the_run_ends_it_in_one_line(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, number: int, where: str
) -> None:
    def stop(*given: object, **named: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(5)  # what goes on is noticed

    monkeypatch.setattr(f"minstyle.job.job.{where}", stop)
    before = [signal.getsignal(each) for each in SIGNALS]
    began = time.monotonic()
    assert studio.run("--quiet") == 128 + number
    assert time.monotonic() - began < 5
    assert capsys.readouterr() == ("", "minstyle: interrupted before there was a picture\n")
    assert os.listdir(studio.results) == []
    assert [signal.getsignal(each) for each in SIGNALS] == before


@signalled
@pytest.mark.usefixtures("interruptible")
def test_a_signal_while_weights_are_written_leaves_nothing(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, number: int
) -> None:
    def stop(*given: object) -> None:
        assert [path.name[:10] for path in studio.results.iterdir()] == [".minstyle."]
        os.kill(os.getpid(), number)

    monkeypatch.setattr("minstyle.files._finish", stop)
    assert weights_main(["convert", str(studio.network), str(studio.results / "new.h5")]) == 128 + number
    assert capsys.readouterr().err == "python -m minstyle.weights: interrupted\n"
    assert os.listdir(studio.results) == []


def test_without_anyone_who_holds_it_back_one_interrupt_does_not_lose_the_picture(tmp_path: Path) -> None:
    tries = []

    def save(image: np.ndarray, path: Path) -> None:
        tries.append(path)
        if len(tries) == 1:
            raise KeyboardInterrupt
        output_file.save_image(image, path)

    with pytest.raises(KeyboardInterrupt):
        save_or_rescue(picture(32, 40, 1), tmp_path / "out.png", save)
    np.testing.assert_array_equal(load_image(tmp_path / "out.png"), np.rint(picture(32, 40, 1)))


def test_a_run_in_the_background_is_stopped_with_its_picture(studio: Studio) -> None:
    """Where INT is ignored, as a shell's ``&`` has it; INT then does nothing."""
    given = studio.arguments(
        "--rounds", 100_000, "--factr", 0, "--pgtol", 0, "--trace", studio.trace, "--no-checkpoint"
    )
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); from minstyle.cli.main import main; "
    process = subprocess.Popen([sys.executable, "-c", f"{code}sys.exit(main())", *given], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip

    def lines() -> int:
        return studio.trace.read_text().count("\n") if studio.trace.is_file() else 0

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            end, count = time.monotonic() + 60, lines() + 3
            while lines() < count:
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.02)
            process.send_signal(number)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, error
    assert sorted(os.listdir(studio.results)) == ["out.png", "run.jsonl"]
    assert load_image(studio.out).shape == (32, 40, 3)
