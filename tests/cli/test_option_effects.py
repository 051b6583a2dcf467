"""job/options.py: every option of a recipe changes its field and no other; --help and --version."""

from __future__ import annotations

import dataclasses
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import minstyle
from minstyle.__main__ import main as main_of_module
from minstyle.backend import choose_device
from minstyle.cli.main import asked_recipe, build_parser, main
from minstyle.errors import DeviceError
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from tests.support.studio import Captured, Studio, told_in_one_line

# Each option of the recipe: an argument other than the default, the value it stands for, the default in the help text.
RECIPE_OPTIONS: dict[str, tuple[str, str, Any]] = {
    "strength": ("--strength", "4", 4.0),
    "content_weight": ("--content-weight", "0.5", 0.5),
    "coarse_content": ("--coarse-content", "0.5", 0.5),
    "style_weight": ("--style-weight", "1e3", 1000.0),
    "tv_weight": ("--tv-weight", "0", 0.0),
    "range_weight": ("--range-weight", "7", 7.0),
    "init": ("--init", "style", "style"),
    "noise": ("--noise", "pink", "pink"),
    "mix": ("--mix", "0.25", 0.25),
    "deviation": ("--deviation", "3", 3.0),
    "draft": ("--draft", "mini", "mini"),
    "seed": ("--seed", "42", 42),
    "color": ("--color", "match", "match"),
    "color_map": ("--color-map", "cholesky", "cholesky"),
    "feather": ("--feather", "0.02", 0.02),
    "blend": ("--blend", "3,7", (3.0, 7.0)),
    "style_scale": ("--style-scale", "0.5,2", (0.5, 2.0)),
    "style_crop": ("--style-crop", "0,0,0.5,1/0.25,0,1,1", ((0, 0, 0.5, 1), (0.25, 0, 1, 1))),
    "style_fit": ("--style-fit", "native", "native"),
    "small_style": ("--small-style", "mirrored", "mirrored"),
    "units": ("--units", "torchvision", "torchvision"),
    "white": ("--white", "256", 256.0),
    "pooling": ("--pooling", "l2", "l2"),
    "pooling_factor": ("--pooling-factor", "1.5", 1.5),
    "padding": ("--padding", "reflect", "reflect"),
    "gradients": ("--gradients", "plain", "plain"),
    "sizes": ("--size", "64,128", (64, 128)),
    "size_of": ("--size-of", "short", "short"),
    "scales": ("--scales", "3", 3),
    "ratio": ("--ratio", "1.5", 1.5),
    "detail": ("--detail", "0.5", 0.5),
    "tolerance": ("--tolerance", "0.01", 0.01),
    "min_size": ("--min-size", "64", 64),
    "resample": ("--resample", "nearest", "nearest"),
    "optimizer": ("--optimizer", "adam", "adam"),
    "rounds": ("--rounds", "3", 3),
    "evaluations": ("--evaluations", "7,5", (7, 5)),
    "iterations": ("--iterations", "9", 9),
    "history": ("--history", "5", 5),
    "factr": ("--factr", "0.5", 0.5),
    "pgtol": ("--pgtol", "0.5", 0.5),
    "learning_rate": ("--learning-rate", "3", 3.0),
    "betas": ("--betas", "0.8,0.99", (0.8, 0.99)),
    "epsilon": ("--epsilon", "1e-3", 0.001),
    "averaging": ("--averaging", "0.9", 0.9),
    "bounds": ("--bounds", "smooth", "smooth"),
}
PICTURES = ["photo.jpg", "painting.jpg", "out.png"]


def test_every_field_of_a_recipe_but_its_name_and_terms_is_an_option() -> None:
    assert set(RECIPE_OPTIONS) == {field.name for field in dataclasses.fields(Recipe)} - {
        "name", "terms", "description",
    }  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("field", RECIPE_OPTIONS)
def test_an_option_changes_its_field_and_no_other(field: str, recipe: str) -> None:
    flag, argument, value = RECIPE_OPTIONS[field]
    options = build_parser().parse_args([*PICTURES, "--recipe", recipe, flag, argument])
    assert asked_recipe(options) == dataclasses.replace(RECIPES[recipe], **{field: value})


def test_without_options_the_recipe_is_ours() -> None:
    assert asked_recipe(build_parser().parse_args(PICTURES)) == RECIPES["fine"]


@pytest.mark.parametrize(("options", "changes"), [
    (["--steps", "7"], {"evaluations": (7,)}), (["--preserve-color"], {"color": "content"}),
    (["--iterations", "14"], {"iterations": 14}),
    (["--iterations", "300", "--steps", "9"], {"iterations": 300, "evaluations": (9,)}),
    (["--iterations", "300"], {"iterations": 300, "evaluations": (601, 601)}),
])  # fmt: skip
def test_names_that_peers_use_are_understood(options: list[str], changes: dict[str, Any]) -> None:
    """The budget by either name; iterations are as many, with the evaluations that they need."""
    found = asked_recipe(build_parser().parse_args(options))
    assert found == dataclasses.replace(RECIPES["fine"], **changes)


def test_iterations_are_that_many(studio: Studio) -> None:
    records = studio.traced("--recipe", "gatys", "--size-of", "height", "--iterations", "6", "--evaluations", "20")
    assert 7 <= len(records) <= 13


def test_the_list_of_recipes_has_a_line_each(capsys: Captured) -> None:
    assert main(["--list-recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*RECIPES, "keras"]
    assert all(len(line) < 120 for line in lines)
    assert len({line.index(RECIPES[line.split()[0]].description) for line in lines[:-1]}) == 1


@pytest.mark.parametrize(("option", "near"), [
    ("--stile-weight", "--style-weight"), ("--preserve-colour", "--preserve-color"), ("--Size", "--size"),
    ("--content_weight", "--content-weight"), ("--list-recipe", "--list-recipes"),
])  # fmt: skip
def test_an_unknown_option_is_told_with_the_nearest(studio: Studio, capsys: Captured, option: str, near: str) -> None:
    assert studio.run(option, "5") == 2
    line = told_in_one_line(capsys)
    assert re.search(rf"unrecognized arguments: {option}.*; did you mean {near}\? See minstyle --help", line)


def test_an_option_that_is_like_no_other_is_told_alone(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--xyzzy") == 2
    assert told_in_one_line(capsys).endswith("unrecognized arguments: --xyzzy. See minstyle --help")


def help_text(monkeypatch: pytest.MonkeyPatch, capsys: Captured, *which: str, columns: int = 200) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as end:
        main(["--help", *which])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_has_every_option_with_its_default(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    text = help_text(monkeypatch, capsys, "all")
    options = {part.split()[0].rstrip(","): " ".join(part.split()) for part in re.split(r"\n(?=  -)", text)[1:]}
    others = {"--recipe": "fine", "--network": "auto", "--device": "auto", "--dtype": "float32", "--depth": "auto",
              "--quality": "95"}  # fmt: skip
    for flag, default in others.items():
        assert f"(default: {default}" in options[flag]
    for field, (flag, _, _) in RECIPE_OPTIONS.items():
        default = getattr(RECIPES["fine"], field)
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        words = options[flag].partition("(default: ")[2]
        if default not in (None, ()):
            start = words.partition(")")[0]
            assert start == shown or tuple(map(float, start.split(","))) == pytest.approx(
                default if isinstance(default, tuple) else (default,)
            )
    without = {
        "-h", "--version", "--weights-dir", "--threads", "--save-every", "--trace", "--quiet", "--print-recipe",
        "--show-recipe", "--mask", "--keep-metadata", "--plot", "--sheet", "--compare", "--content-layers",
        "--style-layers", "--content-loss", "--style-loss", "--tv-loss", "--memory", "--estimate",
        "--resume", "--checkpoint", "--no-checkpoint", "--list-recipes", "--verbose", "--preserve-color",
        "--bands", "--overwrite", "--precision", "--print", "--workers", "--cluster",
    }  # fmt: skip
    assert set(options) - set(others) - {flag for flag, _, _ in RECIPE_OPTIONS.values()} == without
    assert all(len(option.split("  ")) >= 1 and len(option.split()) > 3 for option in options.values()), "with words"


def test_help_has_groups_and_examples_that_parse(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    text = help_text(monkeypatch, capsys, "all")
    heads = re.findall(r"^([a-z][a-z ]+)\b.*:$", text, re.MULTILINE)
    assert {"look", "size", "optimiser", "network and machine", "watching", "examples"} <= set(heads)
    examples = re.findall(r"^  python -m minstyle (.+)$", text, re.MULTILINE)
    assert len(examples) >= 2
    for example in examples:
        asked_recipe(build_parser().parse_args(shlex.split(example)))


def test_the_short_help_begins_with_examples_and_has_the_options_used_most(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    text, whole = (help_text(monkeypatch, capsys, *which, columns=80) for which in ((), ("all",)))
    assert len(text.splitlines()) <= 110 < 220 < len(whole.splitlines())
    assert text.index("python -m minstyle photo.jpg") < text.index("--version") < 2000
    flags, every = ({flag for flag in re.findall(r"^  .*?(--[a-z-]+)", found, re.MULTILINE)} for found in (text, whole))
    assert {"--help", "--size", "--style-weight", "--preserve-color", "--resume", "--overwrite"} < flags < every
    hidden = len(re.findall(r"^  -", whole, re.MULTILINE)) - len(re.findall(r"^  -", text, re.MULTILINE))
    assert text.splitlines()[-1] == f"{hidden} more options: minstyle --help all"


def test_without_arguments_there_is_an_example(capsys: Captured) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "\n  python -m minstyle photo.jpg painting.jpg out.png\n" in captured.err
    assert "error" not in captured.err


@pytest.mark.parametrize(("word", "command"), [("bach", "batch"), ("Batch", "batch"), ("stdio", "studio")])
def test_a_misspelt_command_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured, word: str, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["minstyle", word, "photos", "--style", "a.jpg"])
    assert main_of_module() == 2
    assert f"error: {word} is neither a file nor a command: did you mean {command}?" in told_in_one_line(capsys)
    for words in ([f"{word}.jpg", "b.jpg", "out.png"], ["photo", "b.jpg", "out.png"]):
        monkeypatch.setattr(sys, "argv", ["minstyle", *words])
        assert main_of_module() == 2
        assert f"{words[0]} not found: expected a picture file" in told_in_one_line(capsys)


@pytest.mark.parametrize(("arguments", "words"), [
    ("-o out.png", "OUT is the last of the files: minstyle CONTENT STYLE OUT. See"),
    ("--output=out.png", "OUT is the last of the files"),
    ("--content photo.jpg --style painting.jpg --out out.png", "pictures need no option: minstyle CONTENT STYLE OUT."),
    ("a.jpg b.jpg out.png --style 500", "the weight of the style is --style-weight"),
    ("a.jpg b.jpg out.png 500", "expected the name of a picture, got the number 500; it needs its option before it"),
    ("a.jpg b.jpg out.png --wieght 5", "did you mean --content-weight or --style-weight or --tv-weight"),
    ("a.jpg", "error: expected CONTENT, STYLE and OUT, got 1 file."),
    ("a.jpg b.jpg out.png --color contnt", "did you mean content?"),
    ("a.jpg b.jpg out.png --compare fine:style_wieght=3", "unknown setting 'style_wieght': did you mean style_weight?"),
    ("a.jpg b.jpg", "OUT is missing: expected CONTENT, STYLE and OUT, got 2 files"),
    ("https://example.org/a.jpg b.jpg out.png", "https://example.org/a.jpg is a web address"),
    ("a.jpg b.jpg out.png --network vgg", "unknown network 'vgg'"),
])  # fmt: skip
def test_near_misses_are_told_what_is_meant(studio: Studio, capsys: Captured, arguments: str, words: str) -> None:
    files = {"a.jpg": str(studio.content), "b.jpg": str(studio.style), "out.png": str(studio.out)}
    try:
        code = main([files.get(word, word) for word in arguments.split()])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert words in told_in_one_line(capsys)
    assert not studio.out.exists()


def test_cuda_is_another_name_of_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert build_parser().parse_args(["--device", "cuda"]).device == "gpu"
    with pytest.raises(DeviceError, match="no usable GPU"):
        choose_device("cuda")


def test_version(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"minstyle {minstyle.__version__}\n")
