"""Small paintings to choose from, and estimates: by a second worker, which never waits for a painting to be done."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import queue
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import MinstyleError
from .events import Hub
from .folder import Folder
from .process import Message, Worker
from .schema import CellView, EstimateView, JobRequest, PickView
from .tasks import Tasks

_MOST_PICKS = 30  # that are kept; the oldest go
_PATIENCE = 120.0  # seconds that an estimate may take
_IDLE = 120.0  # seconds without a task after which the process ends, with what memory it has


@dataclass
class Pick:
    """A row of small paintings."""

    key: str
    states: list[CellView]
    removed: bool = False


@dataclass(order=True)
class _Waiting:
    rank: int  # estimates go before small paintings
    number: int
    task: Message = field(compare=False)
    begin: Callable[[], bool] = field(compare=False)
    end: Callable[[Message], None] = field(compare=False)


class Helper:
    """Tasks in a thread of its own, one after the other."""

    def __init__(self, folder: Folder, hub: Hub, tasks: Tasks) -> None:
        self._folder, self._hub, self._tasks = folder, hub, tasks
        self._worker, self._closing = Worker(), False
        self._queue: queue.PriorityQueue[_Waiting] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._picks: dict[str, Pick] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="helper")

    def start(self) -> None:
        self._thread.start()

    def ask_end(self) -> None:
        """Nothing of what it does is kept: its process ends at once."""
        self._closing = True
        self._put(-1, {}, lambda: False, lambda end: None)
        self._worker.ask_end(at_once=True)

    def close(self) -> None:
        self.ask_end()
        self._worker.close(1.0)
        self._thread.join()

    def estimate(self, request: JobRequest) -> EstimateView:
        """What a painting will take. Raises MinstyleError."""
        self._tasks.check(request)
        found: concurrent.futures.Future[Message] = concurrent.futures.Future()
        self._put(0, self._tasks.estimate(secrets.token_hex(8), request), lambda: True, found.set_result)
        try:
            end = found.result(_PATIENCE)
        except concurrent.futures.TimeoutError:
            raise MinstyleError(f"no estimate after {_PATIENCE:.0f} s: the machine is busy") from None
        if end["state"] != "done":
            raise MinstyleError(end["error"] or "the estimate was ended")
        return EstimateView(seconds=end["seconds"], memory=end["memory"], refused=end["refused"])

    def pick(self, requests: list[JobRequest]) -> PickView:
        """Begin a row of small paintings. Raises MinstyleError."""
        for request in requests:
            self._tasks.check(request)
        pick = Pick(secrets.token_hex(8), [CellView(state="waiting") for _ in requests])
        with self._lock:
            self._picks[pick.key] = pick
            old = [] if len(self._picks) <= _MOST_PICKS else [next(iter(self._picks))]
        for key in old:
            self.remove(key)
        for number, request in enumerate(requests):
            out = self._folder.cell(pick.key, number)
            task = self._tasks.small(f"{pick.key}-{number}", request, out)
            self._put(1, task, lambda: not pick.removed, self._ender(pick, number))
        return self.view(pick)

    def view(self, pick: Pick) -> PickView:
        return PickView(id=pick.key, cells=pick.states)

    def find(self, key: str) -> Pick:
        """Raises KeyError."""
        return self._picks[key]

    def cell(self, key: str, number: int) -> Path:
        """The small painting of that number. Raises KeyError where there is none, or not yet."""
        states = self._picks[key].states
        if number >= len(states) or states[number].state != "done":
            raise KeyError(number)
        return self._folder.cell(key, number)

    def remove(self, key: str) -> None:
        """Forget a row, whatever of it is still to be painted. Raises KeyError."""
        with self._lock:
            pick = self._picks.pop(key)
        pick.removed = True
        for number in range(len(pick.states)):
            self._worker.stop(f"{key}-{number}")
            with contextlib.suppress(OSError):
                self._folder.cell(key, number).unlink(missing_ok=True)

    def _ender(self, pick: Pick, number: int) -> Callable[[Message], None]:
        def end(message: Message) -> None:
            done = message["state"] == "done"
            pick.states[number] = CellView(state="done" if done else "failed", error=message["error"])
            cell = {"id": pick.key, "cell": number, **pick.states[number].model_dump()}
            self._hub.publish({"event": "cell", **cell})

        return end

    def _put(self, rank: int, task: Message, begin: Callable[[], bool], end: Callable[[Message], None]) -> None:
        self._queue.put(_Waiting(rank, next(self._numbers), task, begin, end))

    def _run(self) -> None:
        while not self._closing:
            try:
                waiting = self._queue.get(timeout=_IDLE)
            except queue.Empty:
                self._worker.close(1.0)
                self._worker = Worker()
                continue
            if not waiting.begin() or self._closing:
                waiting.end({"state": "stopped", "error": None})
                continue
            waiting.end(self._done(waiting.task))
        while not self._queue.empty():  # nobody is left waiting for an answer
            self._queue.get().end({"state": "stopped", "error": "the studio is closing"})

    def _done(self, task: Message) -> dict[str, Any]:
        try:
            return self._worker.run(task, lambda message: None)
        except MinstyleError as error:
            return {"state": "failed", "error": str(error)}
