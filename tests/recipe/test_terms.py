"""recipe/terms.py: a term's name, role and weight, and the one name of a layer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.errors import RecipeError
from minstyle.network.layers import canonical, layer_names
from minstyle.recipe.terms import IMAGE, ORDER, ROLES, Term


@pytest.mark.parametrize("kind", ROLES)
def test_a_term_serves_its_kinds_role_and_is_named_by_kind_and_layer(kind: str) -> None:
    term = Term(kind, "block3_conv1", 0.5)
    assert (term.role, term.name) == (ROLES[kind], f"{kind} block3_conv1")
    assert term.role in ORDER
    assert Term(kind, IMAGE).name == kind
    assert Term(kind, IMAGE).weight == 1.0


def test_a_term_is_a_value() -> None:
    assert Term("gram_paper", "block1_conv1") == Term("gram_paper", "block1_conv1", 1.0)
    assert len({Term("gram_paper", "block1_conv1"), Term("gram_paper", "block1_conv1", 2.0)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Term("gram_paper", "block1_conv1").weight = 2.0


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "1", None, True])
def test_a_weight_that_is_none_is_named_with_its_term(weight: Any) -> None:
    with pytest.raises(RecipeError, match=f"weight of gram_paper at block1_conv1: .* got {weight!r}"):
        Term("gram_paper", "block1_conv1", weight)


@pytest.mark.parametrize("name", layer_names("vgg19"))
def test_each_layer_has_its_synonyms_and_is_its_own_canonical_name(name: str) -> None:
    block, number = name[5], name.rpartition("conv")[2]
    assert canonical(name) == name
    if name.endswith("pool"):
        assert canonical(f"pool{block}") == name
    else:
        assert canonical(f"conv{block}_{number}") == canonical(f"relu{block}_{number}") == name
        assert canonical(f"conv{block}_{number}_linear") == canonical(f"{name}_linear") == f"{name}_linear"


@given(st.text(max_size=12) | st.from_regex(r"(conv|relu|pool|block)[0-9]?_?[0-9]?(_linear)?", fullmatch=True))
def test_a_canonical_name_stays(layer: str) -> None:
    assert canonical(canonical(layer)) == canonical(layer)


def test_a_layer_that_a_terminal_would_not_show_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"layer of gram_paper: expected a name, got '\\x1b\[31mred'"):
        Term("gram_paper", "\x1b[31mred", -1)
