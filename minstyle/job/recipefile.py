"""A recipe by its name: a preset, a JSON file, or a picture that carries its recipe."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import RecipeError
from ..images import read_text
from ..recipe.presets import ALIASES, RECIPES, find_recipe
from ..recipe.recipe import Recipe


def named_recipe(name: str) -> Recipe:
    """The preset of that name, or the recipe in a file: .json, or a picture that minstyle made.

    Raises RecipeError, ImageError.
    """
    path = recipe_file(name)
    if path is None:
        return find_recipe(name)
    if path.suffix.lower() != ".json":
        return recipe_of_picture(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise RecipeError(f"{name}: cannot be read ({error})") from error
    return _parsed(path, text)


def recipe_file(name: str) -> Path | None:
    """The file that ``named_recipe`` reads, if that is one."""
    path = Path(name)
    is_file = path.suffix.lower() == ".json" or os.path.isfile(path)
    return path if is_file and name not in RECIPES and name not in ALIASES else None


def recipe_of_picture(path: Path) -> Recipe:
    """The recipe that a picture was made by. Raises ImageError, and RecipeError where there is none in it."""
    text = read_text(path)
    if text is None:
        raise RecipeError(f"{path}: no recipe in this picture; minstyle writes one into those that it makes")
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> Recipe:
    try:
        return Recipe.from_json(text)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None
