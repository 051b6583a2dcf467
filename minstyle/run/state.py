"""Where a run stands: numbers and arrays from which it can go on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..backend import Array
from ..optimize.adam import AdamState
from .result import Record


@dataclass
class RunState:
    """What ``run_stages`` carries from round to round. Between two rounds it is all that the run needs to go on.

    ``stage`` and ``round`` count what is done: whole stages, and rounds of the stage in hand. ``image`` is what the
    next round starts from, ``optimizer`` what Adam knows beside it; both are None where nothing was carried over.
    ``best`` is the image of the lowest loss of the latest stage (with averaging, the average), ``best_loss`` its loss;
    losses of different stages do not compare. ``history`` has a Record an evaluation.
    """

    stage: int = 0
    round: int = 0
    image: Array | None = None
    optimizer: AdamState | None = None
    best: Array | None = None
    best_loss: float = float("inf")
    history: list[Record] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False  # an observer asked for the end

    def note(self, record: Record, image: Array, *, averaged: bool) -> None:
        """Enter an evaluation; its image becomes the best if it is an average, the first of its stage, or better."""
        first = not self.history or self.history[-1].stage < record.stage
        self.history.append(record)
        if averaged or first or record.loss < self.best_loss:
            self.best, self.best_loss = image.copy(), record.loss
