"""recipe/terms.py: a term's name, role and weight."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from minstyle.errors import RecipeError
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


def test_a_layer_that_a_terminal_would_not_show_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"layer of gram_paper: expected a name, got '\\x1b\[31mred'"):
        Term("gram_paper", "\x1b[31mred", -1)
