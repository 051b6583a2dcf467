"""INT, TERM and HUP: the first ends the run once the evaluation is done, with its picture; a second one at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from ..run.observer import Observer, Step

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # not every system has the last


class StopAskedError(KeyboardInterrupt):
    """Ends a run after an evaluation; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StopAtOnceError(BaseException):
    """Ends the program without another picture or checkpoint; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupts(Observer):
    """While this context is entered, in the main thread, signals end the run that this observer is told of, last.

    A signal that is ignored, as HUP under nohup, stays ignored.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._asked: int | None = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name, None) for name in _NAMES):
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._restore()

    def step(self, step: Step) -> None:
        if self._asked is not None:
            raise StopAskedError(self._asked)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._asked is not None:
            self._restore()
            raise StopAtOnceError(number)
        self._asked = number

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)


def code_of(error: BaseException) -> int:
    """The exit code after an interrupt: 128 and the signal's number, as shells have it."""
    return 128 + int(getattr(error, "number", signal.SIGINT))
