"""watch/compare_sheet.py: the pictures of a comparison with their labels, and the reasons of those that failed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import minstyle.watch.compare_sheet as module
from minstyle.errors import LayerError
from minstyle.images.grid import Labelled, grid
from minstyle.run.compare import SmallRun
from minstyle.watch.compare_sheet import compare_sheet
from tests.support.comparisons import CONTENT, DOCUMENT, GATYS, LOST, STYLES, Breaker, run


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
