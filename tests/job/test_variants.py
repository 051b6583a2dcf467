"""job/variants.py: recipes to compare, by name, with settings of their own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.errors import RecipeError
from minstyle.job.variants import parse_variant, parse_variants
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe


@pytest.mark.parametrize(("text", "name", "changes"), [
    ("document", "document", {}),
    (" gatys ", "gatys", {}),
    ("document:style_weight=10", "document", {"style_weight": 10.0}),
    ("document:style-weight=1e1:init=content", "document", {"style_weight": 10.0, "init": "content"}),
    ("document: seed = 7 :pooling=l2", "document", {"seed": 7, "pooling": "l2"}),
    ("gatys:size=64,128", "gatys", {"sizes": (64, 128)}),
    ("gatys:sizes=64", "gatys", {"sizes": (64,)}),
    ("gatys:pooling_factor=0.5", "gatys", {"pooling_factor": 0.5}),
])  # fmt: skip
def test_a_variant(text: str, name: str, changes: dict[str, Any]) -> None:
    assert parse_variant(text) == (text.strip(), dataclasses.replace(RECIPES[name], **changes))


def test_variants_are_parted_by_commas() -> None:
    variants = parse_variants("document, gatys:size=64,128,gatys:tv_weight=1,document:seed=3")
    assert list(variants) == ["document", "gatys:size=64,128", "gatys:tv_weight=1", "document:seed=3"]
    assert [v.sizes for v in variants.values()] == [(400,), (64, 128), (512,), (400,)]


def test_a_variant_of_a_recipe_by_its_other_name() -> None:
    assert parse_variant("keras:seed=3") == ("keras:seed=3", dataclasses.replace(RECIPES["document"], seed=3))


def test_a_variant_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my recipe.json"
    path.write_text(dataclasses.replace(RECIPES["gatys"], name="mine", seed=5).to_json())
    label, recipe = parse_variant(f"{path}:style_weight=2")
    assert label == f"{path}:style_weight=2"
    assert (recipe.name, recipe.seed, recipe.style_weight) == ("mine", 5, 2.0)


@pytest.mark.parametrize(("text", "words"), [
    ("", "unknown recipe '': known are fine, document, gatys"),
    ("gatis", "unknown recipe 'gatis': did you mean gatys? known are fine, document, gatys"),
    ("document,,gatys", "unknown recipe ''"),
    ("document:style_weight", "unknown recipe 'document:style_weight'"),
    ("document:xyzzy=1", "'document:xyzzy=1': unknown setting 'xyzzy': known are strength, content_weight,"),
    ("document:style_wieght=1", "unknown setting 'style_wieght': did you mean style_weight?"),
    ("document:terms=1", "unknown setting 'terms'"),
    ("document:=1", "unknown setting ''"),
    ("document:style_weight=", "style_weight: expected a value such as 1.0, got ''"),
    ("document:tv_weight=much", "'document:tv_weight=much': tv_weight: expected a value such as 0.0001, got 'much'"),
    ("document:style_weight=-1", "style_weight: expected a number from 0 to 1e+12, got '-1'"),
    ("document:sizes=a", "sizes: expected a value such as 400, got 'a'"),
    ("document:pooling_factor=x", "pooling_factor: expected a value such as 1, got 'x'"),
    ("document:init=paper", "init: expected noise or content or style or grey or file, got 'paper'"),
    ("document:seed=1.5", "seed: expected a value such as 0, got '1.5'"),
    ("document,document", "comparison: expected variants that differ, got 'document' twice"),
    ("gone.json", "gone.json: cannot be read"),
    ("\0.json", "cannot be read"),
])  # fmt: skip
def test_a_wrong_variant_is_told_in_one_line(text: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_variants(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(RecipeError, match=r"bad\.json: not a recipe"):
        parse_variant(str(tmp_path / "bad.json"))


@given(st.text(max_size=60) | st.builds("document:{}={}".format, st.text(max_size=9), st.text(max_size=9)))
def test_any_text_is_variants_or_an_error(text: str) -> None:
    try:
        variants = parse_variants(text)
    except RecipeError:
        return
    assert all(isinstance(recipe, Recipe) for recipe in variants.values())
