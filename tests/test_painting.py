"""painting.py: one call paints as the command line does, from whatever pictures and names there are."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minstyle
from minstyle.cli.main import main
from minstyle.errors import FileError, ImageError, RecipeError, ResourceError, ShapeError, WeightsError
from minstyle.images import load_image
from minstyle.memory import Room, resident
from minstyle.notices import Notice
from minstyle.watch.logged import Logged
from tests.support.studio import Studio

ROOT = Path(__file__).resolve().parents[1]
QUICK: dict[str, Any] = {"network": "mini", "device": "cpu", "size": 48, "steps": 2}


def test_it_paints_what_the_command_line_paints(studio: Studio) -> None:
    """Recipe, draft, sizes and the file alike; two sizes of which the small network paints the first."""
    photo, painting, own = str(studio.content), str(studio.style), studio.folder / "own.png"
    options = ["--network", str(studio.network), "--device", "cpu", "--size", "96", "--min-size", "48", "--steps", "2"]
    assert main([photo, painting, str(studio.out), *options, "--quiet"]) == 0
    result = minstyle.stylize(photo, painting, network=studio.network, device="cpu", size=96, min_size=48, steps=2)
    result.save(own)
    assert own.read_bytes() == studio.out.read_bytes()
    assert list(dict.fromkeys(record.shape for record in result.history)) == [(38, 48), (76, 96)]


def test_what_is_not_said_is_as_on_the_command_line(monkeypatch: pytest.MonkeyPatch, studio: Studio) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(minstyle.painting, "run", lambda *pictures, **given: seen.update(given, recipe=pictures[2]))
    minstyle.stylize(studio.content, studio.style)
    assert seen["recipe"] == minstyle.RECIPES["fine"]
    assert seen["network"].name == "vgg19"
    assert not seen["network"].small
    assert seen["draft"].small
    minstyle.stylize(studio.content, studio.style, "keras", draft=None)
    assert seen["recipe"] == minstyle.RECIPES["document"]
    assert seen["draft"] is None


def test_a_run_that_does_not_fit_is_made_smaller_or_refused_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(minstyle.painting, "run", lambda *pictures, **given: seen.update(given, recipe=pictures[2]))
    large: dict[str, Any] = QUICK | {"size": 3000, "scales": 1, "steps": 30, "threads": 1}
    for more, whole in ((100e9, True), (4.5e9, False)):
        monkeypatch.setattr(minstyle.painting, "tightest", lambda most, more=more: Room(resident() + int(more), "test"))
        minstyle.stylize(studio.content, studio.style, **large)
        assert (seen["bands"] == 0, seen["recipe"].history == 20) == (whole, whole)
    assert "painted with a --history of 10, not 20" in caplog.text
    monkeypatch.setattr(minstyle.painting, "tightest", lambda most: Room(resident() + 10**8, "test"))
    with pytest.raises(ResourceError, match=r"at most .* \(test\), got one of about .*; the largest that fits is"):
        minstyle.stylize(studio.content, studio.style, **large)


def test_pictures_of_any_form_and_several_styles(studio: Studio) -> None:
    photo, painting = load_image(studio.content), Image.open(studio.style)
    files = minstyle.stylize(studio.content, [studio.style, studio.content], **QUICK)
    others = minstyle.stylize(photo.astype(np.uint8), (painting, studio.content.read_bytes()), **QUICK)
    np.testing.assert_array_equal(files.image, others.image)
    assert files.recipe.sizes == (48,)


def test_recipes_and_networks_by_name_file_or_object(studio: Studio) -> None:
    fine, network = minstyle.RECIPES["fine"], minstyle.load_network("mini", device="cpu")
    mine = studio.folder / "mine.json"
    mine.write_text(fine.to_json())
    first, *more = (
        minstyle.stylize(studio.content, studio.style, recipe, **{**QUICK, "network": used}, style_weight=50)
        for recipe, used in (("fine", "mini"), (fine, network), (mine, network))
    )
    for other in more:
        np.testing.assert_array_equal(other.image, first.image)
        assert other.recipe == dataclasses.replace(fine, sizes=48, evaluations=2, style_weight=50)
    first.save(studio.out)
    again = minstyle.stylize(studio.content, studio.style, studio.out, network=network)  # as that picture was painted
    np.testing.assert_array_equal(again.image, first.image)


def test_the_contents_own_size_and_a_start(studio: Studio) -> None:
    start = minstyle.stylize(studio.content, studio.style, **{**QUICK, "size": "original"})
    assert start.recipe.sizes == (40,)
    further = minstyle.stylize(studio.content, studio.style, **{**QUICK, "size": 300}, initial=start.image)
    assert (further.recipe.init, further.recipe.scales, further.recipe.sizes) == ("file", 1, (300,))
    with pytest.raises(RecipeError, match=r"recipe fine: expected the picture that it starts from \(--init FILE"):
        minstyle.stylize(studio.content, studio.style, further.recipe, **QUICK)


def test_progress_is_shown_and_notices_are_logged(
    studio: Studio, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "minstyle")
    minstyle.stylize(studio.content, studio.style, **QUICK)
    Logged().notice(Notice("any", "of 100 %s"))
    assert capsys.readouterr() == ("", "")
    network = "Network(small network in place of vgg19, up to block5_conv2, float32, cpu)"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"Recipe('fine', sizes=(48,), evaluations=(2,)), {network}"), ("WARNING", "of 100 %s"),
    ]  # fmt: skip
    minstyle.stylize(studio.content, studio.style, progress=True, **QUICK)
    assert "2/2 evaluations" in capsys.readouterr().err


def test_threads_are_those_of_the_caller(studio: Studio) -> None:
    from minstyle.engine.kernels.cpu.threads import thread_count

    class Count(minstyle.Observer):
        def step(self, step: minstyle.Step) -> None:
            counts.add(thread_count())

    counts: set[int] = set()
    with minstyle.use_threads(3):
        minstyle.stylize(studio.content, studio.style, observers=[Count()], **QUICK)
        minstyle.stylize(studio.content, studio.style, observers=[Count()], threads=2, **QUICK)
    assert counts == {2, 3}


@pytest.mark.parametrize(("given", "error", "words"), [
    ({"content": "gone.jpg"}, ImageError, "gone.jpg not found"),
    ({"styles": []}, ShapeError, "expected a style picture, got none"),
    ({"styles": np.ones((40, 40, 3))}, ImageError, "style: expected levels of 0..255"),
    ({"recipe": "Fine"}, RecipeError, "did you mean fine?"), ({"network": "vgg99"}, WeightsError, "unknown network"),
    ({"size": 8}, RecipeError, "^size: expected a whole number from 32"),
    ({"size": "large"}, RecipeError, "^size: expected whole numbers"),
    ({"stile_weight": 1}, TypeError, r"unexpected keyword argument 'stile_weight'; did you mean style_weight\?"),
    ({"siez": 64}, TypeError, r"did you mean size\? settings are named as the command line's options, with _ for -"),
    ({"mask": 1}, TypeError, r"it is masks=\[of the content, of each style\]"),
    ({"preserve_color": True}, TypeError, 'it is color="content"'), ({"output": "a.png"}, TypeError, "result.save"),
    ({"steps": "ten"}, RecipeError, "^steps: expected whole numbers"),
    ({"size": "64"}, RecipeError, "^size: expected whole numbers, got '64'; write 64, without quotes"),
    ({"style_weight": "5"}, RecipeError, "style_weight: expected a number .*, got '5'; write 5.0, without quotes"),
    ({"recipe": "out.png"}, RecipeError, r'to save the picture: .*, then result.save\("out.png"\)'),
    ({"masks": "mask.png"}, RecipeError, "masks: expected a list: the content's mask, and one of each style, got str"),
    ({"content": "https://x.org/a.jpg"}, ImageError, "https://x.org/a.jpg is a web address"),
    ({"content": b""}, ImageError, "the file is empty, not a picture"),
    ({"content": np.zeros((8, 40, 3), np.uint8)}, ImageError, "content: expected at least"),
])  # fmt: skip
def test_what_is_wrong_is_named(studio: Studio, given: dict[str, Any], error: type[Exception], words: str) -> None:
    usual: dict[str, Any] = {"content": studio.content, "styles": studio.style, **QUICK}
    with pytest.raises(error, match=words):
        minstyle.stylize(**{**usual, **given})


def test_a_third_argument_that_is_a_picture_without_a_recipe_was_meant_to_be_written(studio: Studio) -> None:
    with pytest.raises(RecipeError, match=r"to save the picture: .*result.save\(.*painting.png"):
        minstyle.stylize(studio.content, studio.style, studio.style)


def test_a_folder_that_is_missing_is_named(studio: Studio) -> None:
    result = minstyle.stylize(studio.content, studio.style, **{**QUICK, "steps": 1})
    with pytest.raises(FileError, match=r"gone.x.png: the folder .*gone does not exist; make it first"):
        result.save(studio.results / "gone" / "x.png")


def test_masks_are_those_of_the_command_line(studio: Studio) -> None:
    """As files, as images and as arrays of bools; regions are either given or drawn by masks."""
    halves = [np.indices(shape)[1] < 18 for shape in ((32, 40), (40, 36))]
    files = [studio.folder / name for name in ("c.png", "s.png")]
    for file, half in zip(files, halves, strict=True):
        Image.fromarray(half).save(file)
    options = ["--network", "mini", "--device", "cpu", "--size", "48", "--steps", "2", "--quiet", "--mask", *files]
    assert main([str(part) for part in (studio.content, studio.style, studio.out, *options)]) == 0
    for masks in (files, [Image.open(file) for file in files], halves):
        result = minstyle.stylize(studio.content, studio.style, masks=masks, **QUICK)
        np.testing.assert_array_equal(load_image(studio.out), result.pixels)
    assert (minstyle.stylize(studio.content, studio.style, **QUICK).pixels != result.pixels).any()
    with pytest.raises(RecipeError, match="masks: expected 2: one for the photograph and one for each style, got 1"):
        minstyle.stylize(studio.content, studio.style, masks=files[:1], **QUICK)


PROGRAM = """\
import minstyle

recipe: minstyle.Recipe = minstyle.RECIPES["fine"]
result: minstyle.Result = minstyle.stylize("photo.jpg", ["painting.jpg"], recipe, size=512, progress=True)
result.save("out.png")
class Watch(minstyle.Observer):
    def step(self, step: minstyle.Step) -> bool:
        return step.record.loss < 1e5
network: minstyle.Network = minstyle.load_network("mini")
objective = minstyle.build_objective(result.image, [result.image], recipe, network)
loss, gradient = objective(result.image)
"""


def test_a_users_program_has_types(tmp_path: Path) -> None:
    assert len(PROGRAM.splitlines()) == 11
    (tmp_path / "good.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(PROGRAM.replace('"out.png"', "7").replace("loss < 1e5", "losses < 1e5"))
    files = [str(tmp_path / name) for name in ("good.py", "wrong.py")]
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml", *files]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert [run.stdout.count(f"/{name}:") for name in ("good.py", "wrong.py")] == [0, 3], run.stdout


def test_a_misspelt_name_of_the_library_is_answered_by_the_right_one() -> None:
    command = [sys.executable, "-c", "import minstyle; minstyle.stylise"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1].endswith("no attribute 'stylise'. Did you mean: 'stylize'?")
