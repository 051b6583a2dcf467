"""run/compare.py: small runs side by side, variants by name, and what becomes of errors and interrupts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minstyle.watch.compare_sheet as module
from minstyle.errors import LayerError, RecipeError
from minstyle.images.grid import Labelled, grid
from minstyle.job.variants import parse_variant, parse_variants
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.sizes import SMALLEST, side_of, working_shape
from minstyle.recipe.terms import Term
from minstyle.run.compare import SmallRun, compare, small_recipe
from minstyle.run.observer import Observer, Plan, Step
from minstyle.watch.compare_sheet import compare_sheet
from tests.support.small import picture, random_weights

CONTENT, STYLES = picture(60, 80, 1), [picture(40, 40, 2)]
DOCUMENT, GATYS = RECIPES["document"], RECIPES["gatys"]
LOST = dataclasses.replace(GATYS, terms=(Term("gram_paper", "block9_conv1"),))
NETWORK = Network(random_weights("vgg19", (2, 2, 2, 2, 2)))


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


class Breaker(Observer):
    """Raises in one of the runs it watches: before the first evaluation, or at one."""

    def __init__(self, run: int, evaluation: int, error: BaseException) -> None:
        self.runs, self.run, self.evaluation, self.error = 0, run, evaluation, error

    def start(self, plan: Plan) -> None:
        self.runs += 1
        self._at(0)

    def step(self, step: Step) -> None:
        self._at(step.record.evaluation)

    def _at(self, evaluation: int) -> None:
        if (self.runs, evaluation) == (self.run, self.evaluation):
            raise self.error


def run(recipes: dict[str, Recipe], *observers: Observer) -> list[SmallRun]:
    return compare(CONTENT, STYLES, recipes, network=NETWORK, size=48, evaluations=4, observers=observers)


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


# The sheet


def test_the_sheet_shows_pictures_reasons_and_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[Labelled]] = []

    def note(pictures: list[Labelled], **settings: Any) -> np.ndarray:
        calls.append(pictures)
        return grid(pictures, **settings)

    monkeypatch.setattr(module, "grid", note)
    runs = run({"document:style_weight=10": dataclasses.replace(DOCUMENT, style_weight=10.0), "lost": LOST})
    runs += run({"stopped": GATYS}, Breaker(1, 2, KeyboardInterrupt()))
    sheet = compare_sheet(CONTENT, STYLES * 2, runs, height=64)
    assert (sheet.dtype, sheet.ndim) == (np.float32, 3)
    (pictures,) = calls
    assert [label for label, _ in pictures[:3]] == ["content", "style 1", "style 2"]
    one, lost, stopped = (label.split("\n") for label, _ in pictures[3:])
    result = runs[0].result
    assert result is not None
    took = f"{result.seconds:.1f} s, {result.evaluations} evaluations"
    assert one == ["document:style_weight=10", took, "content 0.025, style 10, tv 0.0001"]
    assert lost == ["lost", "failed", "content 1, style 1000"]
    assert stopped[0] == "stopped"
    assert stopped[1].endswith(" s, 2 evaluations, interrupted")
    np.testing.assert_array_equal(pictures[3][1], result.image)
    assert pictures[4][1].shape == (64, 85, 3), "the reason stands in a place like the content's"
    assert len(np.unique(pictures[4][1])) > 2, "and has letters"


@pytest.mark.parametrize("error", [MemoryError(), OSError(), LayerError("unknown layer " * 40)], ids=str)
@pytest.mark.parametrize("shape", [(36, 48, 3), (3, 900, 3), (900, 3, 3)], ids=str)
def test_any_failure_has_its_cell(error: BaseException, shape: tuple[int, ...]) -> None:
    sheet = compare_sheet(np.zeros(shape), [], [SmallRun("a", GATYS, error=error)], height=64)
    assert np.isfinite(sheet).all()


# Variants by name


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
    path.write_text(dataclasses.replace(GATYS, name="mine", seed=5).to_json())
    label, recipe = parse_variant(f"{path}:style_weight=2")
    assert label == f"{path}:style_weight=2"
    assert (recipe.name, recipe.seed, recipe.style_weight) == ("mine", 5, 2.0)


@pytest.mark.parametrize(("text", "words"), [
    ("", "unknown recipe '': known are fine, document, gatys"),
    ("gatis", "unknown recipe 'gatis': known are fine, document, gatys"),
    ("document,,gatys", "unknown recipe ''"),
    ("document:style_weight", "unknown recipe 'document:style_weight'"),
    ("document:styl=1", "'document:styl=1': unknown setting 'styl': known are content_weight, coarse_content,"),
    ("document:terms=1", "unknown setting 'terms'"),
    ("document:=1", "unknown setting ''"),
    ("document:style_weight=", "style_weight: expected a value such as 1.0, got ''"),
    ("document:tv_weight=much", "'document:tv_weight=much': tv_weight: expected a value such as 0.0001, got 'much'"),
    ("document:style_weight=-1", "style_weight: expected a number of 0 or more, got -1.0"),
    ("document:sizes=a", "sizes: expected a value such as 400, got 'a'"),
    ("document:pooling_factor=x", "pooling_factor: expected a value such as 1, got 'x'"),
    ("document:init=paper", "init: expected noise or content or style or grey, got 'paper'"),
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
