"""run/compare.py: small runs side by side, and what becomes of errors and interrupts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.errors import LayerError, RecipeError
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.sizes import SMALLEST, side_of, working_shape
from minstyle.run.compare import small_recipe
from tests.support.comparisons import DOCUMENT, GATYS, LOST, NETWORK, Breaker, run

# Small recipes


@pytest.mark.parametrize(("recipe", "changes", "expected"), [
    (DOCUMENT, {}, ((192,), 3, (20,))),  # of the height
    (DOCUMENT, {"size_of": "width"}, ((256,), 3, (20,))),
    (DOCUMENT, {"size_of": "short", "sizes": (300, 600)}, ((96, 192), 2, (15, 15))),
    (GATYS, {}, ((256,), 1, (60,))),
    (GATYS, {"sizes": (128, 256, 512)}, ((64, 128, 256), 1, (20, 20, 20))),
    (GATYS, {"sizes": (128, 256, 512), "evaluations": (300, 100)}, ((64, 128, 256), 1, (36, 12, 12))),
    (GATYS, {"sizes": (512,), "scales": 3, "min_size": 32}, ((64, 128, 256), 1, (20, 20, 20))),
    (GATYS, {"sizes": (64, 1024)}, ((256,), 1, (60,))),  # 16 pixels are too few
    (GATYS, {"sizes": (1000, 1001)}, ((256,), 1, (60,))),  # nearly the same
    (GATYS, {"draft": "mini"}, ((256,), 1, (30,))),
    (DOCUMENT, {"rounds": 2, "evaluations": 5}, ((192,), 2, (5,))),  # a short run stays as it is
    (DOCUMENT, {"sizes": (64,)}, ((192,), 3, (20,))),
])  # fmt: skip
def test_a_small_recipe(recipe: Recipe, changes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    recipe = dataclasses.replace(recipe, **changes)
    small = small_recipe(recipe, (600, 800, 3), NETWORK)
    assert (small.sizes, small.rounds, small.evaluations) == expected
    assert small == dataclasses.replace(
        recipe, scales=1, sizes=small.sizes, rounds=small.rounds, evaluations=small.evaluations
    )


@given(
    st.sets(st.integers(32, 4000), min_size=1, max_size=6),
    st.tuples(st.integers(32, 3000), st.integers(32, 3000)),
    st.integers(32, 512), st.integers(1, 500), st.integers(1, 30), st.integers(1, 500),
    st.sampled_from(["height", "width", "long", "short"]),
)  # fmt: skip
def test_any_small_recipe_can_run_within_its_budget(
    sizes: set[int], content: tuple[int, int], size: int, evaluations: int, rounds: int, length: int, size_of: str
) -> None:
    recipe = dataclasses.replace(GATYS, sizes=tuple(sorted(sizes)), rounds=rounds, evaluations=length, size_of=size_of)
    small = small_recipe(recipe, (*content, 3), NETWORK, size=size, evaluations=evaluations)
    shape = working_shape(content, small.sizes[-1], small)
    grain = max(content) / side_of(content, recipe)  # one pixel of the side that the sizes are of
    assert max(shape) >= size - grain / 2 - 1
    for each in small.sizes:
        assert min(working_shape(content, each, small)) >= SMALLEST
    if min(content) * size >= SMALLEST * max(content):
        assert max(shape) <= size + max(grain, max(content) / min(content))
    spent = small.rounds * sum(small.evaluations)
    assert spent <= max(evaluations, 1) + small.rounds * len(small.sizes)  # each size's number is rounded
    assert spent <= len(recipe.sizes) * rounds * length


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match="evaluations of a comparison: expected 1 or more, got 0"):
        small_recipe(GATYS, (60, 80, 3), NETWORK, evaluations=0)


# Runs


def test_each_recipe_is_run_in_order() -> None:
    runs = run({"one": DOCUMENT, "two": GATYS, "again": DOCUMENT})
    assert [r.label for r in runs] == ["one", "two", "again"]
    results = [r.result for r in runs if r.result is not None]
    assert [result.image.shape for result in results] == [(36, 48, 3)] * 3
    assert [result.recipe for result in results] == [r.recipe for r in runs]
    assert all(result.error is None and 4 <= result.evaluations <= 8 for result in results)
    np.testing.assert_array_equal(results[0].image, results[2].image)
    assert (results[0].image != results[1].image).any()


def test_an_error_ends_its_own_run_only() -> None:
    first, lost, last = run({"first": GATYS, "lost": LOST, "last": GATYS})
    assert lost.result is None
    assert isinstance(lost.error, LayerError)
    assert first.result is not None
    assert last.result is not None
    assert first.error is last.error is None


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "disk full")], ids=["memory", "disk"])
@pytest.mark.parametrize("evaluation", [0, 2])
def test_an_error_on_the_way_leaves_what_was_made(error: BaseException, evaluation: int) -> None:
    first, second = run({"first": GATYS, "second": GATYS}, Breaker(1, evaluation, error))
    assert second.result is not None
    assert second.result.error is None
    if evaluation == 0:
        assert (first.result, first.error) == (None, error)
    else:
        assert first.result is not None
        assert (first.result.error, first.result.evaluations) == (error, evaluation)


@pytest.mark.parametrize(("evaluation", "made"), [(0, ["a"]), (2, ["a", "b"])])
def test_an_interrupt_ends_with_what_is_there(evaluation: int, made: list[str]) -> None:
    runs = run({"a": GATYS, "b": GATYS, "c": GATYS}, Breaker(2, evaluation, KeyboardInterrupt()))
    assert [r.label for r in runs] == made
    assert all(r.result is not None for r in runs)


def test_an_interrupt_before_there_is_a_picture_is_raised() -> None:
    with pytest.raises(KeyboardInterrupt):
        run({"lost": LOST, "a": GATYS}, Breaker(1, 0, KeyboardInterrupt()))


def test_a_comparison_of_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match="comparison: expected at least one recipe, got none"):
        run({})
