"""cli/main.py: --compare, small runs side by side in one picture."""

from __future__ import annotations

import re
from typing import Any

import pytest
from PIL import Image

import minstyle.job.comparison as module
from minstyle.cli.main import main
from minstyle.memory import resident
from minstyle.recipe.presets import RECIPES
from tests.support.studio import Captured, Studio, told_in_one_line


def make_smaller(monkeypatch: pytest.MonkeyPatch, evaluations: int) -> None:
    """Runs of 40 pixels in place of those that are usual."""
    compare, small = module.compare, {"size": 40, "evaluations": evaluations}
    monkeypatch.setattr(module, "compare", lambda *arguments, **settings: compare(*arguments, **{**settings, **small}))


def test_a_comparison_is_a_grid_of_runs(studio: Studio, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    make_smaller(monkeypatch, evaluations=3)
    assert studio.run("--quiet", "--compare", "document,johnson:style_weight=5,document:init=content") == 0
    with Image.open(studio.out) as grid:
        width, height = grid.size
    assert width > 3 * 100
    assert height > 200
    assert capsys.readouterr() == ("", "")
    assert studio.run("--compare", "document,johnson") == 0
    assert "2 of 2 runs side by side" in capsys.readouterr().out


def test_a_comparison_heeds_the_other_options(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def watched(*arguments: Any, **settings: Any) -> Any:
        seen.update(settings, recipes=arguments[2])
        return compare(*arguments, **settings)

    compare = module.compare
    monkeypatch.setattr(module, "compare", watched)
    options = ["--size", "48", "--evaluations", "3", "--pooling", "l2", "--style-weight", "9", "--rounds", "1"]
    assert studio.run("--quiet", "--compare", "document,johnson:style_weight=5", *options) == 0
    assert (seen["size"], seen["evaluations"]) == (48, 3)
    assert [recipe.pooling for recipe in seen["recipes"].values()] == ["l2", "l2"]
    assert [(recipe.sizes, recipe.evaluations) for recipe in seen["recipes"].values()] == [
        (RECIPES[name].sizes, RECIPES[name].evaluations) for name in ("document", "johnson")
    ], "these say how small the runs are, not what the recipes are"
    assert [recipe.style_weight for recipe in seen["recipes"].values()] == [9, 5], "a variant's own word is the last"


def test_a_comparison_of_transparent_pictures_is_refused(studio: Studio, capsys: Captured) -> None:
    Image.new("RGBA", (64, 64), (90, 60, 30, 0)).save(studio.folder / "clear.png")
    content, _, out, *options = studio.arguments("--quiet", "--compare", "document,johnson")
    assert main([str(content), str(studio.folder / "clear.png"), str(out), *map(str, options)]) == 2
    assert "clear.png: expected a picture without transparency" in told_in_one_line(capsys)
    assert not studio.out.exists()


def test_a_comparison_in_which_nothing_can_be_made_is_told_in_one_line(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--quiet", "--compare", "document,johnson", "--style-crop", "0,0,0.1,0.1") == 2
    assert "style: expected at least 32 x 32 pixels, got 4 x 4" in told_in_one_line(capsys)
    assert not studio.out.exists()


def test_a_comparison_counts_what_was_made(studio: Studio, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    make_smaller(monkeypatch, evaluations=2)
    assert studio.run("--compare", "document,document:style-scale=1,2") == 0
    assert "1 of 2 runs side by side" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "words"), [
    ("picasso", ["'picasso'", "johnson"]), ("fine,fine", ["'fine' twice"]), ("", ["''"]),
    ("fine:colour=red", ["'colour'", "color"]), ("fine:style_weight=much", ["style_weight", "'much'"]),
])  # fmt: skip
def test_a_comparison_of_what_is_unknown_is_refused(
    studio: Studio, capsys: Captured, text: str, words: list[str]
) -> None:
    assert studio.run("--quiet", f"--compare={text}") == 2
    line = told_in_one_line(capsys)
    assert [word for word in words if word not in line] == []
    assert not studio.out.exists()


@pytest.mark.parametrize(("options", "told"), [
    (["--mask", "a.png", "b.png"], "--mask"), (["--plot", "p.svg", "--save-every", "2"], "--plot, --save-every"),
    (["--trace", "t.jsonl"], "--trace"), (["--sheet", "s.png"], "--sheet"), (["--init", "photo.png"], "--init FILE"),
])  # fmt: skip
def test_a_comparison_refuses_what_it_would_pass_over(
    studio: Studio, capsys: Captured, options: list[str], told: str
) -> None:
    assert studio.run("--quiet", "--compare", "document", *options) == 2
    assert told_in_one_line(capsys).endswith(f"--compare: expected no option of a single run, got {told}")


@pytest.mark.parametrize("size_of", ["height", "long"])
def test_a_comparison_that_takes_more_memory_than_allowed_is_refused(
    studio: Studio, capsys: Captured, monkeypatch: pytest.MonkeyPatch, size_of: str
) -> None:
    painted: list[object] = []
    monkeypatch.setattr(module, "compare", lambda *arguments, **settings: painted.append(settings) or [])
    limit = resident() + 3_000_000_000  # of which 5 % are more than what the first try leaves in this process
    words = ["--quiet", "--compare", "document,fine", "--size-of", size_of, "--memory", str(limit)]
    assert studio.run(*words, "--size", "20000") == 2
    line = told_in_one_line(capsys)
    assert re.search(r"memory: expected a run that takes at most \S+ GB \(--memory\), got one of about", line)
    assert (painted, studio.out.exists()) == ([], False)
    advised = re.search(r"the largest that fits is --size (\d+)", line)
    assert advised is not None
    with pytest.raises(IndexError):  # of a comparison without runs: it began
        studio.run(*words, "--size", advised[1])
    assert [settings["size"] for settings in painted] == [int(advised[1])]
