"""A round of the optimiser on a worker, in a thread of its own, which waits at each event until it is told to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np

from ..optimize.adam import AdamState
from ..recipe.recipe import Recipe
from ..run.minimise import Midway
from .connection import ClusterError


@dataclass(frozen=True)
class Start:
    """What ``run.minimise.minimise`` is given; of arrays a part's own rows."""

    image: np.ndarray
    recipe: Recipe
    evaluations: int
    adam_state: AdamState | None
    midway: Midway | None
    pairs: int | None


@dataclass(frozen=True)
class Evaluated:
    """An evaluation: the loss of the whole picture, and each term's."""

    loss: float
    terms: dict[str, float]


@dataclass(frozen=True)
class Ended:
    """The round is over."""

    adam_state: AdamState | None
    stopped: bool


# In the place of arrays, a state and a midway have the shapes of a part's own rows.
Event = Evaluated | Midway | Ended


class Round:
    """Runs ``run(tell)``: ``tell(event)`` waits for the answer to an event, ``proceed(answer)`` for the next event."""

    def __init__(self, run: Callable[[Callable[[Event], bool]], Ended]) -> None:
        self._run = run
        self._events, self._answers = SimpleQueue[Any](), SimpleQueue[Any]()
        self._thread: threading.Thread | None = None

    def proceed(self, answer: Any) -> Event:
        """The next event; raises what the run raises."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        else:
            self._answers.put(answer)
        event = self._events.get()
        if isinstance(event, BaseException):
            raise event
        found: Event = event
        return found

    def give_up(self) -> None:
        """End a run that waits for an answer, and who waits for an event."""
        error = ClusterError("the picture was given up")
        self._answers.put(error)
        self._events.put(error)

    def _tell(self, event: Event) -> bool:
        self._events.put(event)
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return bool(answer)

    def _work(self) -> None:
        try:
            self._events.put(self._run(self._tell))
        except BaseException as error:  # the command hears of it
            self._events.put(error)
