"""job/recipefile.py: a name is a preset, a JSON file or a picture, and what is none of them is told in one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from minstyle.errors import ImageError, RecipeError
from minstyle.images import save_image, save_picture
from minstyle.job.recipefile import named_recipe, recipe_of_picture
from minstyle.recipe.presets import RECIPES
from tests.support.small import picture

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
    with pytest.raises(RecipeError, match=r"photo\.png: no recipe in this picture"):
        named_recipe(str(path))


def test_a_picture_with_a_broken_recipe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    save_picture(picture(32, 40), path, text={"minstyle": '{"name": "x", "terms": [{"kind": "beauty"}]}'})
    with pytest.raises(RecipeError, match=r"out\.png: "):
        recipe_of_picture(path)


@pytest.mark.parametrize(("name", "content", "error", "words"), [
    ("gone.json", None, RecipeError, r"gone\.json: cannot be read"),
    ("gone.png", None, RecipeError, r"unknown recipe '.*gone\.png': known are fine, document"),
    ("broken.json", b"{", RecipeError, r"broken\.json: not a recipe"),
    ("bytes.json", b"\xff\xfe", RecipeError, r"bytes\.json: cannot be read"),
    ("notes.txt", b"notes", ImageError, r"notes\.txt: not a picture"),
])  # fmt: skip
def test_what_is_no_recipe_is_told(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception], words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words):
        named_recipe(str(path))
