"""cli/main.py: wrong files, names and values are refused in one line, and every file stays as it was."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from minstyle.images import save_image
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import IMAGE
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line


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
    "content's name too long": (lambda s: {"content": s.folder / ("a" * 300 + ".png")}, ["a" * 40]),
    "unknown extension": (lambda s: {"out": s.results / "out.gif"}, ["out.gif", "'.gif'"]),
    "no extension": (
        lambda s: {"out": s.results / "out"},
        ["results/out: add an extension, as in ", "results/out.png; known are .png, .jpg"],
    ),
    "no folder": (lambda s: {"out": s.folder / "gone" / "out.png"}, [os.path.join("gone", "out.png"), "not exist"]),
    "folder is a file": (lambda s: {"out": s.content / "out.png"}, [os.path.join("photo.png", "out.png")]),
    "out is a folder": (lambda s: {"out": folder(s, "dir.png")}, ["dir.png is a folder: name a picture in it"]),
    "folder cannot be written": (lambda s: {"out": Path("/proc/minstyle.png")}, ["/proc/minstyle.png"]),
    "name of out too long": (lambda s: {"out": s.results / ("a" * 300 + ".png")}, ["a" * 40]),
    "no folder for the trace": (lambda s: ["--trace", s.folder / "gone" / "t"], [os.path.join("gone", "t")]),
    "trace is a folder": (lambda s: ["--trace", folder(s, "dir")], ["dir", "it is a folder"]),
    "unknown network": (lambda s: ["--network", "resnet"], ["'resnet'", "vgg16", "vgg19"]),
    "no weights file": (lambda s: ["--network", s.folder / "gone.h5"], ["gone.h5"]),
    "name of network too long": (lambda s: ["--network", "n" * 300], ["n" * 40]),
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


def test_numbers_that_are_too_large_together(studio: Studio, capsys: Captured) -> None:
    """Each is in its range."""
    assert studio.run("--quiet", "--white", "10000", "--style-weight", "1e12", "--optimizer", "adam") == 2
    assert "is too large at evaluation 1: try smaller weights" in told_in_one_line(capsys)
    assert os.listdir(studio.results) == []


def test_the_gpu_is_refused_with_the_reason(studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    line = refused(studio, capsys, "--device", "gpu")
    assert "no usable GPU: CuPy is not installed. Use --device cpu, or pip install 'minstyle[gpu-cuda12]'" in line
    assert "--device cpu" in line
