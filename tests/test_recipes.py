"""Recipes are data that check themselves."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.errors import RecipeError
from minstyle.losses import LOSSES
from minstyle.presets import RECIPES, find_recipe
from minstyle.recipes import Recipe
from minstyle.terms import ROLES, Term

STYLE = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"]


def test_the_document_is_the_document() -> None:
    recipe = RECIPES["document"]
    weights = {term.name: recipe.effective_weight(term) for term in recipe.terms}
    assert weights == {
        "content_sum block5_conv2": 0.025,
        **{f"gram_image {layer}": 0.2 for layer in STYLE},
        "total_variation": 1e-4,
    }
    assert (recipe.sizes, recipe.size_of, recipe.style_fit, recipe.resample) == ((400,), "height", "stretch", "lanczos")
    assert (recipe.rounds, recipe.evaluations, recipe.iterations) == (20, (20,), 15000)
    assert (recipe.history, recipe.factr, recipe.pgtol) == (10, 1e7, 1e-5)
    assert (recipe.init, recipe.pooling) == ("noise", "max")


def test_gatys_is_the_paper() -> None:
    recipe = RECIPES["gatys"]
    weights = {term.name: recipe.effective_weight(term) for term in recipe.terms}
    content, *style = weights.values()
    assert list(weights)[:-1] == ["content_half block4_conv2", *(f"gram_paper {layer}" for layer in STYLE)]
    assert content / sum(style[:5]) == pytest.approx(1e-3)
    assert len(set(style[:5])) == 1
    assert (recipe.pooling, recipe.tv_weight, recipe.init) == ("average", 0, "noise")


def test_each_kind_of_term_has_its_formula() -> None:
    assert set(LOSSES) == set(ROLES)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_json_and_back(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert RECIPES[recipe.name] is find_recipe(recipe.name)


@pytest.mark.parametrize(("change", "words"), [
    ({"content_weight": -1.0}, "content_weight: expected a number of 0 or more, got -1.0"),
    ({"style_weight": math.nan}, "style_weight: expected a number of 0 or more, got nan"),
    ({"tv_weight": math.inf}, "tv_weight: .* got inf"),
    ({"tv_weight": "1"}, "tv_weight: .* got '1'"),
    ({"rounds": 0}, "rounds: expected a whole number of 1 or more, got 0"),
    ({"evaluations": 2.5}, "evaluations: expected a whole number of 1 or more, got 2.5"),
    ({"rounds": True}, "rounds: .* got True"),
    ({"seed": -1}, "seed: .* got -1"),
    ({"sizes": (31,)}, "sizes: expected a whole number of 32 or more, got 31"),
    ({"sizes": ()}, r"sizes: expected whole numbers, got \(\)"),
    ({"sizes": (256, 128)}, "sizes: expected growing numbers, got 256, 128"),
    ({"sizes": (128, 128)}, "sizes: expected growing numbers"),
    ({"init": "nothing"}, "init: expected noise or content or style or grey, got 'nothing'"),
    ({"pooling": "min"}, "pooling: expected max or average or l2, got 'min'"),
    ({"history": None}, "history: .* got None"),
    ({"name": ""}, "name: expected a text, got ''"),
    ({"terms": ("gram",)}, "terms: expected a tuple of Term"),
    ({"terms": ()}, "expected a term of weight above 0, got none"),
    ({"content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}, "expected a term of weight above 0"),
])  # fmt: skip
def test_a_wrong_field_is_named_with_its_value(change: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        dataclasses.replace(RECIPES["document"], **change)


@pytest.mark.parametrize(("term", "words"), [
    (("gramm", "block1_conv1"), "unknown loss 'gramm': known are content_sum"),
    (("gram_paper", "block1_conv1", -1), "weight of gram_paper at block1_conv1: .* got -1"),
    (("gram_paper", 5), "layer of gram_paper: expected a name, got 5"),
])  # fmt: skip
def test_a_wrong_term_is_named(term: tuple[Any, ...], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Term(*term)


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="unknown recipe 'dokument': known are fine, document, gatys, "):
        find_recipe("dokument")


@pytest.mark.parametrize("text", [
    "", "{", "[]", "null", '{"name": "x"}', '{"name": "x", "terms": [1]}', "[" * 100_000,
    '{"name": "x", "terms": [{"kind": "gram_paper"}]}',
    json.dumps({**json.loads(RECIPES["gatys"].to_json()), "colour": "red"}),
])  # fmt: skip
def test_a_broken_file_is_no_recipe(text: str) -> None:
    with pytest.raises(RecipeError):
        Recipe.from_json(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from([field.name for field in dataclasses.fields(Recipe)]), json_values)
def test_any_value_in_any_field_is_a_recipe_or_a_recipe_error(field: str, value: Any) -> None:
    data = {**json.loads(RECIPES["document"].to_json()), field: value}
    try:
        recipe = Recipe.from_json(json.dumps(data))
    except RecipeError:
        return
    assert json.loads(recipe.to_json())[field] == value
