"""A kernel that stays the same from call to call: what the methods make of it is made once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend import Array, is_cupy
from . import gpu
from .cpu import winograd

# Up to this many entries BLAS is slow with a transposed matrix, and a copy of the matrix is small.
_SMALL = 36 * 160 * 160


class Kernel:
    """A constant kernel (k, k, Cin, Cout) whose Winograd transforms are computed once, when they are first needed.

    The kernel itself is then released. Maps of another floating type are converted to the kernel's. ``lasting``: it
    serves for more than the call at hand.
    """

    def __init__(self, array: Array, lasting: bool = True) -> None:
        self._array: Array | None = array
        self._lasting = lasting
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.ndim = len(self.shape)
        self.dtype, self.on_device = array.dtype, is_cupy(array)
        self._transformed: tuple[np.ndarray, np.ndarray] | None = None
        self._packed: tuple[gpu.Packed, gpu.Packed] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what follows from the rest: the transforms of the other direction, the order of a device."""
        return {**vars(self), "_transformed": self._transformed and self._transformed[0], "_packed": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if (forward := state["_transformed"]) is not None:
            self._transformed = forward, _turned(forward)

    @property
    def array(self) -> Array:
        if self._array is None:
            raise AssertionError("a kernel that Winograd's method uses is not asked for by others")
        return self._array

    @property
    def packed(self) -> tuple[gpu.Packed, gpu.Packed]:
        """What ``gpu.convolve`` reads: the kernel, and the kernel of the gradient."""
        if self._packed is None:
            forth, back = (gpu.Packed(self.array, turned, self._lasting) for turned in (False, True))
            self._packed = forth, back
        return self._packed

    @property
    def transformed(self) -> tuple[np.ndarray, np.ndarray]:
        """(36, Cin, Cout), and (36, Cout, Cin) of the kernel turned by 180 degrees: see ``winograd``."""
        # No lock, since a fork could copy it locked. Two threads may both do the work; the result is stored before the
        # kernel is released, so that a third finds the one or the other.
        array = self._array
        if self._transformed is None and array is not None:
            forward = winograd.transform_kernel(array)
            self._transformed = forward, _turned(forward)
            self._array = None
        assert self._transformed is not None
        return self._transformed


def _turned(forward: np.ndarray) -> np.ndarray:
    """The transforms (36, Cout, Cin) of a kernel turned by 180 degrees, from its own (36, Cin, Cout)."""
    back = forward.swapaxes(1, 2)
    return np.ascontiguousarray(back) if back.size <= _SMALL else back
