"""cli/main.py: a picture from a command, its options, what is seen. (What goes wrong: test_errors, test_failures.)"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import threading
from typing import Any

import pytest
from PIL import Image

from minstyle.cli.main import main
from minstyle.engine.kernels.cpu import winograd
from minstyle.images import load_image
from minstyle.network.weightfile import write_weights
from minstyle.recipe.presets import RECIPES
from tests.support.small import random_weights
from tests.support.studio import SUMMARY, Captured, Studio, last_line

# A run


def test_a_run_writes_the_picture_and_ends_with_what_was_reached(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--verbose", "--trace", studio.trace) == 0
    *by_term, last = capsys.readouterr().out.splitlines(keepends=True)
    summary = SUMMARY.fullmatch(last)
    assert summary is not None
    for term in RECIPES["document"].terms:
        assert any(term.name in line for line in by_term)
    assert (summary["path"], summary["word"]) == (str(studio.out), "painted")
    assert load_image(studio.out).shape == (int(summary["height"]), int(summary["width"]), 3) == (32, 40, 3)
    losses = [json.loads(line)["loss"] for line in studio.trace.read_text().splitlines()]
    assert int(summary["evaluations"]) == len(losses)
    assert summary["first"] == f"{losses[0]:.4g}"
    assert summary["last"] == f"{min(losses):.4g}"
    assert float(summary["fall"]) == pytest.approx(100 * (1 - min(losses) / losses[0]), abs=0.06)
    assert min(losses) < losses[0]
    assert sorted(os.listdir(studio.results)) == ["out.png", "run.jsonl"]


def test_by_default_there_is_the_bar_and_the_last_line(studio: Studio, capsys: Captured) -> None:
    assert studio.run() == 0
    captured = capsys.readouterr()
    assert SUMMARY.fullmatch(captured.out)
    first, plan, *lines = captured.err.splitlines()
    assert first == f"minstyle: {studio.content} in the style of {studio.style}"
    assert re.fullmatch(r"minstyle: 0/5 evaluations done, at 40 x 32 pixels", plan)
    assert all(re.match(r"minstyle: [ 0-9]{3}% of the time, \d/\d evaluations, ", line) for line in lines)
    assert 1 <= len(lines) <= 5


def test_several_styles_are_named_for_they_may_be_photographs(studio: Studio, capsys: Captured) -> None:
    """A shell makes photos/*.jpg the first photograph, as CONTENT, and styles of all others."""
    _, *rest = studio.arguments()
    assert main([str(studio.content), str(studio.content), *rest]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first == f"minstyle: {studio.content} in a mixture of 2 styles: {studio.content}, {studio.style}"


@pytest.mark.parametrize("options", [[], ["--pooling", "average"], ["--dtype", "float64"]], ids=" ".join)
def test_the_same_seed_gives_the_same_file_and_another_seed_another(studio: Studio, options: list[str]) -> None:
    first, again, other = (studio.image(*options, "--seed", seed) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_quiet_prints_nothing(studio: Studio, capfd: Captured) -> None:
    assert studio.run("--quiet", "--save-every", "2", "--trace", studio.trace) == 0
    assert capfd.readouterr() == ("", "")
    assert studio.out.is_file()


def test_progress_network_and_recipe_are_told_on_standard_error(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--recipe", "gatys", "--size-of", "height", "--dtype", "float64", "--verbose") == 0
    error = capsys.readouterr().err
    assert f"minstyle: vgg19 from {studio.network}, recipe gatys, float64, cpu\n" in error
    assert "100%" in error
    assert re.search(r"\d+/\d+ evaluations, +\S+s/eval, \d\d:\d\d left, loss=", error), "count, seconds, time left"


@pytest.mark.parametrize("name", ["out.jpg", "out.WEBP", "out.tiff"])
def test_the_extension_of_out_chooses_the_format(studio: Studio, name: str) -> None:
    studio.out = studio.results / name
    assert studio.run("--quiet") == 0
    with Image.open(studio.out) as stored:
        assert stored.format == {"out.jpg": "JPEG", "out.WEBP": "WEBP", "out.tiff": "TIFF"}[name]


def test_an_older_picture_is_replaced(studio: Studio) -> None:
    studio.out.write_bytes(b"an older picture")
    studio.image()
    assert load_image(studio.out).shape == (32, 40, 3)


def test_python_m_minstyle_in_a_process_of_its_own(studio: Studio) -> None:
    command = [sys.executable, "-W", "error", "-m", "minstyle", *studio.arguments("--seed", 7)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=studio.folder, check=False)
    assert run.returncode == 0, run.stderr
    assert SUMMARY.fullmatch(last_line(run.stdout))
    assert studio.out.read_bytes() == studio.image("--seed", 7), "the same picture as in this process"


# What is seen meanwhile


def test_save_every_n_evaluations(studio: Studio) -> None:
    count = len(studio.traced("--save-every", "2"))
    expected = [f"out_eval{number:04d}.png" for number in range(2, count + 1, 2)]
    assert sorted(os.listdir(studio.results)) == ["out.png", *expected, "run.jsonl"]


def test_save_every_round(studio: Studio) -> None:
    final = studio.image("--save-every", "round", "--rounds", "2")
    assert sorted(os.listdir(studio.results)) == ["out.png", "out_round01.png", "out_round02.png"]
    first, last = ((studio.results / f"out_round0{i}.png").read_bytes() for i in (1, 2))
    assert last == final != first


def test_the_trace_tells_rounds_sizes_and_terms(studio: Studio) -> None:
    records = studio.traced("--rounds", "2", "--size", "32,48", "--evaluations", "3")
    assert [record["evaluation"] for record in records] == list(range(1, len(records) + 1))
    assert {(record["round"], *record["shape"]) for record in records} == {
        (1, 32, 40), (2, 32, 40), (3, 48, 60), (4, 48, 60)
    }  # fmt: skip
    assert load_image(studio.out).shape == (48, 60, 3)
    assert "content_sum block5_conv2" in records[0]["terms"]


# Options change the run


def test_weights_of_zero_leave_their_terms_out(studio: Studio) -> None:
    (terms, *_) = (record["terms"] for record in studio.traced("--content-weight", "0", "--tv-weight", "0"))
    assert list(terms) == [f"gram_image block{i}_conv1" for i in range(1, 6)]


def test_a_weight_scales_its_term(studio: Studio) -> None:
    one, two = (studio.traced("--tv-weight", weight)[0]["terms"] for weight in (0.001, 0.002))
    assert two["total_variation"] == pytest.approx(2 * one["total_variation"])
    assert two["gram_image block1_conv1"] == one["gram_image block1_conv1"]


def test_the_start_image_can_be_noise_the_content_or_a_file(studio: Studio) -> None:
    starts = {init: studio.traced("--init", init)[0]["terms"] for init in ("noise", "content", studio.content)}
    content_terms = {init: terms["content_sum block5_conv2"] for init, terms in starts.items()}
    assert content_terms["noise"] > 0 == content_terms["content"] == content_terms[studio.content]
    assert starts["content"] == starts[studio.content]
    assert studio.traced("--init", studio.style)[0]["terms"] not in starts.values()


def test_a_picture_is_gone_on_from_where_it_was(studio: Studio) -> None:
    small = ("--size", "80", "--min-size", "40", "--evaluations", "10", "--network", "mini")
    coarse_to_fine = ("--recipe", "fine", *small)
    first = [record["loss"] for record in studio.traced(*coarse_to_fine)]
    made = studio.out.rename(studio.folder / "made.png")
    again = [record["loss"] for record in studio.traced(*coarse_to_fine, "--init", made)]
    assert (len(first), len(again)) == (20, 10)
    assert again[0] == pytest.approx(min(first[10:]), rel=0.05), "but for the rounding to levels"


def test_the_precision_can_be_chosen(studio: Studio) -> None:
    single, double = (studio.traced("--dtype", dtype)[0]["loss"] for dtype in ("float32", "float64"))
    assert single == pytest.approx(double, rel=1e-4)
    assert single != double


def test_a_recipe_can_be_a_file(studio: Studio) -> None:
    path = studio.folder / "mine.json"
    path.write_text(dataclasses.replace(RECIPES["gatys"], name="mine", size_of="height").to_json())
    records = studio.traced("--recipe", path, "--content-weight", "0")
    assert list(records[0]["terms"]) == [f"gram_paper block{i}_conv1" for i in range(1, 6)]


def test_a_network_is_found_by_name_in_the_folder_given(studio: Studio) -> None:
    named = studio.network.with_name("vgg16.h5")
    write_weights(named, random_weights("vgg16", (2, 3, 3, 4, 4)))
    by_name = studio.image("--network", "vgg16", "--weights-dir", studio.folder)
    assert by_name == studio.image("--network", named)
    assert by_name != studio.image()


def test_the_picture_is_the_same_on_any_number_of_threads(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = studio.folder / "wide.h5"
    write_weights(wide, random_weights("vgg16", (16, 16, 16, 16, 16)))
    helped: list[threading.Thread] = []
    convolve_block = winograd.convolve_block

    def watched(*args: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            helped.append(threading.current_thread())
        convolve_block(*args)

    monkeypatch.setattr(winograd, "convolve_block", watched)
    common = ("--network", wide, "--size", "128", "--rounds", "1", "--evaluations", "3")
    one = studio.image(*common, "--threads", "1")
    assert not helped
    assert one == studio.image(*common, "--threads", "3")
    assert helped


# The device


def test_auto_falls_back_to_the_cpu_and_says_why_once(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert studio.run("--device", "auto", "--verbose") == 0
    captured = capsys.readouterr()
    assert captured.err.count("computing on the CPU: CuPy is not installed") == 1
    assert "CuPy" not in captured.out
    assert studio.run("--device", "auto") == 0
    assert "CuPy" not in "".join(capsys.readouterr())
