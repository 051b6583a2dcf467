"""The threads that work through a list of tasks, and the memory that they keep between two lists. No mathematics.

What is computed never depends on how many threads there are: the tasks are cut by the shapes alone.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import os
import threading
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

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An uninitialised array; the next call with the same name may hand out the same memory."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size, dtype=np.uint8)
        array: np.ndarray = buffer[:size].view(dtype).reshape(shape)
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
    """``do`` every task, on the calling thread and as many more as are wanted; none is left behind.

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

    helpers: list[threading.Event] = []
    with _single_threaded_blas():
        try:
            for _ in range(min(thread_count(), len(tasks)) - 1):
                helpers.append(_start(work))
        except RuntimeError:
            pass  # the system has no more threads: the work is done with those there are
        except BaseException as error:
            errors.append(error)
        work()
        for helper in helpers:
            _wait(helper, errors)
    if errors:
        raise errors[0]


def _start(work: Callable[[], None]) -> threading.Event:
    """A thread that works in the caller's context; the event is set when it has done so."""
    done, context = threading.Event(), contextvars.copy_context()

    def target() -> None:
        try:
            context.run(work)
        finally:
            done.set()

    threading.Thread(target=target).start()
    return done


def _wait(done: threading.Event, errors: list[BaseException]) -> None:
    """Wait however often the user interrupts. (Until Python 3.13 a ``join`` that is interrupted takes the thread for
    stopped.)"""
    while not done.is_set():
        try:
            done.wait()
        except KeyboardInterrupt as error:
            errors.append(error)


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
    """In the child no thread is at work any more: the limit goes, and the lock, which one of them may have held."""
    global _users
    users, _users = _users, _Users()
    if users.count:
        users.limit.__exit__(None, None, None)
        users.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
