"""recipe/settings.py: texts become values, and a value of the wrong kind or range is named with what was expected."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.errors import RecipeError
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.settings import (
    EXPECTED,
    check_number,
    check_setting,
    is_many,
    numbers,
    setting,
    whole_numbers,
    windows,
)


@dataclasses.dataclass
class Example:
    size: tuple[int, ...] = setting("h", whole_numbers, group="g", default=(400,), minimum=32)
    blend: tuple[float, ...] = setting("h", numbers, group="g", default=(), minimum=0, maximum=9)
    crop: tuple[tuple[float, ...], ...] = setting("h", windows, group="g", default=())
    kind: str = setting("h", str, group="g", default="one", choices=("one", "two"))
    factor: float | None = setting("h", float, group="g", default=None, minimum=0)
    count: int = setting("h", int, group="g", default=1, minimum=1, maximum=32)


FIELDS = {field.name: field for field in dataclasses.fields(Example)}


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=5))
def test_whole_numbers_come_back_from_their_text(values: list[int]) -> None:
    assert whole_numbers(",".join(map(str, values))) == tuple(values)


@given(st.lists(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4), min_size=1, max_size=3))
def test_windows_come_back_from_their_text(values: list[list[float]]) -> None:
    text = "/".join(",".join(map(repr, window)) for window in values)
    assert windows(text) == tuple(map(tuple, values))
    assert numbers(text.split("/")[0]) == tuple(values[0])


@pytest.mark.parametrize("parse", EXPECTED)
@pytest.mark.parametrize("text", ["", "a", "1,,2", "1;2", "1,2,x", "0x10"])
def test_other_texts_are_refused(parse: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"could not convert|invalid literal"):
        parse(text)


def test_which_settings_are_tuples() -> None:
    assert [name for name, field in FIELDS.items() if is_many(field)] == ["size", "blend", "crop"]


@pytest.mark.parametrize(("name", "value"), [
    ("size", (32,)), ("size", (64, 2**31 - 1)), ("blend", ()), ("blend", (0, 9.0)), ("crop", ()),
    ("crop", ((0, 0, 1, 1), (0.25, 0.5, 0.75, 1.0))), ("kind", "two"), ("factor", None), ("factor", 0), ("count", 32),
])  # fmt: skip
def test_values_within_their_range_pass(name: str, value: Any) -> None:
    check_setting(FIELDS[name], value)


@pytest.mark.parametrize(("name", "value", "words"), [
    ("size", (31,), "size: expected a whole number of 32 or more, got 31"),
    ("size", (2**31,), "size: .* got 2147483648"),
    ("size", (64.0,), "size: .* got 64.0"),
    ("size", (), r"size: expected whole numbers, got \(\)"),
    ("size", [64], r"size: expected whole numbers, got \[64\]"),
    ("blend", (9.5,), "blend: expected a number from 0 to 9, got 9.5"),
    ("blend", (math.nan,), "blend: .* got nan"),
    ("blend", ("1",), "blend: .* got '1'"),
    ("crop", ((0, 0, 0, 1),), "crop: expected left < right and top < bottom from 0 to 1 for each"),
    ("crop", ((0, 0.5, 1, 0.5),), "crop: "),
    ("crop", ((0, 0, 1),), "crop: "),
    ("crop", ((0, 0, 1, 1.01),), "crop: "),
    ("crop", ((0, 0, True, 1),), "crop: "),
    ("crop", ((0, math.nan, 1, 1),), "crop: "),
    ("crop", (0.5,), "crop: "),
    ("kind", "three", "kind: expected one or two, got 'three'"),
    ("kind", None, "kind: .* got None"),
    ("factor", -0.1, "factor: expected a number of 0 or more, got -0.1"),
    ("factor", math.inf, "factor: .* got inf"),
    ("count", None, "count: expected a whole number from 1 to 32, got None"),
    ("count", 33, "count: .* got 33"),
    ("count", True, "count: .* got True"),
])  # fmt: skip
def test_others_are_named_with_what_was_expected(name: str, value: Any, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        check_setting(FIELDS[name], value)


@given(st.floats() | st.integers(), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_a_number_passes_if_and_only_if_it_is_in_the_range(value: float, low: float, width: float) -> None:
    good = math.isfinite(value) and low <= value <= low + width
    try:
        check_number("x", value, low, low + width)
    except RecipeError:
        assert not good
    else:
        assert good


def test_a_recipes_help_explains_each_setting() -> None:
    words = " ".join((Recipe.__doc__ or "").split())
    for field in dataclasses.fields(Recipe):
        if "help" in field.metadata:
            assert f" {field.name} {field.metadata['help']}" in words
    assert max(map(len, (Recipe.__doc__ or "").splitlines())) <= 120
