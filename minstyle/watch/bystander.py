"""A wrapper for observers whose errors must not end the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..notices import Notice
from ..run.observer import Observer, Plan, Step
from ..run.state import RunState


class Bystander(Observer):
    """Wraps an observer, such as the bar or a trace, whose errors must not end the run: they are kept, not raised.

    ``error`` is the first of them. An observer that could not start is told nothing more; any other is still told of
    all that follows, since a full disk may have room again.
    """

    def __init__(self, observer: Observer) -> None:
        self.error: Exception | None = None
        self._observer, self._started = observer, False

    def start(self, plan: Plan) -> None:
        self.error = None
        self._started = self._told(self._observer.start, plan)

    def step(self, step: Step) -> None:
        self._tell(self._observer.step, step)

    def border(self, state: RunState) -> None:
        self._tell(self._observer.border, state)

    def notice(self, notice: Notice) -> None:
        self._tell(self._observer.notice, notice)

    def close(self, error: BaseException | None = None) -> None:
        self._tell(self._observer.close, error)

    def _tell(self, method: Callable[[Any], object], what: Any) -> None:
        if self._started:
            self._told(method, what)

    def _told(self, method: Callable[[Any], object], what: Any) -> bool:
        try:
            method(what)
        except Exception as error:
            self.error = self.error or error
            return False
        return True
