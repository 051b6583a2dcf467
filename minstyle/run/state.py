"""Where a run stands: numbers and arrays from which it can go on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..backend import Array
from ..optimize.adam import AdamState
from .result import Record


@dataclass
class RunState:
    """What ``run_stages`` carries from round to round. Between two rounds it is all that the run needs to go on.

    ``stage`` and ``round`` count what is done: whole stages, and rounds of the current stage. ``image`` is what the
    next round starts from, None where a stage is to begin. ``adam_state`` is what Adam knows beside it, None before its
    first round and always with L-BFGS, each of whose rounds begins anew. ``best`` is the image of the lowest loss of
    the latest stage (with averaging, the average), ``best_loss`` its loss; losses of different stages do not compare.
    ``history`` has one Record for each evaluation.
    """

    stage: int = 0
    round: int = 0
    image: Array | None = None
    adam_state: AdamState | None = None
    best: Array | None = None
    best_loss: float = float("inf")
    history: list[Record] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False  # an observer asked for the end

    def note(self, record: Record, image: Array, *, averaged: bool) -> None:
        """Add a Record to the history; its image becomes the best if it is an average, its stage's first, or better."""
        first = not self.history or self.history[-1].stage < record.stage
        if averaged or first or record.loss < self.best_loss:
            self.best, self.best_loss = image.copy(), record.loss
        self.history.append(record)  # last: where there is a record there is an image
