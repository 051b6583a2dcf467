"""The last evaluations of a run in float32, where those before them round factors (to TF32, half precision).

The loss that is reported is then that of float32, and the last steps go along gradients without that noise.
"""

from __future__ import annotations

from ..style.objective import Objective
from .stages import Stage

SHARE = (
    0.01  # of a round's evaluations, at least one: in float32 each takes about ten times as long as in TF32 on a card
)


class Exactness:
    """Whether evaluations are in float32 by now: ``now``, changed by asking whether they shall be from here on.

    ``last``: it is the last round of the last stage. ``evaluations``: how many of the round were made before.
    """

    def __init__(self, objective: Objective, stage: Stage, last: bool, evaluations: int) -> None:
        self._wanted = last and objective.rounds
        self._from = stage.evaluations - max(1, round(SHARE * stage.evaluations))
        self.now = self._told = self._wanted and evaluations >= self._from

    def begins(self, evaluations: float) -> bool:
        """Whether they are in float32 from here on, after so many of the round (infinite: at its end). Once true."""
        begins = self._wanted and not self.now and evaluations >= self._from
        self.now = self.now or begins
        return begins

    def first(self) -> bool:
        """Asked after each evaluation: whether it was the first in float32 after others."""
        before, self._told = self._told, self.now
        return self.now and not before

    @property
    def precision(self) -> str | None:
        """That of the next evaluation; None: the network's own."""
        return "fp32" if self.now else None
