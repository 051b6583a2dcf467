"""job/paper.py: sheets of paper as people write them, and the pixels of the picture that fits on one."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentTypeError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minstyle.errors import RecipeError
from minstyle.job.paper import paper_of
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.sizes import working_shape

FINE = RECIPES["fine"]


@pytest.mark.parametrize(("text", "photograph", "pixels"), [
    ("24x16in@300", (1600, 2400), (4800, 7200)),
    ("24x16in@300", (2400, 1600), (7200, 4800)),  # the sheet is turned as the photograph lies
    ("60x40cm@200", (3000, 4000), (3149, 4199)),  # less wide than the sheet: its height counts
    ("60x40cm@200", (1000, 4000), (1181, 4724)),
    ("600X400mm@200dpi", (1000, 4000), (1181, 4724)),
    ("0.6m@200", (4000, 1000), (4724, 1181)),
    ("A2@254", (2970, 4200), (4200, 5939)),  # an A2 is 420 x 594 mm, a little longer than that photograph
    ("a4@100", (100, 100), (826, 826)),
])  # fmt: skip
@pytest.mark.parametrize("side", ["long", "short", "height", "width"])
def test_the_picture_keeps_its_shape_and_fits(
    text: str, photograph: tuple[int, int], pixels: tuple[int, int], side: str
) -> None:
    recipe = dataclasses.replace(FINE, size_of=side)
    found = working_shape(photograph, paper_of(text).size_for(photograph, recipe), recipe)
    # A size of the shorter side is a whole pixel there: the longer one comes within the photograph's proportion of it.
    most = 1 if max(photograph) == sorted(found)[1] or side == "long" else max(photograph) // min(photograph) + 1
    assert all(0 <= expected - got <= most for expected, got in zip(pixels, found, strict=True))


@example(612, 756, 60.0, 75.0, 111)  # two more would fit, if fractions of a pixel are cut off
@given(st.integers(200, 5000), st.integers(200, 5000), st.floats(40, 200), st.floats(40, 200), st.integers(72, 600))
def test_it_is_as_large_as_the_sheet_allows(height: int, width: int, a: float, b: float, dpi: int) -> None:
    paper, shape = paper_of(f"{a:.1f}x{b:.1f}cm@{dpi}"), (height, width)
    size = paper.size_for(shape, FINE)

    def fits(size: int) -> bool:
        shorter, longer = sorted(working_shape(shape, size, FINE))
        return shorter <= paper.short * dpi + 1e-3 and longer <= paper.long * dpi + 1e-3

    assert fits(size)
    assert size == max(working_shape(shape, size, FINE))
    # One more, and what is not cut to whole pixels is wider or longer than the sheet.
    shorter, longer = (side * (size + 1) / max(shape) for side in sorted(shape))
    assert shorter > paper.short * dpi - 1e-3 or longer > paper.long * dpi - 1e-3


@pytest.mark.parametrize("text", [
    "60x40@200", "60x40cm", "60x40cm@", "cm@200", "x40cm@200", "60x0cm@200", "60x40cm@0", "60x40cm@-2", "A9@200",
    "1e5cm@9", "60x40cm@99999", "60x40x2cm@200", "60,5cm@200", "", "@", "6\0cm@2",
])  # fmt: skip
def test_what_is_no_sheet_is_told_with_what_is_one(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"60x40cm@200, 24x16in@300, 60cm@200 .* or A2@200, got") as told:
        paper_of(text)
    assert str(told.value).isprintable()


@pytest.mark.parametrize("text", ["1cm@20", "9999m@9999"])
def test_a_size_that_no_run_can_have(text: str) -> None:
    with pytest.raises(RecipeError, match=f"--print {text}: expected sides of 32 to 100000 pixels, got"):
        paper_of(text).size_for((300, 400), FINE)
