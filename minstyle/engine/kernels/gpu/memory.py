"""How much memory a device has left, and how much something takes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


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
