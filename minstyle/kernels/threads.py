"""The threads that work through a list of tasks, and the memory that they keep between two lists. No mathematics.

What is computed never depends on how many threads there are: the tasks are cut by the shapes alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from .tiles import Workspace

Task = TypeVar("Task")

_threads: ContextVar[int | None] = ContextVar("threads", default=None)
_arena: ContextVar[Arena | None] = ContextVar("arena", default=None)


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

    The first error of any thread is raised, once all have stopped.
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

    helpers = [threading.Thread(target=work) for _ in range(min(thread_count(), len(tasks)) - 1)]
    with _single_threaded_blas():
        for helper in helpers:
            helper.start()
        work()
        for helper in helpers:
            helper.join()
    if errors:
        raise errors[0]


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
    with _users.lock:
        if _users.count == 0:
            _users.limit = _controller().limit(limits=1, user_api="blas")
            _users.limit.__enter__()
        _users.count += 1
    try:
        yield
    finally:
        with _users.lock:
            _users.count -= 1
            if _users.count == 0:
                _users.limit.__exit__(None, None, None)


def _after_fork() -> None:
    global _users
    _users = _Users()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)  # the lock may be held by a thread that the child does not have
