"""recipe/stored.py: what a picture carries beside its recipe is no setting."""

from __future__ import annotations

import pytest

from minstyle.errors import RecipeError
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.stored import read_stored, stored


@pytest.mark.parametrize("made_of", [None, {}, {"content": "ab12", "style 1": "cd34"}])
def test_what_was_stored_is_read(made_of: dict[str, str] | None) -> None:
    assert read_stored(stored(RECIPES["fine"], made_of)) == (RECIPES["fine"], made_of)


def test_a_recipe_alone_is_its_own_json() -> None:
    assert stored(RECIPES["gatys"]) == RECIPES["gatys"].to_json()


@pytest.mark.parametrize("text", ["", "5", "{", '{"made_of": 5}', '{"made_of": {"content": 5}}', "[" * 100_000])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(RecipeError):
        read_stored(text)
