"""Which blocks of tiles a convolution is cut into, and the threads that work through them. No mathematics.

The blocks depend on the shapes alone, never on the number of threads: the results are the same bits with any number.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar

from threadpoolctl import ThreadpoolController

from .winograd import Block, Workspace

# A block's arrays should stay in a core's cache (fewer tiles); its matrix products should not be thin (more tiles).
_VALUES, _FEWEST, _MOST = 1 << 14, 48, 128

_threads: ContextVar[int | None] = ContextVar("threads", default=None)


def cut(height: int, width: int, cin: int, cout: int) -> list[Block]:
    """The blocks of 4x4 tiles that cover a picture, each of about as many tiles as suits the channels."""
    down, across = -(-height // 4), -(-width // 4)
    tiles = min(max(_VALUES // max(cin, cout), _FEWEST), _MOST)
    columns = -(-across // -(-across // tiles))  # as equal as can be
    rows = max(1, tiles // columns)
    return [
        Block(top, left, min(rows, down - top), min(columns, across - left))
        for top in range(0, down, rows)
        for left in range(0, across, columns)
    ]


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


def run(task: Callable[[Block, Workspace], None], blocks: Sequence[Block]) -> None:
    """Call ``task`` for every block, from the calling thread and as many more as are wanted; none is left behind.

    The first error of any thread is raised, once all have stopped.
    """
    pending, lock = iter(blocks), threading.Lock()
    errors: list[BaseException] = []

    def work() -> None:
        workspace = Workspace()
        try:
            while not errors:
                with lock:
                    block = next(pending, None)
                if block is None:
                    return
                task(block, workspace)
        except BaseException as error:
            errors.append(error)

    helpers = [threading.Thread(target=work) for _ in range(min(thread_count(), len(blocks)) - 1)]
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
