"""INT, TERM and HUP as exceptions, so that what was begun is cleaned up, or waits for its end."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, TypeVar

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # not every system has the last
_TOGETHER = 1.0  # seconds in which a closing terminal or the end of a login sends all its signals

_Own = TypeVar("_Own", bound="Signals")


class StopAskedError(KeyboardInterrupt):
    """What the first signal raises; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StopAtOnceError(BaseException):
    """Ends the program without another picture or checkpoint; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """While this context is entered, in the main thread, the first signal raises StopAskedError.

    After ``hold`` it is only noted, in ``asked``. A further INT, or any further signal a second after the first, raises
    StopAtOnceError; others that come together with the first are the same request. A signal that is ignored, as HUP
    under nohup or INT in the background, stays ignored.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._since = 0.0  # when that was asked, by time.monotonic
        self._before: dict[int, Any] = {}
        self._held = False

    def __enter__(self: _Own) -> _Own:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name, None) for name in _NAMES):
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._restore()
        if isinstance(error, Exception) and self.asked is not None and not self._held:
            # What the signal has become on its way: an import of NumPy's turns it into an ImportError.
            raise StopAskedError(self.asked) from error

    def hold(self) -> None:
        """From here on the first signal waits."""
        self._held = True

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.asked is not None:
            if number != signal.SIGINT and time.monotonic() - self._since <= _TOGETHER:
                return
            self._restore()
            raise StopAtOnceError(number)
        self.asked, self._since = number, time.monotonic()
        if not self._held:
            raise StopAskedError(number)

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)


def code_of(error: BaseException) -> int:
    """The exit code after an interrupt: 128 and the signal's number, as shells have it."""
    return 128 + int(getattr(error, "number", signal.SIGINT))
