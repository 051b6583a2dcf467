"""What the command line says and refuses before a run: time, memory, sizes from headers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minstyle.cli.main import main
from minstyle.images import reading, save_image
from minstyle.memory import resident
from tests.support.studio import Captured, Studio, told_in_one_line

ROW = re.compile(r"(\d+) x (\d+) +vgg19 +(\d+) +(\S+) +(\d+\.\d) +(\d\.\d+) GB")


def test_estimate_prints_a_line_for_each_size_and_paints_nothing(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--estimate", "--size", "32,64", "--evaluations", "4,2", "--rounds", "2") == 0
    head, *rows, total = capsys.readouterr().out.splitlines()
    assert head.split() == ["size", "network", "evaluations", "seconds", "each", "minutes", "memory"]
    found = [ROW.fullmatch(row) for row in rows]
    assert [match and match.groups()[:3] for match in found] == [("40", "32", "10"), ("80", "64", "6")]
    assert all(match and float(match[4]) > 0 and 0.03 < float(match[6]) < 5 for match in found)
    assert re.fullmatch(r"all +16 +\d+\.\d +\d\.\d+ GB", total)
    assert os.listdir(studio.results) == []


def test_an_estimate_needs_no_out(studio: Studio, capsys: Captured) -> None:
    photo, painting, _, *options = studio.arguments("--estimate")
    assert main([photo, painting, *options]) == 0
    assert ROW.fullmatch(capsys.readouterr().out.splitlines()[1])
    assert os.listdir(studio.results) == []


def test_a_run_says_what_it_takes_before_the_bar(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--verbose") == 0
    told = capsys.readouterr().err
    takes = re.search(r"^minstyle: less than a minute, \d\.\d+ GB of memory$", told, flags=re.M)
    assert takes is not None
    assert takes.start() < told.index("evaluations")


def test_a_long_run_is_told_in_minutes(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--estimate", "--size", "32", "--rounds", "1000", "--evaluations", "1000") == 0
    assert float(capsys.readouterr().out.splitlines()[-1].split()[2]) > 5


def _limit() -> str:
    """GB, some more than this process has of the tests before."""
    return f"{max(1.5, resident() / 1e9 + 0.8):.1f}"


@pytest.mark.parametrize("estimate", [[], ["--estimate"]])
def test_a_run_that_takes_more_than_allowed_is_refused(studio: Studio, capsys: Captured, estimate: list[str]) -> None:
    save_image(np.zeros((1200, 1200, 3)), studio.content)
    limit = _limit()
    assert studio.run("--size", "40000", "--memory", f"{limit}G", "--quiet", *estimate) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    said = f"minstyle: error: memory: expected a run that takes at most {limit} GB (--memory), got one of"
    assert line.startswith(said)
    size = re.search(r"the largest that fits is --size (\d+)$", line)
    assert size is not None
    assert 400 < int(size[1]) < 4000
    assert os.listdir(studio.results) == []
    assert bool(captured.out) == bool(estimate)


def test_the_advised_size_is_accepted(studio: Studio, capsys: Captured) -> None:
    save_image(np.zeros((1200, 1200, 3)), studio.content)
    limit = f"{_limit()}G"
    assert studio.run("--size", "40000", "--memory", limit, "--estimate") == 2
    advised = capsys.readouterr().err.split("--size ")[1].strip()
    assert studio.run("--size", advised, "--memory", limit, "--estimate") == 0


def test_a_large_process_that_starts_the_run_is_not_counted(studio: Studio) -> None:
    held = np.ones(1_300_000_000, np.uint8)
    words = studio.arguments("--estimate", "--network", "mini", "--size", "64", "--memory", "1G")
    run = subprocess.run([sys.executable, "-m", "minstyle", *words], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert 1e9 * float(run.stdout.split()[-2]) < held.nbytes / 2


def test_no_size_fits_into_next_to_nothing(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--memory", "1M") == 2
    assert "no size fits" in told_in_one_line(capsys)


@pytest.mark.parametrize("value", ["0", "4X", "-1G", "G", "", "1e9", "9" * 30])
def test_memory_is_a_number_of_bytes(studio: Studio, capsys: Captured, value: str) -> None:
    assert studio.run(f"--memory={value}") == 2
    line = told_in_one_line(capsys)
    assert "--memory" in line
    assert "4G" in line


@pytest.mark.skipif(sys.platform != "linux", reason="the shell's limit is Linux's")
def test_a_run_beyond_ulimit_is_refused_before_it_starts(studio: Studio) -> None:
    words = " ".join(studio.arguments("--size", "20000"))
    shell = f"ulimit -v 4000000 && {sys.executable} -m minstyle {words}"
    run = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 2
    assert re.search(r"\(ulimit -v\).*the largest that fits is --size \d+$", run.stderr.strip().splitlines()[-1])
    assert "evaluations" not in run.stderr


# Sizes from headers


def test_size_original_is_the_photographs_own(studio: Studio, capsys: Captured) -> None:
    for options, size in (([], (40, 32)), (["--size-of", "long"], (40, 32)), (["--size", "32,original"], (40, 32))):
        studio.content = studio.folder / "photo.png"
        command = ["--size", "original", "--quiet", *options]
        if "32,original" in options:  # a photograph that has room for two sizes
            Image.new("RGB", (60, 48), "teal").save(studio.content)
            size = (60, 48)
        assert studio.run(*command) == 0, capsys.readouterr().err
        with Image.open(studio.out) as made:
            assert made.size == size


def test_size_original_of_a_turned_photograph(studio: Studio) -> None:
    exif = Image.Exif()
    exif[274] = 6
    studio.content = studio.folder / "turned.jpg"
    Image.new("RGB", (50, 36), "teal").save(studio.content, exif=exif)
    assert studio.run("--size", "original", "--quiet") == 0
    with Image.open(studio.out) as made:
        assert made.size == (36, 50)


@pytest.mark.parametrize(("options", "word"), [
    (["--size", "64,original"], "growing"), (["--size", "own"], "original"),
    (["--size", "original", "--compare", "fine"], "--compare"),
])  # fmt: skip
def test_the_word_original_in_a_wrong_place(studio: Studio, capsys: Captured, options: list[str], word: str) -> None:
    assert studio.run(*options) == 2
    assert word in told_in_one_line(capsys)


@pytest.mark.parametrize(("which", "size", "word"), [
    ("content", (4000, 40), "(10, 1000)"), ("style", (31, 60), "31 x 60"), ("initial", (8, 8), "8 x 8"),
])  # fmt: skip
def test_shapes_are_refused_before_anything_is_decoded(
    studio: Studio, capsys: Captured, monkeypatch: pytest.MonkeyPatch, which: str, size: tuple[int, int], word: str
) -> None:
    path = studio.folder / "odd.png"
    Image.new("RGB", size).save(path)
    monkeypatch.setattr(reading, "_stored", lambda *args: pytest.fail("a picture was decoded"))
    options: list[object] = ["--size", "1000", "--size-of", "long"] if which == "content" else []
    if which == "initial":
        options += ["--init", path]
    else:
        setattr(studio, which, path)
    assert studio.run(*options) == 2
    line = told_in_one_line(capsys)
    assert which in line
    assert word in line
    assert which == "initial" or str(path) in line
    assert ("--size 3200 would do" in line) == (which == "content")


def header_and_decoded(path: Path) -> tuple[tuple[int, int], tuple[int, ...]]:
    return reading.picture_shape(path), reading.load_picture(path).image.shape[:2]


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_the_header_has_the_shape_of_the_upright_picture(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (50, 36), "teal").save(tmp_path / name, exif=exif)
    header, decoded = header_and_decoded(tmp_path / name)
    assert header == decoded
