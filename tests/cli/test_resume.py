"""cli: checkpoints, interrupts and --resume: what was ended goes on, to the same picture; another job is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.cli.main import main
from minstyle.images import load_image, save_image
from minstyle.job import checkpoint as checkpoint_file
from minstyle.network.weightfile import write_weights
from minstyle.run.observer import Step
from minstyle.run.statefile import load_state, read_state, write_state
from minstyle.signals import StopAskedError
from minstyle.watch import checkpoints as checkpoints_file
from minstyle.watch.interrupts import Interrupts
from tests.support.small import picture, random_weights
from tests.support.studio import Captured, Studio, told_in_one_line

RUNS = {
    "lbfgs": ["--optimizer", "lbfgs", "--bounds", "smooth"],
    "adam": ["--optimizer", "adam", "--averaging", "0.9", "--bounds", "step"],
    "scipy": ["--optimizer", "scipy"],
}
BUDGET = ["--rounds", "2", "--evaluations", "6", "--quiet"]
LBFGS = [*RUNS["lbfgs"], *BUDGET]


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run counts as one that takes more than a minute."""
    monkeypatch.setattr(checkpoint_file, "_LONG", 0.0)


def interrupt_at(monkeypatch: pytest.MonkeyPatch, evaluation: int, number: int = signal.SIGINT) -> None:
    """Ask the run for its end at that evaluation, as a signal does."""

    def step(self: Interrupts, step: Step) -> None:
        if step.record.evaluation == evaluation:
            raise StopAskedError(number)

    monkeypatch.setattr(Interrupts, "step", step)


def ended(studio: Studio, monkeypatch: pytest.MonkeyPatch, *options: object, evaluation: int = 9) -> None:
    """Run, and end the run at an evaluation."""
    with monkeypatch.context() as patch:
        interrupt_at(patch, evaluation)
        assert studio.run(*options) == 130


def files(studio: Studio) -> list[str]:
    return sorted(os.listdir(studio.results))


# Going on


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("options", RUNS.values(), ids=list(RUNS))
def test_an_interrupted_run_goes_on_to_the_same_picture(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, options: list[str]
) -> None:
    whole = studio.image(*options, *BUDGET)
    assert files(studio) == ["out.png"], "the checkpoint is removed"
    ended(studio, monkeypatch, *options, *BUDGET)
    assert capsys.readouterr().err == f"minstyle: to continue: minstyle --resume {studio.out}\n"
    assert files(studio)[:2] == ["out.png", "out.png.checkpoint"]
    assert studio.out.read_bytes() != whole
    assert main(["--resume", str(studio.out), "--quiet"]) == 0
    assert studio.out.read_bytes() == whole
    assert files(studio) == ["out.png"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("long")
def test_it_goes_on_with_everything_as_it_was(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = [studio.folder / f"{name}.png" for name in ("mask", "masks")]
    for path, size in zip(mask, ((32, 40), (40, 36)), strict=True):
        drawn = np.zeros((*size, 3))
        drawn[:, size[1] // 2 :] = 255
        save_image(drawn, path)
    save_image(picture(36, 36, 3), studio.folder / "start.png")
    studio.out = studio.results / "out.tif"
    given = [*LBFGS, "--mask", *mask, "--init", studio.folder / "start.png", "--depth", 16, "--threads", 1]
    given += ["--dtype", "float64", "--save-every", "round"]
    whole = studio.image(*given)
    snapshot = (studio.results / "out_round02.tif").read_bytes()
    (studio.results / "out_round02.tif").unlink()
    ended(studio, monkeypatch, *given)
    monkeypatch.chdir("/")
    assert main(["--resume", str(studio.out), "--quiet"]) == 0
    assert studio.out.read_bytes() == whole
    assert (studio.results / "out_round02.tif").read_bytes() == snapshot


@pytest.mark.usefixtures("long")
def test_a_run_can_be_ended_again_and_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = studio.image(*LBFGS)
    ended(studio, monkeypatch, *LBFGS, evaluation=2)
    for evaluation in (4, 5, 8, 11):
        with monkeypatch.context() as patch:
            interrupt_at(patch, evaluation)
            assert main(["--resume", str(studio.out), "--quiet"]) == 130
    assert main(["--resume", str(studio.out), "--quiet"]) == 0
    assert studio.out.read_bytes() == whole


def test_a_checkpoint_at_another_place(studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    whole, place = studio.image(*LBFGS), studio.folder / "kept it.state"
    ended(studio, monkeypatch, *LBFGS, "--checkpoint", place)
    assert capsys.readouterr().err == f"minstyle: to continue: minstyle --resume '{place}'\n"
    assert (files(studio), place.exists()) == (["out.png"], True)
    studio.out.unlink()
    assert main(["--resume", str(place), "--quiet"]) == 0
    assert (studio.out.read_bytes(), place.exists()) == (whole, False)


def test_the_trace_goes_on(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> list[dict[str, Any]]:
        records = [json.loads(line) for line in studio.trace.read_text().splitlines()]
        return [{name: value for name, value in record.items() if name != "seconds"} for record in records]

    studio.image(*LBFGS, "--trace", studio.trace)
    whole = told()
    given = ["--checkpoint", studio.folder / "c", "--trace", studio.trace]
    ended(studio, monkeypatch, *LBFGS, *given)
    assert told() == whole[:9]
    assert main(["--resume", str(studio.folder / "c"), "--quiet", "--trace", str(studio.trace)]) == 0
    assert told() == whole


@pytest.mark.usefixtures("long")
def test_a_damaged_checkpoint_s_elder_is_taken(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints_file, "SHARE", 1e9)
    whole = studio.image(*LBFGS)
    ended(studio, monkeypatch, *LBFGS)
    latest, older, _ = checkpoints_file.generations(checkpoints_file.checkpoint_of(studio.out))
    assert load_state(older).done < load_state(latest).done
    latest.write_bytes(latest.read_bytes()[:-100])
    assert main(["--resume", str(studio.out), "--quiet"]) == 0
    assert studio.out.read_bytes() == whole
    assert files(studio) == ["out.png"]


@pytest.mark.usefixtures("long")
def test_a_run_over_an_ended_one_says_so(studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    ended(studio, monkeypatch, *LBFGS)
    capsys.readouterr()
    studio.image(*LBFGS)
    told = capsys.readouterr().err
    assert f"minstyle --resume {studio.out} continues it" in told
    assert files(studio) == ["out.png"]


def test_short_runs_and_those_that_are_to_have_none_have_no_checkpoint(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    ended(studio, monkeypatch, *LBFGS)
    assert files(studio) == ["out.png"]
    monkeypatch.setattr(checkpoint_file, "_LONG", 0.0)
    ended(studio, monkeypatch, *LBFGS, "--no-checkpoint")
    assert files(studio) == ["out.png"]
    assert capsys.readouterr().err == ""


# What is refused


@pytest.fixture
def stopped(studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Studio:
    """A studio whose run was ended."""
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_file, "_LONG", 0.0)
        ended(studio, patch, *LBFGS)
    capsys.readouterr()
    return studio


def refused(studio: Studio, capsys: Captured, *options: object) -> str:
    before = {name: (studio.results / name).read_bytes() for name in files(studio)}
    try:
        code = main([*map(str, options), "--quiet"])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert {name: (studio.results / name).read_bytes() for name in files(studio)} == before
    return told_in_one_line(capsys)


@pytest.mark.parametrize(("options", "words"), [
    (["--size", 40], ["sizes 32", "got 40"]), (["--style-weight", 3], ["style_weight 1.0", "got 3.0"]),
    (["--recipe", "gatys"], ["a recipe with"]), (["--dtype", "float64"], ["dtype float32", "got float64"]),
    (["--style-layers", "block1_conv1"], ["terms", "block5_conv1"]), (["--compare", "fine"], ["--compare"]),
    (["--init", "grey"], ["init", "got grey"]),
])  # fmt: skip
def test_another_recipe_is_refused_by_name(
    stopped: Studio, capsys: Captured, options: list[object], words: list[str]
) -> None:
    line = refused(stopped, capsys, "--resume", stopped.out, *options)
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize("which", ["content", "style", "network"])
@pytest.mark.parametrize("how", ["the file changed", "another is given"])
def test_other_pictures_and_weights_are_refused_by_name(
    stopped: Studio, capsys: Captured, which: str, how: str
) -> None:
    path = (
        getattr(stopped, which)
        if how == "the file changed"
        else stopped.folder / f"another{'.h5' * (which == 'network')}.png"
    )
    if which == "network":
        path = path if how == "the file changed" else path.with_suffix(".h5")
        write_weights(path, random_weights("vgg19", (2, 3, 3, 4, 4), seed=5))
    else:
        save_image(picture(32, 40, 9), path)
    setattr(stopped, which, path)
    given = (
        [] if how == "the file changed" else [stopped.content, stopped.style, stopped.out, "--network", stopped.network]
    )
    line = refused(stopped, capsys, "--resume", stopped.out, *given)
    assert ("weights network" if which == "network" else f"picture {which}") in line
    assert "SHA-256" in line
    assert str(path) in line


def test_other_numbers_of_pictures_are_refused(stopped: Studio, capsys: Captured) -> None:
    line = refused(stopped, capsys, stopped.content, stopped.style, stopped.style, stopped.out, "--resume", stopped.out)
    assert "style 2" in line
    assert "2 files" in refused(stopped, capsys, stopped.content, stopped.style, "--resume", stopped.out)


def test_the_same_pictures_may_be_given(stopped: Studio) -> None:
    assert (
        main([*map(str, (stopped.content, stopped.style, stopped.out)), "--resume", str(stopped.out), "--quiet"]) == 0
    )
    assert files(stopped) == ["out.png"]


def test_files_that_are_no_checkpoints(studio: Studio, capsys: Captured) -> None:
    studio.image()
    line = refused(studio, capsys, "--resume", studio.out)
    assert f"{studio.out}: nothing to resume: there is no checkpoint {studio.out}.checkpoint (the picture" in line
    gone = studio.folder / "gone.png"
    line = refused(studio, capsys, "--resume", gone)
    assert f"{gone} not found, nor its checkpoint {gone}.checkpoint: nothing to resume" in line
    assert "not found" in refused(studio, capsys, "--resume", studio.folder / "gone.state")
    (studio.folder / "text").write_text("a text")
    assert "not a whole checkpoint" in refused(studio, capsys, "--resume", studio.folder / "text")
    assert "painting.png" in refused(studio, capsys, "--resume", studio.style)


@pytest.mark.parametrize("place", ["photo.png", "painting.png", "net.h5", "gone/c", ".", "results/out.png"])
def test_a_place_where_no_checkpoint_can_be_is_refused_before_the_run(
    studio: Studio, capsys: Captured, place: str
) -> None:
    path = studio.folder / place
    before = path.read_bytes() if path.is_file() else None
    assert studio.run("--checkpoint", path, "--quiet") == 2
    assert str(path) in told_in_one_line(capsys)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert files(studio) == []


# What a checkpoint from a stranger says


def forged(studio: Studio, **changes: Any) -> Path:
    """The checkpoint of the run that was ended, at another place, with other words about its job."""
    state, about = read_state(checkpoints_file.checkpoint_of(studio.out))
    for name, value in changes.items():
        if isinstance(value, dict):
            about[name] = {**about[name], **value}
        else:
            about[name] = value
    write_state(state, studio.folder / "forged.state", about)
    return studio.folder / "forged.state"


def test_no_file_that_minstyle_did_not_make_is_written_over(stopped: Studio, capsys: Captured) -> None:
    target = stopped.folder / "precious.png"
    shutil.copy(stopped.style, target)
    before = target.read_bytes()
    line = refused(stopped, capsys, "--resume", forged(stopped, out=str(target)))
    assert "precious.png" in line
    assert target.read_bytes() == before
    target.write_text("a text")
    refused(stopped, capsys, "--resume", forged(stopped, out=str(target)))
    assert target.read_text() == "a text"


@pytest.mark.parametrize("changes", [
    {"paths": {"content": 3}}, {"paths": []}, {"paths": {"content": "a\0b"}}, {"sha256": None}, {"recipe": 3},
    {"recipe": {"sizes": [10**9]}}, {"recipe": {"init": "\x1b[2J"}}, {"device": "tpu"}, {"threads": -1},
    {"threads": "2"}, {"depth": 7}, {"quality": 0}, {"save_every": -3}, {"keep_metadata": 1}, {"dtype": "float16"},
    {"out": 7}, {"out": ""}, {"paths": {"network": ""}}, {"threads": 10**12}, {"dpi": 0}, {"dpi": "200"},
], ids=str)  # fmt: skip
def test_lies_about_the_job_are_refused_in_one_line(stopped: Studio, capsys: Captured, changes: dict[str, Any]) -> None:
    assert refused(stopped, capsys, "--resume", forged(stopped, **changes)).isprintable()


# Signals


@pytest.mark.usefixtures("long", "interruptible")
def test_a_second_interrupt_stops_at_once_with_the_last_checkpoint_whole(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    whole = studio.image(*LBFGS)
    studio.out.unlink()
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    monkeypatch.setattr(checkpoints_file, "SHARE", 1e9)
    usual = Interrupts.step

    def twice(self: Interrupts, step: Step) -> None:
        if step.record.evaluation == 8:
            signal.raise_signal(signal.SIGTERM)  # in this thread: to the process, they may arrive later
            signal.raise_signal(signal.SIGINT)
        usual(self, step)

    monkeypatch.setattr(Interrupts, "step", twice)
    assert studio.run(*LBFGS) == 128 + signal.SIGINT
    assert (
        capsys.readouterr().err == f"minstyle: stopped at once\nminstyle: to continue: minstyle --resume {studio.out}\n"
    )
    assert files(studio) == ["out.png.checkpoint", "out.png.checkpoint.old"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    monkeypatch.undo()
    assert main(["--resume", str(studio.out), "--quiet"]) == 0
    assert studio.out.read_bytes() == whole


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_to_a_process_of_its_own(studio: Studio, name: str) -> None:
    number = getattr(signal, name)
    done = studio.signalled(number, *RUNS["lbfgs"], "--rounds", 100_000, "--evaluations", 30, "--pgtol", 0)
    assert done.returncode == 128 + number, done.stderr
    assert "interrupted after" in done.stdout
    assert done.stderr.splitlines()[-1] == f"minstyle: to continue: minstyle --resume {studio.out}"
    assert load_image(studio.out).shape == (32, 40, 3)
    assert {"out.png", "out.png.checkpoint"} <= set(files(studio)) <= {
        "out.png", "out.png.checkpoint", "out.png.checkpoint.old", "run.jsonl"}  # fmt: skip
    assert load_state(checkpoints_file.checkpoint_of(studio.out)).done >= 2
