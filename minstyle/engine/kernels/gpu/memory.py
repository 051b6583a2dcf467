"""How much memory a device has left, how much something takes of it, and what may not be given back yet."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from ....backend import Array

_kept: ContextVar[list[Array] | None] = ContextVar("kept", default=None)


@contextlib.contextmanager
def keeping() -> Iterator[list[Array]]:
    """The arrays that ``keep`` is told of within: a recording refers to their memory for as long as it is replayed."""
    kept: list[Array] = []
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def keep(array: Array) -> None:
    """Have whoever is recording keep an array that its maker may drop meanwhile."""
    kept = _kept.get()
    if kept is not None:
        kept.append(array)


def free_memory() -> int:
    """Bytes that the current device has for new arrays, once its pool has given back what nobody uses any more."""
    import cupy

    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    there, limit = int(cupy.cuda.runtime.memGetInfo()[0]), int(pool.get_limit())
    return min(there, max(0, limit - pool.used_bytes())) if limit else there


def peak_memory(do: Callable[[], Any]) -> int:
    """Bytes of the current device that ``do()`` takes at its peak."""
    import cupy

    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        do()
    return int(pool.total_bytes())
