"""Recipes are data that check themselves."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.errors import RecipeError
from minstyle.recipe.other_terms import with_layers, with_losses
from minstyle.recipe.presets import RECIPES, UnknownRecipeError
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import IMAGE, ROLES, Term
from minstyle.style.losses import LOSSES

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
    assert Recipe.from_json(recipe.to_json()).description == recipe.description != ""


@pytest.mark.parametrize(("change", "words"), [
    ({"content_weight": -1.0}, r"content_weight: expected a number from 0 to 1e\+12, got -1.0"),
    ({"style_weight": math.nan}, r"style_weight: expected a number from 0 to 1e\+12, got nan"),
    ({"tv_weight": math.inf}, "tv_weight: .* got inf"),
    ({"tv_weight": "1"}, "tv_weight: .* got '1'"),
    ({"rounds": 0}, "rounds: expected a whole number of 1 or more, got 0"),
    ({"evaluations": 2.5}, "evaluations: expected a whole number of 1 or more, got 2.5"),
    ({"rounds": True}, "rounds: .* got True"),
    ({"seed": -1}, "seed: .* got -1"),
    ({"sizes": (31,)}, "sizes: expected a whole number from 32 to 100000, got 31"),
    ({"sizes": ()}, r"sizes: expected whole numbers, got \(\)"),
    ({"sizes": (256, 128)}, "sizes: expected growing numbers, got 256, 128"),
    ({"sizes": (128, 128)}, "sizes: expected growing numbers"),
    ({"init": "nothing"}, "init: expected noise or content or style or grey or file, got 'nothing'"),
    ({"pooling": "min"}, "pooling: expected max or average or l2, got 'min'"),
    ({"history": None}, "history: .* got None"),
    ({"name": ""}, "name: expected 1 to 200 printable letters, got ''"),
    ({"terms": ("gram",)}, "terms: expected a tuple of Term"),
    ({"terms": ()}, "expected a term of weight above 0, got none"),
    ({"content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}, "expected a term of weight above 0"),
])  # fmt: skip
def test_a_wrong_field_is_named_with_its_value(change: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        dataclasses.replace(RECIPES["document"], **change)


def test_a_step_of_strength_is_a_quarter_of_the_content() -> None:
    content, style, *_ = RECIPES["fine"].terms
    for strength, share in ((1, 16.0), (2, 4.0), (3, 1.0), (4, 1 / 4), (5, 1 / 16)):
        recipe = dataclasses.replace(RECIPES["fine"], strength=strength, coarse_content=0.2)
        assert recipe.effective_weight(content) == pytest.approx(share * 1.5)
        assert recipe.effective_weight(style) == pytest.approx(100.0 * 256 / 341)
        assert recipe.while_coarse().effective_weight(content) == pytest.approx(share * 0.3)
    with pytest.raises(RecipeError, match="strength: expected a number from 1 to 5, got 6"):
        dataclasses.replace(RECIPES["fine"], strength=6)


@pytest.mark.parametrize(("term", "words"), [
    (("gramm", "block1_conv1"), "unknown loss 'gramm': did you mean gram_image or .* or gram_mean[?] known are"),
    (("gram_maen", "block1_conv1"), "unknown loss 'gram_maen': did you mean gram_mean[?] known are content_sum"),
    (("gram_paper", "block1_conv1", -1), "weight of gram_paper at block1_conv1: .* got -1"),
    (("gram_paper", 5), "layer of gram_paper: expected a name, got 5"),
])  # fmt: skip
def test_a_wrong_term_is_named(term: tuple[Any, ...], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Term(*term)


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="unknown recipe 'fresco': known are fine, document, gatys, "):
        RECIPES["fresco"]


@pytest.mark.parametrize(("name", "near"), [
    ("Gatys", "gatys"), ("dokument", "document"), ("gatys_code", "gatys-code"), ("KERAS", "keras"),
])  # fmt: skip
def test_names_that_are_near_are_told(name: str, near: str) -> None:
    with pytest.raises(KeyError) as caught:
        RECIPES[name]
    assert str(caught.value).startswith(f"unknown recipe '{name}': did you mean {near}? known are fine, ")
    assert isinstance(caught.value, UnknownRecipeError)
    assert RECIPES.get(name) is None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_recipes_can_be_copied(copied: Callable[[Any], Any]) -> None:
    assert copied(RECIPES) == RECIPES
    assert copied(RECIPES["crowson"]) == RECIPES["crowson"]


def test_a_recipe_says_what_differs_from_its_preset() -> None:
    fine = RECIPES["fine"]
    assert repr(fine) == "Recipe('fine')"
    other = dataclasses.replace(fine, sizes=256, terms=(*fine.terms[:-1], Term("tv_mean", IMAGE, 2)))
    assert repr(other) == "Recipe('fine', terms=<-tv_stencil, +tv_mean x 2>, sizes=(256,))"
    assert repr(Recipe("mine", (Term("gram_mean", "conv1_1"),), mix=0.5)) == "Recipe('mine', terms=<1>, mix=0.5)"


def test_a_description_makes_no_difference_and_is_one_line() -> None:
    assert dataclasses.replace(RECIPES["fine"], description="by night") == RECIPES["fine"]
    with pytest.raises(RecipeError, match="description: expected at most 500 printable letters"):
        dataclasses.replace(RECIPES["fine"], description="two\nlines")


def test_keras_is_another_name_of_document() -> None:
    assert RECIPES["keras"] is RECIPES["document"]
    assert "keras" in RECIPES
    assert "keras" not in list(RECIPES)
    with pytest.raises(RecipeError, match=r"did you mean keras\? known are fine, .*, keras \(the same as document\)"):
        RECIPES["kerras"]


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
    assert json.loads(recipe.to_json())[field] in (value, [value])  # a tuple of one may be given as its only value


# Any recipe


def settings_of(field: dataclasses.Field[Any]) -> st.SearchStrategy[Any]:
    """Values that a setting may have."""
    data = field.metadata
    low, high = data["minimum"], data["maximum"]
    whole = st.integers(int(low or 0), int(high or 10**6))
    number = st.floats(low or 0, high if high is not None else 1e9)
    window = st.tuples(st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0.5, 1), st.floats(0.5, 1))
    if data["choices"]:
        return st.sampled_from(data["choices"])
    if field.name == "betas":
        return st.tuples(st.floats(0, 0.999), st.floats(0, 0.999))
    if field.name == "sizes":
        return st.sets(whole, min_size=1, max_size=3).map(lambda sizes: tuple(sorted(sizes)))
    return {
        "int": whole,
        "float": number,
        "whole_numbers": st.lists(whole, min_size=1, max_size=3).map(tuple),
        "numbers": st.lists(number.filter(lambda x: x > 0), min_size=1, max_size=3).map(tuple),
        "windows": st.lists(window, max_size=2).map(tuple),
    }[data["parse"].__name__]


SETTINGS = {field.name: settings_of(field) for field in dataclasses.fields(Recipe) if "parse" in field.metadata}
TERMS = st.lists(
    st.builds(Term, st.sampled_from(list(ROLES)), st.sampled_from(["conv1_1", *STYLE, "image"]), st.floats(0.1, 1e6)),
    min_size=1,
    max_size=6,
).map(tuple)
ANY = st.fixed_dictionaries({}, optional=SETTINGS)


def any_recipe(name: str, terms: tuple[Term, ...], changes: dict[str, Any]) -> Recipe | None:
    """The recipe, or None where the choices contradict one another."""
    try:
        return Recipe(name, terms, **changes)
    except RecipeError:
        return None


@given(st.text(min_size=1, max_size=9), TERMS, ANY)
def test_any_recipe_survives_json(name: str, terms: tuple[Term, ...], changes: dict[str, Any]) -> None:
    recipe = any_recipe(name, terms, changes)
    if recipe is not None:
        assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("field", SETTINGS)
def test_each_setting_alone_can_be_had_and_survives_json(field: str) -> None:
    @given(SETTINGS[field])
    def survives(value: Any) -> None:
        recipe = dataclasses.replace(
            RECIPES["crowson" if field in ("bounds", "gradients") else "gatys"], **{field: value}
        )
        assert getattr(Recipe.from_json(recipe.to_json()), field) == value

    survives()


@given(TERMS, st.dictionaries(st.sampled_from(STYLE), st.none() | st.floats(0.1, 9), min_size=1, max_size=4))
def test_other_layers_leave_other_roles_and_the_order_of_roles(
    terms: tuple[Term, ...], layers: dict[str, float | None]
) -> None:
    recipe = Recipe("r", terms, tv_weight=1.0)
    for role in ("content", "style"):
        own = [term for term in terms if term.role == role]
        if not own:
            with pytest.raises(RecipeError, match=f"has no {role} terms"):
                with_layers(recipe, role, layers)
            continue
        changed = with_layers(recipe, role, layers)
        assert [t for t in changed.terms if t.role != role] == sorted(
            (t for t in terms if t.role != role), key=lambda t: ("content", "style", "tv").index(t.role)
        )
        new = [t for t in changed.terms if t.role == role]
        assert {(t.kind, t.layer) for t in new} == {(t.kind, layer) for t in own for layer in layers}
        first = [t for t in new if t.kind == own[0].kind and layers[t.layer] is not None]
        assert all(t.weight == layers[t.layer] for t in first)
        assert dataclasses.replace(changed, terms=terms) == recipe, "nothing else"


@given(TERMS, st.sampled_from(["content", "style", "tv"]), st.data())
def test_other_losses_leave_other_roles(terms: tuple[Term, ...], role: str, data: st.DataObject) -> None:
    recipe = Recipe("r", terms, tv_weight=1.0)
    kinds = [kind for kind, serves in ROLES.items() if serves == role]
    chosen = data.draw(st.dictionaries(st.sampled_from(kinds), st.none() | st.floats(0.1, 9), min_size=1, max_size=3))
    changed = with_losses(recipe, role, chosen)
    assert {t for t in changed.terms if t.role != role} == {t for t in terms if t.role != role}
    layers = {t.layer for t in terms if t.role == role} or {"image"}
    assert {(t.kind, t.layer) for t in changed.terms if t.role == role} == {(k, at) for k in chosen for at in layers}


def test_other_losses_take_the_layers_weights_of_the_first() -> None:
    recipe = with_losses(RECIPES["fine"], "style", {"covariance": None})
    found = {term.layer: term.weight for term in recipe.terms if term.kind == "covariance"}
    assert found == {term.layer: term.weight for term in RECIPES["fine"].terms if term.kind == "wasserstein"}
    assert list(found) == STYLE[:4]


def test_numbers_at_layers_keep_the_mix_of_formulas() -> None:
    mixed = with_losses(RECIPES["johnson"], "style", {"covariance": 10.0, "mean_std": 2.0})
    found = {term.name: term.weight for term in with_layers(mixed, "style", {"block3_conv1": 5.0}).terms}
    assert found["covariance block3_conv1"] == 5
    assert found["mean_std block3_conv1"] == 1


@pytest.mark.parametrize("name", ["", "two\nlines", "\x1b[2J", "\ud800", "x" * 201])
def test_a_name_that_a_terminal_would_not_show_is_refused(name: str) -> None:
    """It may come with a picture from anywhere."""
    with pytest.raises(RecipeError, match="name: expected 1 to 200 printable letters"):
        dataclasses.replace(RECIPES["fine"], name=name)


def test_more_pairs_than_scipy_can_count_are_refused() -> None:
    with pytest.raises(RecipeError, match="history: expected a whole number from 1 to 1000"):
        dataclasses.replace(RECIPES["fine"], history=2**31 - 1)


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0)])
def test_terms_of_one_name_count_each_by_itself(weights: tuple[float, float]) -> None:
    terms = tuple(Term("gram_mean", "block1_conv1", weight) for weight in weights)
    assert Recipe("twice", terms=terms).terms == terms
    with pytest.raises(RecipeError, match="expected a term of weight above 0, got none"):
        Recipe("twice", terms=tuple(dataclasses.replace(term, weight=0.0) for term in terms))
    large = tuple(dataclasses.replace(term, weight=1e3 * term.weight) for term in terms)
    with pytest.raises(RecipeError, match=r"times that of its role: expected at most 1e\+12, got 1000000000000000\.0"):
        Recipe("twice", terms=large, style_weight=1e12)
