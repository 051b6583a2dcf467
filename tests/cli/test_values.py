"""job/values.py: whatever stands after an option is taken, or refused in one line as it was typed, before any work."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minstyle.cli.main import main
from minstyle.cli.parser import build_parser
from tests.support.studio import Captured, Studio, told_in_one_line

WITH_VALUE = [action.option_strings[0] for action in build_parser()._actions
              if action.option_strings and action.nargs is None and action.dest != "show_recipe"]  # fmt: skip
LONG = {"a word": "x" * 100_000, "numbers": "1," * 5000 + "1", "digits": "1" * 5000}
VALUES = ["", "-", "--", "=--", "nan", "inf", "-inf", "1e308", "1e400", "-1", "0", "1e-320", "word", ",", ":", "\0",
          "9" * 13, "a:1e308", "gram_mean:1e308", "conv1_1:-1", *LONG.values()]  # fmt: skip


def outcome(capsys: Captured, *arguments: str) -> tuple[int, str]:
    try:
        code = main([*arguments, "--print-recipe"])
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    if code == 0:
        json.loads(captured.out)
        assert captured.err == ""
        return code, captured.out
    assert code == 2
    (line,) = captured.err.splitlines()
    assert (captured.out, line[:16]) == ("", "minstyle: error:")
    return code, line


@pytest.mark.parametrize("flag", WITH_VALUE)
def test_any_value_is_taken_or_refused_in_one_line(flag: str, capsys: Captured) -> None:
    for value in VALUES:
        _, line = outcome(capsys, f"{flag}={value}")
        assert len(value) < 210 or value[:210] not in line
    assert outcome(capsys, f"{flag}=--") == (2, f"minstyle: error: argument {flag}: expected a value, got '--'. "
                                             "See minstyle --help")  # fmt: skip


FILES = ["CONTENT STYLE [STYLE ...] OUT", "--mask", "--checkpoint", "--resume", "--trace", "--plot", "--sheet",
         "--show-recipe"]  # fmt: skip
NO_FOLDER = ["", "a\0b"]
NO_FILE = [*NO_FOLDER, ".", "./", "/", "//", "..", "results/..", "../"]


@pytest.mark.parametrize(("place", "name"), [
    *itertools.product(FILES, NO_FILE), *itertools.product(["--weights-dir"], NO_FOLDER)
])  # fmt: skip
def test_what_can_be_no_files_name(studio: Studio, capsys: Captured, place: str, name: str) -> None:
    """In a real run, not one that only prints its recipe."""
    words = [str(studio.content), str(studio.style), *([f"{place}={name}"] if place.startswith("--") else [name])]
    with pytest.raises(SystemExit) as end:
        main([*words, "--network", "mini"])
    what = "a folder with weights" if place == "--weights-dir" else "the name of a file"
    line = told_in_one_line(capsys)
    assert (end.value.code, f"argument {place}: expected {what}, got {name!r}" in line) == (2, True)


@pytest.mark.parametrize("name", [".", "/", "..", "results/.."])
@pytest.mark.parametrize("option", ["--init", "--recipe", "--network", "--compare"])
def test_a_folder_is_refused_where_a_name_or_a_file_may_stand(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, option: str, name: str
) -> None:
    monkeypatch.chdir(studio.folder)
    assert studio.run("--quiet", option, name) == 2
    assert "Error:" not in told_in_one_line(capsys)
    assert os.listdir(studio.results) == []


def test_weights_may_lie_in_the_current_folder(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(studio.folder)
    studio.network.rename(studio.folder / "vgg19.h5")
    assert studio.run("--quiet", "--network", "vgg19", "--weights-dir", ".") == 0


def test_the_options_are_all_there() -> None:
    assert len(WITH_VALUE) > 50


@pytest.mark.parametrize(("flag", "value"), [
    ("--style-weight", "1e400"), ("--style-weight", "1e308"), ("--content-weight", "1e308"), ("--tv-weight", "1e13"),
    ("--white", "1e300"), ("--white", "0.5"), ("--pooling-factor", "0"), ("--pooling-factor", "1e30"),
    ("--deviation", "1e300"), ("--blend", "1e308,1e308"), ("--size", "1000000"), ("--size", "64,31"),
    ("--size", "original,31"), ("--learning-rate", "1e308"), ("--style-loss", "gram_mean:1e308"),
    ("--style-layers", "conv1_1:1e308"), ("--betas", "nan,0.5"), ("--style-crop", "0,0,1,1e400"),
])  # fmt: skip
def test_a_number_out_of_its_range_is_named_as_typed(flag: str, value: str, capsys: Captured) -> None:
    code, line = outcome(capsys, f"{flag}={value}")
    assert (code, line.startswith(f"minstyle: error: argument {flag}: ")) == (2, True)
    assert f"got {value.rsplit(':', 1)[-1]!r}. See" in line


@pytest.mark.parametrize(("variant", "words"), [
    ("fine:style_weight=1e400", "style_weight: expected a number from 0 to 1e+12, got '1e400'"),
    ("fine:size=1000000", "size: expected a whole number from 32 to 100000, got '1000000'"),
])  # fmt: skip
def test_so_is_one_of_a_variant(studio: Studio, capsys: Captured, variant: str, words: str) -> None:
    assert studio.run("--compare", variant) == 2
    assert words in told_in_one_line(capsys)


def test_weights_whose_product_is_too_large(capsys: Captured) -> None:
    code, line = outcome(capsys, "--style-weight", "1e9", "--style-layers", "conv1_1:1e9")
    assert code == 2
    assert "weight of wasserstein block1_conv1 times that of its role: expected at most 1e+12, got 1e+18" in line


def test_epsilon_is_no_zero_in_single_precision(capsys: Captured) -> None:
    code, line = outcome(capsys, "--recipe", "crowson", "--epsilon", "1e-320")
    assert (code, "epsilon: expected 1e-30 or more with the optimizer adam, got 1e-320" in line) == (2, True)


def test_a_backend_of_matplotlib_that_there_is_not(studio: Studio) -> None:
    command = [sys.executable, "-m", "minstyle", *studio.arguments("--plot", studio.results / "losses.pdf")]
    environment = {**os.environ, "MPLBACKEND": "nonsense"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert "losses.pdf: matplotlib does not start (" in line
    assert "'nonsense' is not a valid value for backend" in line
    assert list(studio.results.iterdir()) == []


def test_a_name_of_two_dashes_can_still_be_a_file(tmp_path: Path, capsys: Captured) -> None:
    code, line = outcome(capsys, f"--recipe={tmp_path}/--.json")
    assert (code, "--.json: cannot be read" in line) == (2, True)
