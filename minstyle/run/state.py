"""Where a run stands: numbers and arrays from which it can go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..backend import Array
from ..errors import CheckpointError, require
from ..optimize.adam import AdamState
from .minimise import Midway
from .result import Record
from .stages import Stage


@dataclass(eq=False)
class RunState:
    """What ``run_stages`` carries from evaluation to evaluation. The run can go on from it whenever that has ended.

    ``stage`` and ``round`` count what is done: whole stages, and rounds of the current stage. ``image`` is what the
    current round started from, None where a stage is to begin; ``adam_state`` what Adam knew then, None before its
    first round and always with L-BFGS, each of whose rounds begins anew. ``midway`` is where the round stands: None at
    its start, and always with scipy's L-BFGS-B, whose rounds are begun again. ``best`` is the image of the lowest loss
    of the latest stage (with averaging, the average), ``best_loss`` its loss; losses of different stages do not
    compare. ``history`` has one Record for each evaluation, the first ``before`` of them of the rounds that are done.
    """

    stage: int = 0
    round: int = 0
    image: Array | None = None
    adam_state: AdamState | None = None
    midway: Midway | None = None
    best: Array | None = None
    best_loss: float = float("inf")
    history: list[Record] = field(default_factory=list)
    before: int = 0
    seconds: float = 0.0
    stopped: bool = False  # an observer asked for the end

    @property
    def done(self) -> int:
        """How many evaluations need not be made again when the run goes on from here."""
        return self.before + (self.midway.evaluations if self.midway else 0)

    def note(self, record: Record, image: Array, *, averaged: bool, anew: bool = False) -> None:
        """Add a Record to the history; its image becomes the best if it is an average, its stage's first, or better.

        ``anew``: or if no loss before compares with its own.
        """
        first = anew or not self.history or self.history[-1].stage < record.stage
        if averaged or first or record.loss < self.best_loss:
            self.best, self.best_loss = image.copy(), record.loss
        self.history.append(record)  # last: where there is a record there is an image


def check_state(state: RunState, stages: Sequence[Stage]) -> None:
    """Raise CheckpointError unless ``state`` can be one of the run that has these stages."""

    def check(good: bool, what: str, expected: object, actual: object) -> None:
        require(good, f"state of a run: {what}", expected, actual, CheckpointError)

    check(0 <= state.stage <= len(stages), "stage", f"one of {len(stages)}", state.stage)
    check(state.best is not None or not state.history, "best image", "one where there is a history", "none")
    shapes = [(*stage.shape, 3) for stage in stages]
    if state.best is not None:
        check(state.best.shape in shapes, "best image", "a shape of this run", state.best.shape)
    if state.stage == len(stages):
        check(state.best is not None and state.best.shape == shapes[-1], "best image", shapes[-1], "another")
        return
    stage, shape = stages[state.stage], shapes[state.stage]
    check(0 <= state.round <= stage.recipe.rounds, "round", f"one of {stage.recipe.rounds}", state.round)
    if state.image is not None:
        check(state.image.shape == shape, "image", shape, state.image.shape)
    if state.midway is not None:
        check(state.image is not None and state.round < stage.recipe.rounds, "round", "one that has begun", "another")
        state.midway.check(stage.recipe, stage.evaluations, (*shape,), stage.network.dtype)
