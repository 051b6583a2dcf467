"""Which array library an array belongs to, and which device a run uses. Picked once, at the edge; no global switch.

Everything above asks the arrays themselves (``xp = array_module(x)``), so one source serves NumPy and CuPy.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from .errors import DeviceError, DeviceMemoryError, ShapeError

# How a GPU multiplies matrices of float32. "tf32": factors rounded to 10 bits of mantissa, sums in float32, on cards
# that have it; "fp32": float32 throughout; "fp16": convolutions of factors in 16 bits, forth in half precision, back in
# bfloat16, sums in float32, the rest as in "tf32".
PRECISIONS = ("tf32", "fp32", "fp16")

Array = Any  # numpy.ndarray or cupy.ndarray: the two share their interface, not a base class


def is_cupy(array: object) -> bool:
    """True for a CuPy array. CuPy is never imported to find out: whoever holds such an array has it loaded."""
    kind = getattr(sys.modules.get("cupy"), "ndarray", None)
    return kind is not None and isinstance(array, kind)


def array_module(*arrays: Array) -> ModuleType:
    """``numpy`` or ``cupy``, whichever the arrays belong to.

    Raises ShapeError when they belong to both: a silent copy between host and device would hide a slow mistake.
    """
    # NumPy's scalars go with any array: they are numbers more than they are data on the host.
    on_device = {is_cupy(array) for array in arrays if is_cupy(array) or getattr(array, "ndim", 0) > 0}
    if len(on_device) > 1:
        raise ShapeError("expected arrays of one library, got both NumPy and CuPy arrays in one call")
    return sys.modules["cupy"] if True in on_device else np


def to_host(array: Array) -> np.ndarray:
    """The array as a NumPy array; a NumPy array comes back as it is. Raises DeviceError where the device fails."""
    if not is_cupy(array):
        return np.asarray(array)
    with device_errors():
        found: np.ndarray = array.get()
    return found


# Where the driver or a library finds no memory, and not CuPy.
_NO_MEMORY = ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY", "_STATUS_ALLOC_FAILED")


@contextmanager
def device_errors() -> Iterator[None]:
    """What CuPy raises within becomes a DeviceError: a failed kernel, a library's status, a lack of memory.

    A device works behind: it may tell of an error in any later call. After most of them it answers to nothing more.
    """
    try:
        yield
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("cupy", "cupy_backends", "cupyx"):
            raise
        if isinstance(error, MemoryError) or any(status in str(error) for status in _NO_MEMORY):
            raise DeviceMemoryError(f"the GPU's memory is used up ({_first_line(error)})") from error
        raise DeviceError(f"the GPU failed ({_first_line(error)}); --device cpu computes without it") from error


@dataclass(frozen=True)
class Device:
    """Where a run computes: ``name`` is "cpu" or "gpu", ``xp`` its array library, ``note`` one line for the user."""

    name: str
    xp: ModuleType
    note: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled and copied by its name: a module cannot be. Unpickling raises DeviceError where there is no GPU."""
        return choose_device, (self.name,)

    def asarray(self, array: Array, dtype: Any = None) -> Array:
        """The array on this device (copied only if it is elsewhere or of another type)."""
        if self.name == "cpu":
            return np.asarray(to_host(array), dtype=dtype)
        with device_errors():
            return self.xp.asarray(array, dtype=dtype)


CPU = Device("cpu", np)
_NO_CUPY = "CuPy is not installed"


def choose_device(wish: str = "auto") -> Device:
    """The device for ``wish``: "cpu", "gpu" (or "cuda"), "auto" (the GPU if one answers, else the CPU and the reason in
    ``note``).

    Raises DeviceError for "gpu" when no usable device answers, and for an unknown wish.
    """
    if wish == "cpu":
        return CPU
    if wish not in ("auto", "gpu", "cuda"):
        raise DeviceError(f"unknown device {wish!r}: choose auto, cpu or gpu")
    cupy, answer = _try_gpu()
    if cupy is not None:
        return Device("gpu", cupy, answer)
    if wish != "auto":
        advice = "pip install 'minstyle[gpu-cuda12]'" if answer == _NO_CUPY else "see the README on GPUs"
        raise DeviceError(f"no usable GPU: {answer}. Use --device cpu, or {advice}")
    return Device("cpu", np, f"computing on the CPU: {answer}")


def _try_gpu() -> tuple[ModuleType | None, str]:
    """(cupy, name of the card) if what runs need of it gives the right answer, else (None, why not)."""
    try:
        import cupy
    except Exception as error:  # a broken CUDA installation fails in many ways, all of them a "no"
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return None, _NO_CUPY
        return None, f"CuPy does not load ({_first_line(error)})"
    try:
        if not cupy.is_available():
            return None, "CuPy finds no CUDA device"
        ones = cupy.ones((16, 16), dtype=cupy.float32)
        total = float(((ones @ ones) * 0.5).sum())  # a product (cuBLAS), a kernel (NVRTC), a reduction
        if total != 16 * 16 * 8:
            return None, f"the device gives wrong results (expected 2048, got {total})"
        largest = float(cupy.linalg.eigh(cupy.eye(2) + 1)[0][1])  # cuSOLVER, which losses may ask for in the run
        if not abs(largest - 3) < 1e-6:
            return None, f"the device gives wrong results (expected 3, got {largest})"
        return cupy, cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    except Exception as error:
        return None, f"the device does not work ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error  # CuPy's own text is a banner
    lines = str(cause).split("\n")
    return f"{type(cause).__name__}: {next((line for line in lines if line.strip()), '')}".strip()
