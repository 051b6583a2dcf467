"""A recipe by its name: a preset, a JSON file, or a picture that carries its recipe."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from ..errors import ImageError, RecipeError
from ..images import read_text
from ..recipe.presets import RECIPES
from ..recipe.recipe import MAX_TEXT, Recipe
from ..recipe.stored import read_stored


def named_recipe(name: str) -> Recipe:
    """The preset of that name, or the recipe in a file: .json, or a picture that minstyle made.

    Raises RecipeError.
    """
    path = recipe_file(name)
    if path is None:
        return RECIPES[name]
    if path.suffix.lower() != ".json":
        try:
            return recipe_of_picture(path)
        except ImageError as error:
            why = str(error).removeprefix(f"{path}: ")
            raise RecipeError(f"{path}: expected a recipe's name, a .json file or a picture that minstyle made ({why})"
                              ) from error  # fmt: skip
    return _parsed(path, text_of(path, "a recipe"))


def recipe_file(name: str) -> Path | None:
    """The file that ``named_recipe`` reads, if that is one."""
    path = Path(name)
    is_file = path.suffix.lower() == ".json" or os.path.isfile(path)
    return path if is_file and name not in RECIPES else None


def recipe_of_picture(path: Path) -> Recipe:
    """The recipe that a picture was made by. Raises ImageError, and RecipeError where there is none in it."""
    text = read_text(path)
    if text is None:
        raise RecipeError(f"{path}: there is no recipe in this picture; only those that minstyle paints have one")
    return _parsed(path, text, lambda text: read_stored(text)[0])


def text_of(path: Path, what: str) -> str:
    """The text of a regular file of at most MAX_TEXT bytes, which is to be ``what``. Raises RecipeError."""
    try:
        # Looked at before it is opened: a pipe would wait for a writer, a device never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise RecipeError(f"{path}: expected a file, got a folder, a pipe or a device")
        with open(path, "rb") as file:
            data = file.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise RecipeError(f"{path}: expected {what} of at most {MAX_TEXT:,} bytes, got more")
        return data.decode()
    except RecipeError:
        raise
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _parsed(path: Path, text: str, parse: Callable[[str], Recipe] = Recipe.from_json) -> Recipe:
    try:
        return parse(text)
    except RecipeError as error:
        raise type(error)(f"{path}: {error}") from None
