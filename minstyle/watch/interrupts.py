"""INT, TERM and HUP: the first ends the run once the evaluation is done, with its picture; a later one at once."""

from __future__ import annotations

from ..run.observer import Observer, Plan, Step
from ..signals import Signals, StopAskedError, code_of


class Interrupts(Signals, Observer):
    """Signals, of which the first ends the run that this observer is told of, last, once it has begun.

    What comes after the run, while the picture is saved, waits for that.
    """

    def start(self, plan: Plan) -> None:
        self.hold()

    def step(self, step: Step) -> None:
        if self.asked is not None:
            raise StopAskedError(self.asked)

    @property
    def code(self) -> int:
        """The exit code of what has gone well: 128 and the number of the signal that came meanwhile, or 0."""
        return 0 if self.asked is None else code_of(StopAskedError(self.asked))
