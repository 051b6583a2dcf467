"""A contact sheet of a run: the content, the styles, and how the picture came to be, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..images import check_image_path, save_image
from ..images.grid import Labelled, fit, grid
from ..run.observer import Observer, Plan, Step

MOST = 12  # pictures of the run
HEIGHT = 256  # pixels of each


@dataclass(frozen=True)
class _Copy:
    """A small copy of the best image as it was at a step."""

    step: Step
    image: np.ndarray


class Sheet(Observer):
    """A contact sheet: the content, the styles, and at most 12 small copies of the picture on its way.

    It is written when the run ends, also by an interrupt; where nothing was computed yet, not at all. The first
    evaluation and the last state are always on it. Between them the copies are spread evenly over the run, of whose
    length nothing is known before: where there are too many, every second one is let go and twice as many evaluations
    lie between the next.
    """

    def __init__(
        self, path: str | Path, content: np.ndarray, styles: Sequence[np.ndarray], every: int | None = None
    ) -> None:
        """``content`` and ``styles`` are images (H, W, 3); ``every`` is the evaluations between copies to begin with.

        Raises ImageError or FileError if the sheet could not be written.
        """
        self._path, self._every = Path(path), every or 1
        self._last: Step | None = None
        check_image_path(path)
        styled = [(f"style {i}" if len(styles) > 1 else "style", style) for i, style in enumerate(styles, start=1)]
        given = [("content", content), *styled]
        self._given: list[Labelled] = [(label, fit(image, HEIGHT, label)) for label, image in given]
        grid(self._given, height=HEIGHT)  # what fails, fails before an hour of work

    def start(self, plan: Plan) -> None:
        self._copies: list[_Copy] = []
        self._stride = self._every
        self._last = None

    def step(self, step: Step) -> None:
        self._last = step
        if step.ends_round or (step.record.evaluation - 1) % self._stride:
            return
        if len(self._copies) == MOST - 1:  # one place is kept for the last state
            self._stride *= 2
            self._copies = self._copies[::2]
            if (step.record.evaluation - 1) % self._stride:
                return
        self._copies.append(_Copy(step, fit(step.image(), HEIGHT)))

    def close(self, error: BaseException | None = None) -> None:
        if self._last is None:
            return
        on_the_way = [copy for copy in self._copies if copy.step.record.evaluation < self._last.record.evaluation]
        copies = [*on_the_way, _Copy(self._last, fit(self._last.image(), HEIGHT))]
        pictures = [(_label(copy.step), copy.image) for copy in copies]
        save_image(grid([*self._given, *pictures], height=HEIGHT), self._path)


def _label(step: Step) -> str:
    height, width = step.record.shape
    return f"evaluation {step.record.evaluation}\n{step.seconds:.1f} s, {width} x {height}"
