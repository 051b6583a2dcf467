"""``cupy.cuda``: one device, its stream, and the errors that devices raise."""

from __future__ import annotations

from typing import Any, ClassVar

from .ledger import LEDGER
from .modules import cuda, public, runtime

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


CUDARuntimeError.__module__ = "cupy_backends.cuda.api.runtime"  # where CuPy has it


@public("Stream", cuda)
class Stream:
    """Everything is done at once, in order. Recording: see ``graphs``."""

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


@public("get_current_stream", cuda)
def get_current_stream(device_id: int = -1) -> Stream:
    return Stream(null=True)
