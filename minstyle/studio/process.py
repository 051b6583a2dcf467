"""A worker process from the server's side: started when it is needed, and told what to do."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from ..errors import MinstyleError

Message = dict[str, Any]


class WorkerError(MinstyleError):
    """The worker's process ended in the midst of a task: it was killed, or could not be started."""


class Worker:
    """``run`` is called by one thread; ``stop`` and ``close`` by any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._closed = False

    def run(self, task: Message, hear: Callable[[Message], None]) -> Message:
        """Have a task done; ``hear`` is told what happens meanwhile. Returns its end. Raises WorkerError."""
        with self._reading:
            process = self._started()
            self._send(task)
            assert process.stdout is not None
            for line in process.stdout:
                message: Message = json.loads(line)
                if message["id"] != task["id"]:
                    continue  # the rest of one before, whose hearer failed
                if message["event"] == "end":
                    return message
                hear(message)
            raise WorkerError(_why(process.wait()))

    def stop(self, key: str) -> None:
        """Ask for the end of a task, if it is running or still to come."""
        self._send({"stop": key})

    def ask_end(self, *, at_once: bool = False) -> None:
        """Have the process end, with what it is at kept, unless ``at_once``; it is not waited for."""
        with self._lock:
            self._closed = True
            if self._process is None:
                return
            if at_once:
                self._process.kill()
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def close(self, seconds: float) -> None:
        """End the process: what it is at is kept, for which it gets so many ``seconds``."""
        self.ask_end()
        process = self._process
        if process is None:
            return
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        with self._reading:  # which ends now
            _bury(process)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def _started(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._closed:
                raise WorkerError("the studio is closing")
            if self._process is not None and self._process.poll() is not None:
                _bury(self._process)
                self._process = None
            if self._process is None:
                try:
                    self._process = subprocess.Popen([sys.executable, "-m", "minstyle.studio.worker"], text=True,
                                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
                except OSError as error:
                    raise WorkerError(f"the worker cannot be started: {error.strerror or error}") from error
            return self._process

    def _send(self, message: Message) -> None:
        with self._lock:
            if self._process is None or self._process.stdin is None or self._process.stdin.closed:
                return
            with contextlib.suppress(OSError):  # it has ended: who reads its lines hears of that
                self._process.stdin.write(json.dumps(message) + "\n")
                self._process.stdin.flush()


def _bury(process: subprocess.Popen[str]) -> None:
    """Close what is left of a process that has ended, or is about to."""
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            assert stream is not None
            stream.close()


def _why(code: int) -> str:
    if code >= 0:
        return f"the worker ended by itself with code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    memory = ": the system may have been short of memory" if name == "SIGKILL" else ""
    return f"the worker was killed ({name}){memory}"
