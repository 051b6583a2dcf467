"""cli.py: interrupts, failures at the end, wrong input: one line each, and no picture is lost or half written."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from minstyle.images import load_image, save_image
from minstyle.objective import Evaluation, Objective
from minstyle.presets import RECIPES
from minstyle.recipes import Recipe
from minstyle.terms import IMAGE

from .conftest import picture
from .test_cli import SUMMARY, Captured, Studio, last_line


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


# Interrupts


def fail_at(monkeypatch: pytest.MonkeyPatch, number: int, error: type[BaseException]) -> None:
    """Make the objective raise at that evaluation."""
    evaluate, left = Objective.evaluate, iter(range(number - 1, -1, -1))

    def counted(objective: Objective, image: np.ndarray) -> Evaluation:
        if next(left) == 0:
            raise error
        return evaluate(objective, image)

    monkeypatch.setattr(Objective, "evaluate", counted)


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


def test_control_c_in_a_process_of_its_own(studio: Studio) -> None:
    # A handler of Python's own, so that a parent that ignores SIGINT does not hand that on to the child.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = studio.arguments("--rounds", 100_000, "--factr", 0, "--pgtol", 0, "--trace", studio.trace)
    command = [sys.executable, "-m", "minstyle", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=studio.folder)
    try:
        end = time.monotonic() + 60
        while not (studio.trace.is_file() and studio.trace.read_text().count("\n") >= 3):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGINT, before)
        process.kill()
        process.communicate()
    assert process.returncode == 130, error
    summary = SUMMARY.fullmatch(last_line(out))
    assert summary is not None
    assert summary["word"] == "interrupted"
    assert "Traceback" not in error
    assert load_image(studio.out).shape == (32, 40, 3)
    assert sorted(os.listdir(studio.results)) == ["out.png", "run.jsonl"]


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


def told_in_one_line(capsys: Captured) -> str:
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    assert line.startswith("minstyle: error: ")
    return line


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


def test_a_snapshot_that_cannot_be_saved_ends_the_run_with_the_picture(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    fill_disk(monkeypatch, studio.results / "out_eval")
    assert studio.run("--save-every", "2") == 2
    captured = capsys.readouterr()
    summary = SUMMARY.fullmatch(last_line(captured.out))
    assert summary is not None
    assert (summary["word"], summary["evaluations"]) == ("ended early", "2")
    assert re.search(r"ended early: cannot write .*out_eval0002\.png", captured.err.splitlines()[-1])
    assert os.listdir(studio.results) == ["out.png"]


@pytest.mark.parametrize("number", [1, 3])
def test_a_lack_of_memory_is_told_in_one_line(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, number: int
) -> None:
    fail_at(monkeypatch, number, MemoryError)
    assert studio.run("--quiet") == 2
    assert "memory" in told_in_one_line(capsys)
    assert os.listdir(studio.results) == (["out.png"] if number > 1 else []), "what there was is saved"


# Wrong input


def file(studio: Studio, name: str, content: str | bytes) -> Path:
    path = studio.folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def image_file(studio: Studio, name: str, height: int, width: int) -> Path:
    save_image(picture(height, width), studio.folder / name)
    return studio.folder / name


def recipe(studio: Studio, **changes: object) -> list[object]:
    data = {**json.loads(RECIPES["document"].to_json()), **changes}
    return ["--recipe", file(studio, "mine.json", json.dumps(data))]


def term(studio: Studio, **changes: object) -> list[object]:
    return recipe(studio, terms=[{"kind": "content_sum", "layer": "block1_conv1", "weight": 1, **changes}])


def folder(studio: Studio, name: str) -> Path:
    (studio.results / name).mkdir()
    return studio.results / name


def weights(studio: Studio, part: str, shape: tuple[int, ...] | None) -> list[object]:
    """The network with one array of another shape, or without it."""
    with h5py.File(studio.network, "r+") as network:
        del network[part]
        if shape is not None:
            network[part] = np.zeros(shape, np.float32)
    return ["--network", studio.network]


def cut(path: Path) -> Path:
    """The file without its second half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


KERNEL = "block1_conv1/kernel"
# What is wrong -> the change to the command (positional arguments by name), and the words that must be in the error.
Change = Callable[[Studio], dict[str, Path] | list[object]]
WRONG_FILES: dict[str, tuple[Change, list[str]]] = {
    "no content": (lambda s: {"content": s.folder / "gone.jpg"}, ["gone.jpg", "not found"]),
    "no style": (lambda s: {"style": s.folder / "gone.jpg"}, ["gone.jpg", "not found"]),
    "no start image": (lambda s: ["--init", s.folder / "gone.jpg"], ["gone.jpg", "not found"]),
    "content is text": (lambda s: {"content": file(s, "notes.jpg", "no picture")}, ["notes.jpg", "not a picture"]),
    "style is empty": (lambda s: {"style": file(s, "empty.jpg", "")}, ["empty.jpg", "not a picture"]),
    "content is a folder": (lambda s: {"content": s.results}, ["results"]),
    "style is truncated": (lambda s: {"style": cut(s.style)}, ["painting.png", "truncated"]),
    "start image is text": (lambda s: ["--init", file(s, "notes.png", "no picture")], ["notes.png", "not a picture"]),
    "content too low": (lambda s: {"content": image_file(s, "low.png", 31, 50)}, ["content", "50 x 31"]),
    "style too narrow": (lambda s: {"style": image_file(s, "narrow.png", 50, 31)}, ["style", "31 x 50"]),
    "start image too small": (lambda s: ["--init", image_file(s, "small.png", 8, 8)], ["initial", "8 x 8"]),
    "content too low at that size": (lambda s: ["--size-of", "long"], ["(25, 32)", "got 25"]),
    "content's name too long": (lambda s: {"content": s.folder / ("a" * 300 + ".png")}, ["a" * 300]),
    "unknown extension": (lambda s: {"out": s.results / "out.gif"}, ["out.gif", "'.gif'"]),
    "no extension": (lambda s: {"out": s.results / "out"}, ["results/out:"]),
    "no folder": (lambda s: {"out": s.folder / "gone" / "out.png"}, [os.path.join("gone", "out.png"), "not exist"]),
    "folder is a file": (lambda s: {"out": s.content / "out.png"}, [os.path.join("photo.png", "out.png")]),
    "out is a folder": (lambda s: {"out": folder(s, "dir.png")}, ["dir.png", "it is a folder"]),
    "folder cannot be written": (lambda s: {"out": Path("/proc/minstyle.png")}, ["/proc/minstyle.png"]),
    "name of out too long": (lambda s: {"out": s.results / ("a" * 300 + ".png")}, ["a" * 300]),
    "no folder for the trace": (lambda s: ["--trace", s.folder / "gone" / "t"], [os.path.join("gone", "t")]),
    "trace is a folder": (lambda s: ["--trace", folder(s, "dir")], ["dir", "it is a folder"]),
    "unknown network": (lambda s: ["--network", "resnet"], ["'resnet'", "vgg16", "vgg19"]),
    "no weights file": (lambda s: ["--network", s.folder / "gone.h5"], ["gone.h5"]),
    "name of network too long": (lambda s: ["--network", "n" * 300], ["n" * 300]),
    "weights truncated": (lambda s: ["--network", cut(s.network)], ["net.h5", "not a whole HDF5 file"]),
    "weights are text": (lambda s: ["--network", file(s, "notes.h5", "no weights")], ["notes.h5", "HDF5"]),
    "other kernel": (lambda s: weights(s, KERNEL, (5, 5, 3, 2)), ["net.h5", KERNEL, "(3, 3, 3, Cout)", "(5, 5, 3, 2)"]),
    "other bias": (lambda s: weights(s, "block2_conv1/bias", (7,)), ["net.h5", "block2_conv1/bias", "(3,)", "(7,)"]),
    "no kernel": (lambda s: weights(s, KERNEL, None), ["net.h5", KERNEL]),
    "unknown recipe": (lambda s: ["--recipe", "picasso"], ["'picasso'", "document", "gatys"]),
    "no recipe file": (lambda s: ["--recipe", s.folder / "gone.json"], ["gone.json"]),
    "recipe is no JSON": (lambda s: ["--recipe", file(s, "broken.json", '{"name": ')], ["broken.json"]),
    "recipe is no text": (lambda s: ["--recipe", file(s, "bytes.json", b"\xff\xfe\xfd")], ["bytes.json"]),
    "recipe's number": (lambda s: recipe(s, rounds="many"), ["mine.json", "rounds", "'many'"]),
    "recipe's field": (lambda s: recipe(s, colour=1), ["mine.json", "'colour'"]),
    "unknown layer": (lambda s: term(s, layer="block9_conv1"), ["'block9_conv1'", "block5_conv4"]),
    "unknown loss": (lambda s: term(s, kind="beauty"), ["mine.json", "'beauty'"]),
    "negative term": (lambda s: term(s, weight=-2), ["mine.json", "-2"]),
    "infinite term": (lambda s: term(s, layer=IMAGE, weight=10**400), ["mine.json", "weight", "100000"]),
}


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def refused(studio: Studio, capsys: Captured, *options: object) -> str:
    """Run; the error must be one line, the exit code 2, and every file as it was. Gives the line."""
    (studio.results / "out.png").write_bytes(b"an older picture")
    (studio.results / "run.jsonl").write_text("an older trace\n")
    before = contents(studio.folder)
    assert studio.run("--trace", studio.trace, *options) == 2
    assert contents(studio.folder) == before
    return told_in_one_line(capsys)


@pytest.mark.parametrize(("change", "words"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_or_name(studio: Studio, capsys: Captured, change: Change, words: list[str]) -> None:
    wrong = change(studio)
    if isinstance(wrong, dict):
        vars(studio).update(wrong)
    line = refused(studio, capsys, *(wrong if isinstance(wrong, list) else []))
    assert [word for word in words if word not in line] == []


NUMBERS = {f.metadata["flag"] or "--" + f.name.replace("_", "-"): f for f in dataclasses.fields(Recipe)
           if f.metadata.get("minimum") is not None}  # fmt: skip
WEIGHTS = ["--content-weight", "--style-weight", "--tv-weight"]
WRONG_VALUES: list[tuple[str, str]] = [
    *((flag, value) for flag in NUMBERS for value in ("abc", "-1", "nan", "inf", "", "9" * 400)),
    *((flag, value) for flag in WEIGHTS for value in ("-0.5", "-1e-3", "-inf", "1,5", "1e999")),
    *((flag, "0") for flag in ("--threads", "--rounds", "--evaluations", "--iterations", "--history", "--size")),
    *((flag, "1.5") for flag in ("--threads", "--rounds", "--evaluations", "--history", "--size", "--seed")),
    ("--history", "9999999999999"), ("--size", "99999999999"), ("--size", "31"), ("--size", "64,32"),
    ("--size", "32,abc"), ("--size", "32,,64"), ("--pooling", "median"), ("--size-of", "area"),
    ("--style-fit", "crop"), ("--resample", "cubic"), ("--dtype", "float16"), ("--device", "tpu"),
    ("--save-every", "0"), ("--save-every", "-1"), ("--save-every", "often"), ("--save-every", "1.5"),
]  # fmt: skip


@pytest.mark.parametrize(("flag", "value"), WRONG_VALUES, ids=lambda text: text[:20])
def test_a_wrong_value(studio: Studio, capsys: Captured, flag: str, value: str) -> None:
    # As "--flag value" where argparse sees a value, as "--flag=value" for what looks like an option to it.
    line = refused(studio, capsys, *([f"{flag}={value}"] if value.startswith("-") else [flag, value]))
    name = flag.removeprefix("--")
    assert name in line or name.replace("-", "_") in line
    assert value[:99] in line.replace(", ", ",") or str(float(value)) in line
    assert "_sizes" not in line, "a name of the program's own"


@pytest.mark.parametrize("flag", WEIGHTS)
@pytest.mark.parametrize("value", ["-1", "-0.5"])
def test_a_negative_weight_after_a_space(studio: Studio, capsys: Captured, flag: str, value: str) -> None:
    assert value in refused(studio, capsys, flag, value)


@pytest.mark.parametrize(("options", "word"), [(["--colour", "red"], "--colour"), (["fourth.gif"], "fourth.gif"),
                                               (["--seed"], "--seed"), (["--see", "1"], "--see")])  # fmt: skip
def test_a_wrong_command(studio: Studio, capsys: Captured, options: list[str], word: str) -> None:
    assert word in refused(studio, capsys, *options)


@pytest.mark.parametrize("options", [["--style-weight", "1e308"], ["--pooling-factor", "1e30"]], ids=" ".join)
def test_a_number_too_large_to_compute_with(studio: Studio, capsys: Captured, options: list[str]) -> None:
    assert studio.run("--quiet", *options) == 2
    assert "is no number at evaluation 1" in told_in_one_line(capsys)
    assert os.listdir(studio.results) == []


def test_the_gpu_is_refused_with_the_reason(studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    line = refused(studio, capsys, "--device", "gpu")
    assert "no usable GPU: CuPy is not installed" in line
    assert "--device cpu" in line
