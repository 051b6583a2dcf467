"""The best image of a run, on the host: a device that fails, or a worker that is lost, takes what it holds along."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from ..backend import Array, to_host
from ..errors import DeviceError
from .state import RunState

SECONDS = 1.0  # at least, between two copies from the device
SHARE = 0.01  # of a run's time that they may take, at most: the device stands still meanwhile


class Kept:
    """The best image of a run. Of one on a device or on workers there is a copy here, made again and again."""

    def __init__(self, state: RunState, clock: Callable[[], float] = time.perf_counter) -> None:
        self._state, self._clock = state, clock
        self._copy: tuple[np.ndarray, float] | None = None  # as it is on the device
        self._next = -math.inf

    def look(self) -> None:
        """To be called after each evaluation."""
        best, loss = self._state.best, self._state.best_loss
        if isinstance(best, np.ndarray):
            self._copy = best, loss
        elif best is not None and ((now := self._clock()) >= self._next or self._is_of_another_size(best)):
            self._copy = to_host(best), loss
            done = self._clock()
            self._next = done + max(SECONDS, (done - now) / SHARE)

    def _is_of_another_size(self, best: Array) -> bool:
        return self._copy is None or self._copy[0].shape != best.shape

    def restore(self) -> None:
        """The copy in place of an image that was lost."""
        if not isinstance(self._state.best, np.ndarray):
            self._state.best, self._state.best_loss = self._copy or (None, math.inf)

    def best(self) -> tuple[np.ndarray, float]:
        """The image, as ``image_on_host`` has it, and its loss; the copy's where the device fails, or DeviceError."""
        try:
            return image_on_host(self._state.best), self._state.best_loss
        except DeviceError:
            if self._copy is None:
                raise
            image, loss = self._copy
            return image_on_host(image), loss


def image_on_host(best: Array) -> np.ndarray:
    """The image (H, W, 3), float32, clipped to 0..255."""
    image: np.ndarray = to_host(best).clip(0, 255).astype(np.float32, copy=False)
    return image
