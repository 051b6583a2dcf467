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
from concurrent.futures import ThreadPoolExecutor
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
    arena, helpers = _arena.get() or Arena(), _Helpers()

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

    with _single_threaded_blas():
        try:
            for _ in range(min(thread_count(), len(tasks)) - 1):
                _pool.submit(helpers.help, contextvars.copy_context(), work)
        except RuntimeError:
            pass  # the system has no more threads: the work is done with those there are
        except BaseException as error:
            errors.append(error)
        work()
        helpers.dismiss(errors)
    if errors:
        raise errors[0]


class _Helpers:
    """How many of the pool's threads are at work for one call of ``run``. One that comes late goes at once."""

    def __init__(self) -> None:
        self._changed, self._count, self._wanted = threading.Condition(), 0, True

    def help(self, context: contextvars.Context, work: Callable[[], None]) -> None:
        with self._changed:
            if not self._wanted:
                return
            self._count += 1
        try:
            context.run(work)
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify()

    def dismiss(self, errors: list[BaseException]) -> None:
        """Wait until none is at work any more, however often the user interrupts."""
        while self._wanted or self._count:
            try:
                with self._changed:
                    self._wanted = False
                    while self._count:
                        self._changed.wait()
            except KeyboardInterrupt as error:
                errors.append(error)


def _new_pool() -> ThreadPoolExecutor:
    """Threads that sleep between two calls of ``run``: waking one takes a third of the time of starting one."""
    return ThreadPoolExecutor(max_workers=256, thread_name_prefix="minstyle")


_pool = _new_pool()


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
    """In the child there are no other threads: the limit goes, the lock, which one may have held, and the pool."""
    global _users, _pool
    users, _users = _users, _Users()
    _pool = _new_pool()
    if users.count:
        users.limit.__exit__(None, None, None)
        users.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
