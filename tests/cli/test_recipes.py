"""cli/main.py: recipes printed, shown, stored in the picture and run again; layers and losses by option."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minstyle.cli.main import main
from minstyle.images import load_image, save_image, save_picture
from minstyle.job.recipefile import recipe_of_picture
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line


def printed(capsys: Captured, *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


# Printed and read back


@pytest.mark.parametrize("name", RECIPES)
def test_a_printed_recipe_is_that_recipe_and_can_be_loaded(name: str, tmp_path: Path, capsys: Captured) -> None:
    text = printed(capsys, "--recipe", name, "--print-recipe")
    assert Recipe.from_json(text) == RECIPES[name]
    path = tmp_path / "mine.json"
    path.write_text(text)
    assert printed(capsys, "--recipe", path, "--print-recipe") == text


def test_all_options_are_in_the_printed_recipe(tmp_path: Path, capsys: Captured) -> None:
    options = ["--blend", "3,7", "--style-crop", "0,0,0.5,1/0,0,1,1", "--size", "64,128", "--color", "match",
               "--pooling-factor", "1.5", "--style-layers", "conv1_1,block3_conv1:2",
               "--tv-loss", "tv_absolute:3"]  # fmt: skip
    path = tmp_path / "mine.json"
    path.write_text(printed(capsys, "--recipe", "johnson", *options, "--print-recipe"))
    found = Recipe.from_json(path.read_text())
    assert (found.blend, found.sizes, found.pooling_factor, found.color) == ((3, 7), (64, 128), 1.5, "match")
    assert [term.name for term in found.terms] == [
        "content_mean block4_conv2", "gram_mean block1_conv1", "gram_mean block3_conv1", "tv_absolute",
    ]  # fmt: skip
    assert Recipe.from_json(printed(capsys, "--recipe", path, "--print-recipe")) == found
    changed = printed(capsys, "--recipe", path, "--seed", "5", "--print-recipe")
    assert Recipe.from_json(changed) == dataclasses.replace(found, seed=5)


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif"])
def test_a_result_shows_the_recipe_that_made_it(studio: Studio, capsys: Captured, extension: str) -> None:
    studio.out = studio.results / f"out.{extension}"
    studio.image("--seed", 7, "--style-weight", 2.5)
    shown = Recipe.from_json(printed(capsys, "--show-recipe", studio.out))
    assert shown == dataclasses.replace(
        RECIPES["document"], sizes=(32,), rounds=1, evaluations=(4,), seed=7, style_weight=2.5
    )


def test_a_picture_is_a_recipe_that_makes_it_again(studio: Studio) -> None:
    first = studio.image("--seed", 7, "--style-weight", 2.5, "--color", "match", "--init", "style")
    again = studio.results / "again.png"
    command = [studio.content, studio.style, again, "--recipe", studio.out, "--network", studio.network]
    assert main([str(part) for part in [*command, "--device", "cpu", "--quiet"]]) == 0
    assert again.read_bytes() == first


def test_a_foreign_picture_has_no_recipe(studio: Studio, capsys: Captured) -> None:
    for arguments in (["--show-recipe", studio.content], ["--recipe", studio.content, "--print-recipe"]):
        assert main([str(argument) for argument in arguments]) == 2
        assert f"{studio.content}: there is no recipe in this picture" in told_in_one_line(capsys)


@pytest.mark.parametrize("name", ["gone.png", "notes.txt"])
def test_what_is_no_picture_shows_nothing(studio: Studio, capsys: Captured, name: str) -> None:
    (studio.folder / "notes.txt").write_text("notes")
    assert main(["--show-recipe", str(studio.folder / name)]) == 2
    assert name in told_in_one_line(capsys)


@pytest.mark.parametrize(
    "arguments", [["--print-recipe"], ["--help"], ["--recipe", "gatys", "--print-recipe"]], ids=" ".join
)
@pytest.mark.parametrize("lines", [0, 1])
def test_a_reader_that_has_seen_enough_is_no_error(arguments: list[str], lines: int) -> None:
    """As in ``minstyle --print-recipe | head -1``: the pipe is closed at once, or after a line."""
    command = [sys.executable, "-m", "minstyle", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(lines):
            assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


def test_an_output_that_cannot_be_written_is_told_in_one_line(studio: Studio) -> None:
    """A file that is open for reading only and, where the system has one, a device that is always full."""
    (studio.folder / "read_only").touch()
    outputs = {studio.folder / "read_only": (os.O_RDONLY, errno.EBADF)}
    if (full := Path("/dev/full")).exists():
        outputs[full] = (os.O_WRONLY, errno.ENOSPC)
    for path, (mode, reason) in outputs.items():
        for arguments in (["--print-recipe"], studio.arguments()):
            output = os.open(path, mode)
            command = [sys.executable, "-m", "minstyle", *arguments]
            done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
            os.close(output)
            asked_for = arguments == ["--print-recipe"]  # the summary of a run is not: its picture is
            assert done.returncode == (2 if asked_for else 0)
            told = f"minstyle: {'error: ' * asked_for}cannot write to standard output: {os.strerror(reason)}"
            assert done.stderr.splitlines()[-1] == told
            assert "Traceback" not in done.stderr
        assert load_image(studio.out).shape == (32, 40, 3)
        studio.out.unlink()


def test_a_run_whose_reader_has_gone_has_its_picture(studio: Studio) -> None:
    command = [sys.executable, "-m", "minstyle", *studio.arguments("--seed", 7)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        assert process.wait(timeout=60) == 0
    assert load_image(studio.out).shape == (32, 40, 3)


# Files on the command line


def test_files_that_mask_took_are_told(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--mask", "cat_mask.png", "glass_mask.png", "cat.jpg", "glass.jpg", "out.png"])
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert "got 0 files; --mask takes all files that follow it: put it after OUT" in line


@pytest.mark.parametrize("files", [[], ["photo.jpg"], ["photo.jpg", "painting.jpg"]], ids=len)
def test_too_few_files_are_told_in_one_line(files: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as end:
        main([*files, "--quiet"])
    captured = capsys.readouterr()
    assert (end.value.code, captured.out) == (2, "")
    (line,) = captured.err.splitlines()
    assert f"expected CONTENT, STYLE and OUT, got {len(files)} file{'' if len(files) == 1 else 's'}." in line


def test_options_may_stand_between_the_files(studio: Studio) -> None:
    first = studio.image("--seed", 7)
    content, style, out, *options = studio.arguments("--seed", 7, "--quiet")
    studio.out.unlink()
    assert main([*options[:4], content, *options[4:6], style, *options[6:], out]) == 0
    assert studio.out.read_bytes() == first


def test_a_files_name_may_begin_with_a_dash(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first = studio.image("--seed", 7)
    _, _, _, *options = studio.arguments("--seed", 7, "--quiet")
    studio.content.rename(studio.folder / "-photo.png")
    monkeypatch.chdir(studio.folder)
    assert main([*options, "--", "-photo.png", str(studio.style), str(studio.out)]) == 0
    assert studio.out.read_bytes() == first


# Layers and losses


def terms(studio: Studio, *options: object) -> dict[str, float]:
    found: dict[str, float] = studio.traced(*options)[0]["terms"]
    return found


def test_layers_and_losses_are_those_that_are_computed(studio: Studio) -> None:
    found = terms(studio, "--style-layers", "conv1_1,relu3_1:2", "--content-layers", "block4_conv2:3,conv4_1",
                  "--content-loss", "content_mean", "--style-loss", "gram_code,histogram:5",
                  "--tv-loss", "tv_absolute")  # fmt: skip
    assert list(found) == [
        "content_mean block4_conv2", "content_mean block4_conv1", "gram_code block1_conv1", "gram_code block3_conv1",
        "histogram block1_conv1", "histogram block3_conv1", "tv_absolute",
    ]  # fmt: skip


@pytest.mark.parametrize(("option", "term"), [
    ("--content-layers", "content_sum block3_conv1"), ("--style-layers", "gram_image block3_conv1"),
])  # fmt: skip
def test_a_layers_weight_scales_its_term(studio: Studio, option: str, term: str) -> None:
    one, two = (terms(studio, option, f"block3_conv1:{w}")[term] for w in (0.5, 1.5))
    assert two == pytest.approx(3 * one)


@pytest.mark.parametrize(("option", "kind", "term"), [
    ("--content-loss", "content_half", "content_half block5_conv2"),
    ("--style-loss", "covariance", "covariance block2_conv1"),
    ("--tv-loss", "tv_squared", "tv_squared"),
])  # fmt: skip
def test_a_losses_weight_scales_its_terms(studio: Studio, option: str, kind: str, term: str) -> None:
    one, two = (terms(studio, option, f"{kind}:{w}")[term] for w in (0.5, 1.5))
    assert two == pytest.approx(3 * one)


@pytest.mark.parametrize(("options", "words"), [
    (["--style-layers", "block9_conv1"], ["'block9_conv1'", "block5_conv4"]),
    (["--style-layers", ""], ["''", "block1_conv1"]),
    (["--content-layers", "conv3_9"], ["'block3_conv9'", "block3_conv4"]),
    (["--style-loss", "gram"], ["style loss", "gram_paper", "'gram'"]),
    (["--style-layers", "conv1_1,block1_conv1"], ["--style-layers", "block1_conv1 twice"]),
    (["--tv-loss", ""], ["tv loss", "tv_mean", "''"]),
    (["--blend", "1,2"], ["blend", "a value for each style, 1 in all", "got 2"]),
    (["--style-scale", "1,2,3"], ["style_scale", "a value for each style, 1 in all", "got 3"]),
    (["--style-crop", "0,0,1,1/0,0,1,1"], ["style_crop", "a value for each style, 1 in all", "got 2"]),
    (["--style-crop", "0,0,0.5,1"], ["style", "18 x 40"]),
    (["--gradients", "unit"], ["gradients", "plain", "scipy"]),
    (["--bounds", "step"], ["bounds", "end or smooth", "scipy"]),
    (["--optimizer", "adam", "--learning-rate", "0"], ["learning_rate", "above 0"]),
])  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(
    studio: Studio, capsys: Captured, options: list[str], words: list[str]
) -> None:
    assert studio.run("--quiet", *options) == 2
    line = told_in_one_line(capsys)
    assert [word for word in words if word not in line] == []
    assert not studio.out.exists()


def test_several_styles_with_blend_scale_and_crop(studio: Studio, capsys: Captured) -> None:
    """The second style alone is what a blend of 0,1 makes; other numbers than styles are refused."""
    other = studio.folder / "night.png"
    save_image(picture(44, 60, 5), other)

    def painted(*styles: Path, **options: str) -> np.ndarray:
        given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
        _, _, _, *small = studio.arguments("--quiet", "--style-fit", "keep", *given)
        assert main([str(part) for part in (studio.content, *styles, studio.out, *small)]) == 0
        return load_image(studio.out)

    one, two, both = painted(studio.style), painted(other), painted(studio.style, other)
    np.testing.assert_array_equal(painted(studio.style, other, blend="0,1"), two)
    np.testing.assert_array_equal(painted(studio.style, other, blend="2,0"), one)
    np.testing.assert_array_equal(painted(studio.style, other, blend="4,4"), both)
    cropped = studio.folder / "cropped.png"
    save_image(load_image(other)[:33, 15:], cropped)
    by_crop = painted(studio.style, other, style_crop="0,0,1,1/0.25,0,1,0.75", style_scale="1,1.5")
    np.testing.assert_array_equal(by_crop, painted(studio.style, cropped, style_scale="1,1.5"))
    assert (by_crop != painted(studio.style, cropped)).any(), "the scale counts"
    _, _, _, *small = studio.arguments("--style-scale", "1,2,3", "--quiet")
    assert main([str(part) for part in (studio.content, studio.style, other, studio.out, *small)]) == 2
    assert "style_scale: expected a value for each style, 2 in all, got 3" in told_in_one_line(capsys)


def test_a_picture_that_began_with_a_file_says_so(studio: Studio, capsys: Captured) -> None:
    first = studio.image("--init", studio.style)
    begun = studio.out
    assert recipe_of_picture(begun).init == "file"
    studio.out = studio.results / "again.png"
    assert studio.run("--recipe", begun) == 2
    assert "recipe document: expected the picture that it starts from (--init FILE, " in told_in_one_line(capsys)
    assert studio.image("--recipe", begun, "--init", studio.style) == first


def test_a_recipe_with_a_loss_that_is_not_registered_is_shown_all_the_same(studio: Studio, capsys: Captured) -> None:
    terms = [{"kind": "hue", "layer": "image", "weight": 2.0}]
    data = {**json.loads(RECIPES["document"].to_json()), "terms": terms}
    save_picture(picture(40, 40, 1), studio.out, text={"minstyle": json.dumps(data)})
    assert main(["--show-recipe", str(studio.out)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == data
    (line,) = captured.err.splitlines()
    assert f"minstyle: {studio.out}: unknown loss 'hue'" in line
    assert "minstyle.register_loss adds your own" in line
