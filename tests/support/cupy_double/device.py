"""``cupy.cuda``: one device, its stream and memory, and the errors that devices raise."""

from __future__ import annotations

from .ledger import LEDGER
from .modules import cuda, memory, public, runtime

NAME = "the double of CuPy"


@public("is_available")
def is_available() -> bool:
    return True


cuda.is_available = is_available
runtime.getDeviceCount = lambda: 1
runtime.getDeviceProperties = lambda device: {"name": NAME.encode(), "totalGlobalMem": 1 << 34}


@public("Device", cuda)
class Device:
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
