"""The runs of a comparison as one labelled picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..images.grid import Labelled, fit, grid, note
from ..recipe.terms import ORDER
from ..run.compare import SmallRun


def compare_sheet(
    content: np.ndarray, styles: Sequence[np.ndarray], runs: Sequence[SmallRun], *, height: int = 256
) -> np.ndarray:
    """The runs as a labelled grid, content and styles first -> image (H, W, 3), float32, 0..255.

    Under each picture stand its label, seconds and evaluations, and the recipe's main weights; in the place of a
    picture that was not made stands the reason.
    """
    given: list[Labelled] = [("content", content)]
    given += [(f"style {i}" if len(styles) > 1 else "style", style) for i, style in enumerate(styles, start=1)]
    return grid([*given, *(_cell(run, content, height) for run in runs)], height=height)


def _cell(run: SmallRun, content: np.ndarray, height: int) -> Labelled:
    weights = ", ".join(f"{role} {value:g}" for role in ORDER if (value := getattr(run.recipe, f"{role}_weight")))
    if run.result is None:
        h, w, _ = fit(content, height).shape
        return f"{run.label}\nfailed\n{weights}", note(_reason(run.error), max(h, height // 2), max(w, height // 2))
    ended = ""
    if run.result.error is not None:
        ended = ", interrupted" if isinstance(run.result.error, KeyboardInterrupt) else ", ended early"
    took = f"{run.result.seconds:.1f} s, {run.result.evaluations} evaluations{ended}"
    return f"{run.label}\n{took}\n{weights}", run.result.image


def _reason(error: BaseException | None) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    return str(error) or type(error).__name__
