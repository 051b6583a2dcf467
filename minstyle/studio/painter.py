"""The queue of jobs: one after the other, by one worker process, whatever becomes of any of them."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sqlite3
import threading
from typing import Any

from ..errors import FileError, MinstyleError, require
from .events import Hub
from .folder import Folder, start_in, view_of, write_json
from .index import UNFINISHED, Index, Row
from .process import Message, Worker
from .schema import JobRequest, JobView
from .tasks import Tasks

_CLOSING = 20.0  # seconds that the worker gets to write its picture and checkpoint


class QueueFullError(MinstyleError):
    """As many jobs wait as may."""


class StateError(MinstyleError):
    """A job is not in the state for what was asked."""


class Painter:
    """Takes jobs, has them painted in a thread of its own, and tells the hub of everything."""

    def __init__(self, folder: Folder, index: Index, hub: Hub, tasks: Tasks, most: int) -> None:
        self._folder, self._index, self._hub, self._tasks, self._most = folder, index, hub, tasks, most
        self._worker = Worker()
        self._changed = threading.Event()  # there may be something to do
        self._closing = False
        self._removed: set[str] = set()
        self._stopping: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="painter")

    def start(self) -> None:
        self._thread.start()

    def ask_end(self, *, at_once: bool = False) -> None:
        """What is being painted ends after its step and goes on at the next start; ``at_once``: from a checkpoint."""
        self._closing = True
        self._changed.set()
        self._worker.ask_end(at_once=at_once)

    def close(self) -> None:
        """What is being painted is kept, and goes on at the next start."""
        self.ask_end()
        self._worker.close(_CLOSING)
        self._thread.join()

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid

    def add(self, request: JobRequest) -> Row:
        """A new job at the end of the queue. Raises QueueFullError, a MinstyleError for what cannot be painted."""
        self._tasks.check(request)
        start, key = self._tasks.start_of(request), secrets.token_hex(8)
        place = self._folder.job(key)
        try:
            place.mkdir()
            if start is not None:
                shutil.copyfile(start, start_in(place))
                with contextlib.suppress(OSError):  # what is shown until there is more
                    shutil.copyfile(view_of(self._folder.job(str(request.start))), view_of(place))
            asked = request.model_dump()
            if not self._index.add_job(key, asked, self._most):
                raise QueueFullError(f"the queue is full: {self._most} jobs wait; try again when some are done")
            job = self._job(key)
            write_json(place / "job.json", {"created": job["created"], "request": asked})
        except (OSError, MinstyleError) as error:
            self._index.remove_job(key)
            shutil.rmtree(place, ignore_errors=True)
            if isinstance(error, MinstyleError):
                raise
            raise FileError(f"the job cannot be kept: {error.strerror or error}") from error
        self._index.use(request.content, [style.picture for style in request.styles])
        return self._told(key)

    def stop(self, key: str) -> Row:
        """End a job, with the picture so far. Raises StateError."""
        job = self._job(key)
        if self._index.set_state(key, "stopped", only=("queued",)):
            return self._told(key)
        require(job["state"] == "running", f"job {key}", "one that is queued or running", job["state"], StateError)
        self._stopping.add(key)
        self._worker.stop(key)
        return self._told(key)

    def go_on(self, key: str) -> Row:
        """Queue a job again that was stopped or failed: it goes on from its checkpoint, if it has one."""
        job = self._job(key)
        good = self._index.set_state(key, "queued", only=("stopped", "failed"))
        require(good, f"job {key}", "one that was stopped or failed", job["state"], StateError)
        return self._told(key)

    def remove(self, key: str) -> None:
        """A job and its picture; one that is being painted ends first."""
        job = self._job(key)
        if job["state"] == "running":
            self._removed.add(key)
            self._worker.stop(key)
        else:
            self._index.set_state(key, "removed")
            self._remove(key)

    def _remove(self, key: str) -> None:
        shutil.rmtree(self._folder.job(key), ignore_errors=True)
        self._index.remove_job(key)
        self._removed.discard(key)
        self._hub.publish({"event": "removed", "id": key})

    def view(self, job: Row) -> JobView:
        picture, place = self._tasks.picture_of(job), self._folder.job(job["id"])
        state = job["state"]
        return JobView(
            id=job["id"],
            number=job["number"],
            created=job["created"],
            state=state,
            request=JobRequest(**job["request"]),
            progress=job["progress"],
            error=job["error"],
            position=self._index.position(job),
            has_picture=picture.exists() if state not in UNFINISHED else view_of(place).exists(),
            can_continue=state in ("stopped", "failed"),
            stopping=state == "running" and job["id"] in self._stopping,
        )

    def _job(self, key: str) -> Row:
        job = self._index.job(key)
        if job is None:
            raise KeyError(key)
        return job

    def _told(self, key: str) -> Row:
        """A job, as it now stands, which the hub and the thread are told of."""
        job = self._job(key)
        self._hub.publish({"event": "job", "id": key, "job": self.view(job).model_dump()})
        self._changed.set()
        return job

    def _run(self) -> None:
        while not self._closing:
            self._changed.clear()
            try:
                job = self._index.next_job()
                if job is not None:
                    self._paint(job)
                    continue
            except Exception as error:  # the disk under the index, say: the queue outlives it
                self._hub.publish({"event": "trouble", "error": f"the queue waits: {error}"})
                self._changed.wait(5.0)
                continue
            self._changed.wait()

    def _paint(self, job: Row) -> None:
        key, progress = job["id"], dict(job["progress"])
        self._stopping.discard(key)
        if not self._index.set_state(key, "running", only=UNFINISHED):
            return  # it was stopped meanwhile
        self._told(key)

        def hear(message: Message) -> None:
            if message["event"] == "progress":
                progress.update(message["progress"])
            elif message["event"] == "notice" and message["text"] not in progress.get("notices", []):
                progress["notices"] = [*progress.get("notices", []), message["text"]]
            with contextlib.suppress(sqlite3.Error):  # a full disk: the next word of progress may be kept
                self._index.set_progress(key, progress)
            self._hub.publish({"event": "progress", "id": key, "progress": progress.copy()})

        try:
            end: dict[str, Any] = self._worker.run(self._tasks.paint(job), hear)
        except MinstyleError as error:
            end = {"state": "failed", "error": str(error)}
        self._stopping.discard(key)
        if self._closing and end["state"] != "done":
            return  # it goes on at the next start
        if key in self._removed:
            self._remove(key)
            return
        self._index.set_state(key, end["state"], end["error"])
        self._told(key)
