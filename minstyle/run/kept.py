"""The best image of a run, on the host: a device that fails takes all that it holds along."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from ..backend import Array, is_cupy, to_host
from ..errors import DeviceError
from .state import RunState

SECONDS = 1.0  # between two copies from the device: what of a run may be lost, and far below a hundredth of its time


class Kept:
    """The best image of a run. Of one on a device there is a copy on the host, at most about a second old."""

    def __init__(self, state: RunState, clock: Callable[[], float] = time.perf_counter) -> None:
        self._state, self._clock = state, clock
        self._copy: tuple[np.ndarray, float] | None = None
        self._copied = -math.inf

    def look(self) -> None:
        """To be called after each evaluation."""
        if is_cupy(self._state.best) and self._clock() - self._copied >= SECONDS:
            self._copy, self._copied = (image_on_host(self._state.best), self._state.best_loss), self._clock()

    def best(self) -> tuple[np.ndarray, float]:
        """The image, as ``image_on_host`` has it, and its loss; the copy's where the device fails, or DeviceError."""
        try:
            return image_on_host(self._state.best), self._state.best_loss
        except DeviceError:
            if self._copy is None:
                raise
            return self._copy


def image_on_host(best: Array) -> np.ndarray:
    """The image (H, W, 3), float32, clipped to 0..255."""
    image: np.ndarray = to_host(best).clip(0, 255).astype(np.float32, copy=False)
    return image
