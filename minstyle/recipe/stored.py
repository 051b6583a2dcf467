"""The text that a picture carries: the recipe that it was made by and, where somebody asks for that, what it is of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from ..errors import RecipeError
from .recipe import MAX_TEXT, Recipe

MADE_OF = "made_of"


def stored(recipe: Recipe, made_of: Mapping[str, str] | None = None) -> str:
    """The recipe's JSON, with ``made_of`` beside its fields."""
    told = {} if made_of is None else {MADE_OF: dict(made_of)}
    return json.dumps(dataclasses.asdict(recipe) | told, indent=2)


def read_stored(text: str) -> tuple[Recipe, dict[str, str] | None]:
    """The recipe of a text that ``stored`` wrote, and what it was told beside it. Raises RecipeError."""
    made_of = None
    try:
        data = json.loads(text) if len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):
        data = None  # which Recipe.from_json puts into words
    if isinstance(data, dict) and MADE_OF in data:
        made_of = data.pop(MADE_OF)
        if not isinstance(made_of, dict) or not all(isinstance(value, str) for value in made_of.values()):
            raise RecipeError(f"{MADE_OF}: expected texts by name, got {str(made_of)[:60]}")
        text = json.dumps(data)
    return Recipe.from_json(text), made_of
