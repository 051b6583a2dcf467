"""The threads that work through a list of tasks, and the memory that they keep between two lists. No mathematics.

What is computed never depends on how many threads there are: the tasks are cut by the shapes alone.
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
    """Buffers of one thread, kept from block to block: fresh memory of this size costs as much as filling it."""

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


class Arena:
    """The workspaces while nobody uses them, kept as long as the arena is; several threads may share one arena."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Workspace]] = {}

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Within, what is started from this thread takes its memory from here, and BLAS is held to one thread."""
        token = _arena.set(self)
        try:
            with _single_threaded_blas():
                yield
        finally:
            _arena.reset(token)

    @contextlib.contextmanager
    def workspace(self, kind: str) -> Iterator[Workspace]:
        """One that was used for the same kind of work, so that its buffers have the size, or a new one."""
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
    """Within, convolutions started from this thread work on ``count`` cores (None: all that the process may use)."""
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def thread_count() -> int:
    """How many threads a convolution takes."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _threads.get() or available


def run(do: Callable[[Task, Workspace], None], tasks: Iterable[Task]) -> None:
    """``do`` every task, on the calling thread and as many more as are wanted; none of them goes on afterwards.

    The first error of any thread is raised, once all have stopped. Helpers work in the caller's context.
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
            pass  # the system has no more threads: the work is done with those there are
        except BaseException as error:
            errors.append(error)
        try:
            work()
        finally:
            job.close(errors)
    if errors:
        raise errors[0]


class _Job:
    """What helpers do for one call of ``run``, in its context. One that comes when the job is closed goes at once."""

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
        """Let nobody begin any more and wait until all have stopped, however often the user interrupts."""
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
    """A thread that sleeps between jobs for a second before it ends: to wake one is faster than to start one."""

    def __init__(self) -> None:
        super().__init__(name="minstyle helper", daemon=True)
        self.jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()

    def run(self) -> None:
        while True:
            try:
                job = self.jobs.get(timeout=_PATIENCE)
            except queue.Empty:
                # If somebody has just taken it off the list, that job has one helper less, and is done all the same.
                with contextlib.suppress(ValueError):
                    _idle.remove(self)
                return
            job.help()
            del job
            _idle.append(self)


_PATIENCE = 1.0  # seconds
_idle: deque[_Helper] = deque()


def _hand_out(job: _Job) -> None:
    """Give the job to a sleeping thread, or to a new one. Raises RuntimeError where there can be no more."""
    try:
        helper = _idle.pop()
    except IndexError:
        helper = _Helper()
        helper.start()
    helper.jobs.put(job)


class _Users:
    """How many calls of ``run`` are under way: the first holds BLAS to one thread, the last lets it go."""

    def __init__(self) -> None:
        self.lock, self.count = threading.Lock(), 0
        self.limit: contextlib.AbstractContextManager[object] = contextlib.nullcontext()


_users = _Users()


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks at all loaded libraries, which takes some time


@contextlib.contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """BLAS computes with one thread a call: the cores are taken by our own threads."""
    users = _users  # a child process has others
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
    """In the child there are no other threads: the limit goes, the lock, which one may have held, the list of idle."""
    global _users
    users, _users = _users, _Users()
    _idle.clear()
    if users.count:
        users.limit.__exit__(None, None, None)
        users.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
