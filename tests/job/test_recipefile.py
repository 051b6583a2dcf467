"""job/recipefile.py: a name is a preset, a JSON file or a picture, and what is none of them is told in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from pathlib import Path

import pytest

from minstyle.cli.main import main
from minstyle.errors import RecipeError
from minstyle.images import save_image, save_picture
from minstyle.job.recipefile import named_recipe, recipe_of_picture
from minstyle.recipe.presets import RECIPES
from tests.support.small import picture
from tests.support.studio import Captured, told_in_one_line

MINE = dataclasses.replace(
    RECIPES["crowson"], name="meine «Öl»", blend=(3, 7), style_crop=((0, 0, 0.5, 1), (0.25, 0.1, 1, 1)), sizes=(64, 100)
)


@pytest.mark.parametrize("name", [*RECIPES, "keras"])
def test_a_preset_by_its_name_even_where_a_file_has_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("another program's")
    assert named_recipe(name) is RECIPES["document" if name == "keras" else name]


@pytest.mark.parametrize("extension", [".json", ".JSON"])
def test_a_recipe_from_a_json_file(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"mine{extension}"
    path.write_text(MINE.to_json(), encoding="utf-8")
    assert named_recipe(str(path)) == MINE


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp", ".tif"])
def test_a_recipe_from_a_picture_in_any_format(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"out{extension}"
    save_picture(picture(32, 40), path, text={"minstyle": MINE.to_json()})
    assert recipe_of_picture(path) == named_recipe(str(path)) == MINE


def test_a_picture_without_a_recipe_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    save_image(picture(32, 40), path)
    with pytest.raises(RecipeError, match=r"photo\.png: there is no recipe in this picture"):
        named_recipe(str(path))


def test_a_picture_with_a_broken_recipe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    save_picture(picture(32, 40), path, text={"minstyle": '{"name": "x", "terms": [{"kind": "beauty"}]}'})
    with pytest.raises(RecipeError, match=r"out\.png: "):
        recipe_of_picture(path)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("gone.json", None, r"gone\.json: cannot be read"),
    ("gone.png", None, r"unknown recipe '.*gone\.png': known are fine, document"),
    ("broken.json", b"{", r"broken\.json: not a recipe"),
    ("bytes.json", b"\xff\xfe", r"bytes\.json: cannot be read"),
    ("notes.txt", b"notes", r"notes\.txt: expected a recipe's name, a \.json file or a picture that minstyle made"),
])  # fmt: skip
def test_what_is_no_recipe_is_told(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=words):
        named_recipe(str(path))


# ---------------------------------------------------------------- files that are no recipes, made to do harm

LIMITS: dict[str, tuple[dict[str, object], str]] = {
    "terms": ({"terms": 20_000 * [{"kind": "gram_mean", "layer": "block1_conv1"}]}, "terms: expected at most 500"),
    "values": ({"blend": 1000 * [1]}, "blend: expected at most 256 values, got 1000"),
    "a name": ({"name": "x" * 10_000}, "name: expected 1 to 200 printable letters"),
    "a layer": ({"terms": [{"kind": "gram_mean", "layer": "x" * 10_000}]}, "layer of gram_mean: expected a name"),
    "a loss": ({"terms": [{"kind": "x" * 10_000, "layer": "a"}]}, "unknown loss 'xxx"),
    "a field": ({"x" * 10_000: 1}, "unexpected keyword argument 'xxx"),
    "a choice": ({"color": "x" * 10_000}, "color: expected style or auto or content"),
    "depth": ({"blend": [[[[1]]]]}, "lists nested at most two deep"),
    "a product": ({"style_weight": 1e12, "terms": [{"kind": "gram_mean", "layer": "a", "weight": 2}]}, "at most 1e+12"),
}


@pytest.mark.parametrize("carrier", ["json", "png"])
@pytest.mark.parametrize(("changes", "words"), LIMITS.values(), ids=LIMITS)
def test_too_much_is_refused_in_one_short_line(
    tmp_path: Path, capsys: Captured, changes: dict[str, object], words: str, carrier: str
) -> None:
    text = json.dumps({**json.loads(MINE.to_json()), **changes})
    path = tmp_path / f"mine.{carrier}"
    if carrier == "json":
        path.write_text(text)
    else:
        save_picture(picture(32, 40), path, text={"minstyle": text})
    line = refused(capsys, path)
    assert words in line
    assert len(line) < 1000


@pytest.mark.parametrize(("text", "words"), [
    ('"style_weight": 1e400', r"style_weight: expected a number from 0 to 1e\+12, got '1e400'"),
    ('"style_weight": NaN', "got 'NaN'"), ('"seed": -Infinity', "seed: .* got '-Infinity'"),
    ('"seed": ' + "9" * 5000, "seed: expected a whole number of 0 or more, got '999"),
    ('"blend": ' + 200_000 * "[", "not a recipe: "), ('"blend": ' + 900 * "[" + 900 * "]", "nested at most two deep"),
    ('"blend": ' + "[" + 400_000 * "1," + "1]", "blend: expected at most 256 values, got 400001"),
])  # fmt: skip
def test_numbers_as_typed_and_depth(tmp_path: Path, capsys: Captured, text: str, words: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(f'{{"name": "x", "terms": [], {text}}}')
    began = time.perf_counter()
    line = refused(capsys, path)
    assert re.search(words, line)
    assert (len(line) < 1000, time.perf_counter() - began < 2) == (True, True)


def test_the_whole_file_may_have_a_million_bytes(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.json"
    path.write_text(MINE.to_json(), encoding="utf-8")
    path.write_bytes(path.read_bytes().ljust(1_000_000))
    assert named_recipe(str(path)) == MINE
    path.write_bytes(path.read_bytes() + b" ")
    assert "mine.json: expected a recipe of at most 1,000,000 bytes, got more" in refused(capsys, path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("extension", [".json", ".png"])
def test_what_is_no_file_is_not_read(tmp_path: Path, capsys: Captured, kind: str, extension: str) -> None:
    """Nobody writes into the pipe, and the device never ends: it must not even be opened."""
    path = tmp_path / f"mine{extension}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    expected = "expected a file, got a folder, a pipe or a device" if extension == ".json" else "unknown recipe"
    assert expected in refused(capsys, path)


def refused(capsys: Captured, path: Path) -> str:
    """The one line with which the command line refuses the recipe."""
    assert main(["photo.jpg", "painting.jpg", "out.png", "--recipe", str(path)]) == 2
    return told_in_one_line(capsys)
