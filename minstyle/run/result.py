"""What a run hands over: the picture, and the record of how it came about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..recipe.recipe import Recipe


@dataclass(frozen=True)
class Record:
    """One evaluation: its number from 1, (height, width), total loss, and each term's share of it by name.

    ``stage``, from 1, is a size with a network; losses of different stages do not compare.
    """

    evaluation: int
    shape: tuple[int, int]
    loss: float
    terms: dict[str, float]
    stage: int = 1


@dataclass(frozen=True)
class Result:
    """What ``stylize`` made.

    ``image`` (H, W, 3) float32, RGB, clipped to 0..255; ``loss`` that of the image before it was clipped; ``history``
    one Record an evaluation; ``error`` is None, or what ended the run early (an interrupt, a MinstyleError, an OSError
    in an observer, lack of memory): the image is then the best so far.
    """

    image: np.ndarray
    loss: float
    history: tuple[Record, ...]
    seconds: float
    recipe: Recipe
    error: BaseException | None = None

    @property
    def evaluations(self) -> int:
        return len(self.history)

    @property
    def first_loss(self) -> float:
        """The loss of the first evaluation of the last stage."""
        return next(record.loss for record in self.history if record.stage == self.history[-1].stage)
