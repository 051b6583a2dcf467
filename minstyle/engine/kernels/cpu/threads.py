"""A pool of threads that works through lists of tasks, and the buffers they reuse. No mathematics.

Results never depend on the number of threads: callers cut tasks by the shapes alone.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

Task = TypeVar("Task")

_threads: contextvars.ContextVar[int | None] = contextvars.ContextVar("threads", default=None)
_arena: contextvars.ContextVar[Arena | None] = contextvars.ContextVar("arena", default=None)


class Workspace:
    """Buffers of one thread, reused from task to task: to allocate memory of this size costs as much as to fill it."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}
        self._zeros = np.zeros(0, dtype=np.uint8)

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An uninitialised array; the next call with the same name may hand out the same memory."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size, dtype=np.uint8)
        array: np.ndarray = buffer[:size].view(dtype).reshape(shape)
        return array

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array of zeros, not to be written to."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if self._zeros.size < size:
            self._zeros = np.zeros(size, dtype=np.uint8)
        array: np.ndarray = self._zeros[:size].view(dtype).reshape(shape)
        array.flags.writeable = False
        return array

    @property
    def nbytes(self) -> int:
        return self._zeros.nbytes + sum(buffer.nbytes for buffer in self._buffers.values())


class Arena:
    """Workspaces that are not in use at the moment. They live as long as the arena; threads may share one arena."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Workspace]] = {}

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Within, kernels called from this thread take their workspaces from here, and BLAS is held to one thread."""
        token = _arena.set(self)
        try:
            with _single_threaded_blas():
                yield
        finally:
            _arena.reset(token)

    def nbytes(self) -> tuple[int, int]:
        """Bytes of the workspaces of threads, and of those that threads share, while none is in use."""
        shared = sum(workspace.nbytes for workspace in self._idle.get("shared", []))
        return sum(workspace.nbytes for idle in self._idle.values() for workspace in idle) - shared, shared

    @contextlib.contextmanager
    def workspace(self, kind: str) -> Iterator[Workspace]:
        """A workspace last used for the same kind of work, so that its buffers have the right size, or a new one."""
        idle = self._idle.setdefault(kind, [])
        try:
            workspace = idle.pop()
        except IndexError:
            workspace = Workspace()
        try:
            yield workspace
        finally:
            idle.append(workspace)


def shared_workspace() -> contextlib.AbstractContextManager[Workspace]:
    """A workspace that all tasks of a list may use, beside the one that each thread has."""
    return (_arena.get() or Arena()).workspace("shared")


@contextlib.contextmanager
def use_threads(count: int | None) -> Iterator[None]:
    """Within, kernels called from this thread use ``count`` threads (None: one for each core the process may use)."""
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def thread_count() -> int:
    """How many threads a kernel uses."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _threads.get() or available


def run(do: Callable[[Task, Workspace], None], tasks: Iterable[Task]) -> None:
    """Call ``do`` for every task, on this thread and ``thread_count() - 1`` helpers, and return when all have stopped.

    The first error of any thread is raised, once all have stopped. Helpers run in a copy of the caller's context.
    """
    tasks = list(tasks)
    pending, lock = iter(tasks), threading.Lock()
    errors: list[BaseException] = []
    arena = _arena.get() or Arena()

    def work() -> None:
        try:
            with arena.workspace("of a thread") as workspace:
                while not errors:
                    with lock:
                        task = next(pending, None)
                    if task is None:
                        return
                    do(task, workspace)
        except BaseException as error:
            errors.append(error)

    job = _Job(work)
    with _single_threaded_blas():
        try:
            for _ in range(min(thread_count(), len(tasks)) - 1):
                _hand_out(job)
        except RuntimeError:
            pass  # the system gives no more threads: those there are do the work
        except BaseException as error:
            errors.append(error)
        try:
            work()
        finally:
            job.close(errors)
    if errors:
        raise errors[0]


class _Job:
    """What helpers do for one call of ``run``, in its context. A helper that comes after ``close`` returns at once."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work
        self._context = contextvars.copy_context()
        # Plain locks: an interrupt in the middle of a Condition's ``wait`` would leave it broken.
        self._lock, self._busy = threading.Lock(), threading.Lock()
        self._helpers = 0

    def help(self) -> None:
        with self._lock:
            if self._work is None:
                return
            work, context = self._work, self._context.copy()
            self._helpers += 1
            if self._helpers == 1:
                self._busy.acquire()
        try:
            context.run(work)
        finally:
            with self._lock:
                self._helpers -= 1
                if self._helpers == 0:
                    self._busy.release()

    def close(self, errors: list[BaseException]) -> None:
        """Admit no more helpers and wait until all have stopped, however often the user interrupts."""
        while True:
            try:
                with self._lock:
                    self._work = None
                    if self._helpers == 0:
                        return
                with self._busy:  # released by the last helper
                    pass
            except KeyboardInterrupt as error:
                errors.append(error)


class _Helper(threading.Thread):
    """A thread that waits a second for its next job before it ends: waking one is faster than starting one."""

    def __init__(self) -> None:
        super().__init__(name="minstyle helper", daemon=True)
        self.jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()

    def run(self) -> None:
        while True:
            try:
                job = self.jobs.get(timeout=_PATIENCE)
            except queue.Empty:
                # If a caller has just taken it off the list, that caller's job has one helper less, no more.
                with contextlib.suppress(ValueError):
                    _idle.remove(self)
                return
            job.help()
            del job
            _idle.append(self)


_PATIENCE = 1.0  # seconds
_idle: deque[_Helper] = deque()


def _hand_out(job: _Job) -> None:
    """Give the job to an idle helper, or to a new one. Raises RuntimeError where the system gives no more threads."""
    try:
        helper = _idle.pop()
    except IndexError:
        helper = _Helper()
        helper.start()
    helper.jobs.put(job)


class _Users:
    """How many hold BLAS to one thread at the moment: the first sets the limit, the last lifts it."""

    def __init__(self) -> None:
        self.lock, self.count = threading.Lock(), 0
        self.limit: contextlib.AbstractContextManager[object] = contextlib.nullcontext()


_users = _Users()


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # it searches all loaded libraries, which takes some time


@contextlib.contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """Within, BLAS uses one thread per call: our own threads take the cores."""
    users = _users  # after a fork the child has another object
    with users.lock:
        if users.count == 0:
            users.limit = _controller().limit(limits=1, user_api="blas")
            users.limit.__enter__()
        users.count += 1
    try:
        yield
    finally:
        with users.lock:
            users.count -= 1
            if users.count == 0:
                users.limit.__exit__(None, None, None)


def _after_fork() -> None:
    """A child process has none of the other threads: drop the BLAS limit, the lock that one may hold, the idle list."""
    global _users
    users, _users = _users, _Users()
    _idle.clear()
    if users.count:
        users.limit.__exit__(None, None, None)
        users.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
