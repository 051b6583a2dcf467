"""``cupy.cuda.MemoryPool``: how much of the device's memory is in use, and the error where no more is there.

As CuPy's, a pool keeps what was given back for its next arrays, and only ``free_all_blocks``, or a lack of memory in
that very pool, gives it back to the device: two pools cannot help each other. Fragments are not modelled.
"""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

from .modules import cuda, memory, public, runtime


@public("OutOfMemoryError", memory)
class OutOfMemoryError(MemoryError):
    pass


class Memory:
    """The device's: ``total`` bytes, which a test may make fewer, and its pools."""

    total = 1 << 34
    pools: ClassVar[weakref.WeakSet[MemoryPool]] = weakref.WeakSet()

    def free(self) -> int:
        return self.total - sum(pool.total_bytes() for pool in self.pools)


MEMORY = Memory()
runtime.memGetInfo = lambda: (MEMORY.free(), MEMORY.total)


@public("MemoryPool", cuda)
class MemoryPool:
    def __init__(self, allocator: Any = None) -> None:
        self._used, self._total = 0, 0
        MEMORY.pools.add(self)

    def malloc(self, size: int) -> Block:
        if self._used + size > self._total + MEMORY.free():
            gc.collect()
            self.free_all_blocks()
            if size > MEMORY.free():
                raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
        self._used += size
        self._total = max(self._total, self._used)
        return Block(self, size)

    def free_all_blocks(self, stream: Any = None) -> None:
        self._total = self._used

    def total_bytes(self) -> int:
        return self._total

    def used_bytes(self) -> int:
        return self._used

    def get_limit(self) -> int:
        return 0


class Block:
    """Memory that is given back when nobody refers to it any more."""

    __slots__ = ("_pool", "_size")

    def __init__(self, pool: MemoryPool, size: int) -> None:
        self._pool, self._size = pool, size

    def __del__(self) -> None:
        self._pool._used -= self._size


_DEFAULT = MemoryPool()
_allocators = [_DEFAULT.malloc]


def allocate(size: int) -> Block:
    return _allocators[-1](size)


@public("get_default_memory_pool")
def get_default_memory_pool() -> MemoryPool:
    return _DEFAULT


@public("using_allocator", cuda)
@contextlib.contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    _allocators.append(allocator)
    try:
        yield
    finally:
        _allocators.pop()
