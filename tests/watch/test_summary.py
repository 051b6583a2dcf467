"""watch/summary.py: the loss by role and term, from the last stage's start to the picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.run.result import Record, Result
from minstyle.run.stylize import stylize
from minstyle.watch.summary import summary, summary_by_term
from tests.support.small import picture

CONTENT, ONE, TWO, TV = (
    "content_sum block5_conv2",
    "gram_image block1_conv1",
    "gram_image block2_conv1",
    "total_variation",
)


def summary_of(*evaluations: dict[str, float], stages: tuple[int, ...] = ()) -> list[str]:
    history = tuple(
        Record(i + 1, (32, 40), sum(terms.values()), terms, stages[i] if stages else 1)
        for i, terms in enumerate(evaluations)
    )
    result = Result(np.zeros((32, 40, 3)), history[-1].loss, history, 1.0, RECIPES["document"])
    return summary_by_term(result)


def test_roles_and_their_terms_in_order() -> None:
    lines = summary_of({ONE: 6.0, TWO: 2.0, CONTENT: 10.0, TV: 1.0}, {ONE: 1.0, TWO: 1.0, CONTENT: 9.0, TV: 3.0})
    assert [" ".join(line.split()) for line in lines] == [
        "content: content_sum block5_conv2 10 -> 9 -10.0 %",
        "style 8 -> 2 -75.0 %",
        "gram_image block1_conv1 6 -> 1 -83.3 %",
        "gram_image block2_conv1 2 -> 1 -50.0 %",
        "tv: total_variation 1 -> 3 +200.0 %",
    ]
    assert len({line.index("->") for line in lines}) == 1, "one column"
    assert len({len(line) for line in lines}) == 1


def test_from_the_last_stage_s_start_to_the_picture_s_evaluation() -> None:
    (line,) = summary_of({TV: 90.0}, {TV: 80.0}, {TV: 40.0}, {TV: 10.0}, {TV: 30.0}, stages=(1, 1, 2, 2, 2))
    assert line.split() == ["tv:", "total_variation", "40", "->", "10", "-75.0", "%"]


@pytest.mark.parametrize(("first", "last", "change"), [
    (2.0, 2.0, "0 %"), (0.0, 0.0, "0 %"), (0.0, 5.0, "from 0"), (4.0, 0.0, "-100.0 %"), (1e-9, 1.0, "x 1e+09"),
    (1.0, 9.5, "+850.0 %"),
])  # fmt: skip
def test_changes(first: float, last: float, change: str) -> None:
    line = summary_of({CONTENT: first, TV: 100.0}, {CONTENT: last, TV: 1.0})[0]
    assert line.endswith("  " + change)


@pytest.mark.parametrize(("losses", "stages", "error", "end"), [
    ((9.0, 8.0, 4.0), (1, 2, 2), None, "painted in 12.3 s (3 evaluations), loss 8 -> 4 (-50.0 %)"),
    ((9.0, 8.0, 4.0), (1, 2, 2), KeyboardInterrupt(),
     "interrupted after 12.3 s (3 evaluations), loss at this size 8 -> 4 (-50.0 %)"),
    ((9.0, 4.0), (1, 1), OSError(), "ended early after 12.3 s (2 evaluations), loss 9 -> 4 (-55.6 %)"),
    ((9.0, 4.0, 8.0), (1, 1, 2), KeyboardInterrupt(),
     "interrupted after 12.3 s (3 evaluations), loss 8, this size only just begun"),
])  # fmt: skip
def test_the_last_line_of_a_run_that_was_ended_compares_losses_of_one_size(
    losses: tuple[float, ...], stages: tuple[int, ...], error: BaseException | None, end: str
) -> None:
    records = zip(losses, stages, strict=True)
    history = tuple(Record(i, (32, 40), loss, {TV: loss}, stage) for i, (loss, stage) in enumerate(records, start=1))
    result = Result(np.zeros((32, 40, 3)), losses[-1], history, 12.34, RECIPES["document"], error)
    assert summary(result, Path("out.png"))[-1] == f"out.png: 40 x 32, {end}"


def test_a_kind_of_another_program_s_history_stands_last() -> None:
    lines = summary_of({"hue image": 1.0, TV: 2.0})
    assert [line.split()[0] for line in lines] == ["tv:", "other:"]


def test_a_run_s_summary_adds_up_to_its_loss(tiny_network: Network) -> None:
    recipe = dataclasses.replace(RECIPES["document"], sizes=(32, 40), rounds=1, evaluations=5)
    result = stylize(picture(40, 50, 1), [picture(40, 40, 2)], recipe, network=tiny_network)
    roles = [line for line in summary_by_term(result) if not line.startswith(" ")]
    assert [line.split(":")[0].split()[0] for line in roles] == ["content", "style", "tv"]
    sides = [[part.split() for part in line.split("->")] for line in roles]
    assert sum(float(left[-1]) for left, _ in sides) == pytest.approx(result.first_loss, rel=1e-3)
    assert sum(float(right[0]) for _, right in sides) == pytest.approx(result.loss, rel=1e-3)
