"""``cupy.cuda``: one device, its stream and memory, and the errors that devices raise."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, ClassVar

from .ledger import LEDGER
from .modules import NotInDouble, cuda, memory, public, runtime

NAME = "the double of CuPy"


@public("is_available")
def is_available() -> bool:
    return True


cuda.is_available = is_available
runtime.getDeviceCount = lambda: 1
runtime.getDevice = lambda: 0
runtime.getDeviceProperties = lambda device: {
    "name": NAME.encode(), "totalGlobalMem": 1 << 34, "multiProcessorCount": 4,
}  # fmt: skip


@public("Device", cuda)
class Device:
    # As of a card of 2020 and its shared memory; products are made in float32 whatever is asked for.
    compute_capability = "80"
    attributes: ClassVar[dict[str, int]] = {"MaxSharedMemoryPerBlockOptin": 163 << 10}

    def __init__(self, device: int = 0) -> None:
        self.id = device

    def synchronize(self) -> None:
        LEDGER.wait("Device.synchronize")


@public("CUDARuntimeError", runtime)
class CUDARuntimeError(RuntimeError):
    """As of an illegal address."""


@public("OutOfMemoryError", memory)
class OutOfMemoryError(MemoryError):
    pass


CUDARuntimeError.__module__ = "cupy_backends.cuda.api.runtime"  # where CuPy has it


@public("MemoryPool", cuda)
class MemoryPool:
    """All memory is the host's."""

    def malloc(self, size: int) -> None:
        raise NotInDouble("memory by the byte")

    def free_all_blocks(self, stream: Any = None) -> None:
        pass

    def total_bytes(self) -> int:
        return 0


@public("get_default_memory_pool")
def get_default_memory_pool() -> MemoryPool:
    return MemoryPool()


@public("using_allocator", cuda)
@contextlib.contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    yield


@public("Stream", cuda)
class Stream:
    """Everything is done at once, in order; nothing can be recorded."""

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: Any = None
    ) -> None:
        pass

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def synchronize(self) -> None:
        LEDGER.wait("Stream.synchronize")

    def begin_capture(self, mode: Any = None) -> None:
        raise RuntimeError("the double records nothing")

    def end_capture(self) -> None:
        raise RuntimeError("nothing is recorded")


@public("get_current_stream", cuda)
def get_current_stream(device_id: int = -1) -> Stream:
    return Stream(null=True)
