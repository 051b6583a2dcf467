"""What the page is told of a run while it goes, and how it is ended from there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..notices import Notice
from ..run.observer import Observer, Plan, Step
from ..run.result import Result
from ..watch.progress import Ahead
from .views import save_view

Tell = Callable[[dict[str, Any]], None]
Notify = Callable[[Notice], None]

_TELL = 0.25  # seconds between two words of progress, at least
_SHOW = 1.0  # seconds between two pictures, at least
_SHARE = 20  # and so many times what the last one took


class StopSwitch(Observer):
    """Ends the run that it watches once its task is asked to stop. ``begin`` and ``end`` say which task that is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._task = ""
        self._asked: set[str] = set()
        self._all = False

    def begin(self, task: str) -> None:
        self._task = task

    def end(self) -> None:
        with self._lock:
            self._asked.discard(self._task)
            self._task = ""

    def stop(self, task: str) -> None:
        with self._lock:
            self._asked.add(task)

    def stop_all(self) -> None:
        self._all = True

    def check(self) -> None:
        """Raises KeyboardInterrupt, as which a run takes the end that is asked for."""
        if self._all or self._task in self._asked:
            raise KeyboardInterrupt

    def step(self, step: Step) -> None:
        self.check()


class Reporter(Observer):
    """Tells how far a run is, and writes the picture to be looked at, every second or so."""

    def __init__(self, view: Path, tell: Tell, notify: Notify, clock: Callable[[], float] = time.monotonic) -> None:
        self._view, self._tell, self._notify, self._clock = view, tell, notify, clock
        self._told = self._shown = -float("inf")
        self._each, self._pictures = 0.0, 0
        self._progress: dict[str, Any] = {}

    def start(self, plan: Plan) -> None:
        self._ahead, self._plan = Ahead(plan), plan
        self._stages = len(plan.shapes)

    def step(self, step: Step) -> None:
        left, now, record = self._ahead.seconds(step), self._clock(), step.record
        if now - self._shown >= max(_SHOW, _SHARE * self._each):
            self._show(step.image())
            self._each, self._shown = self._clock() - now, self._clock()
        elif now - self._told < _TELL and not step.ends_round:
            return
        self._told = now
        self._progress = {
            "part": self._ahead.part, "left": left, "evaluation": record.evaluation,
            "evaluations": max(self._plan.evaluations, record.evaluation), "loss": record.loss,
            "width": record.shape[1], "height": record.shape[0], "stage": record.stage, "stages": self._stages,
            "seconds": step.seconds, "pictures": self._pictures,
        }  # fmt: skip
        self._tell({"event": "progress", "progress": self._progress})

    def notice(self, notice: Notice) -> None:
        self._notify(notice)

    def finish(self, result: Result) -> None:
        """The last word, of the picture that was saved."""
        self._show(result.image)
        last = {"loss": result.loss, "evaluation": result.evaluations, "seconds": result.seconds, "left": None}
        last |= {"pictures": self._pictures, "height": result.image.shape[0], "width": result.image.shape[1]}
        last |= {"part": 1.0, "evaluations": result.evaluations} if result.error is None else {}
        self._tell({"event": "progress", "progress": {**self._progress, **last}})

    def _show(self, image: np.ndarray) -> None:
        save_view(image, self._view)
        self._pictures += 1
