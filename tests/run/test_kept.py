"""run/kept.py: how often the best image is copied from a device, and what is left of it where the device fails."""

from __future__ import annotations

import numpy as np
import pytest

from minstyle.backend import Device
from minstyle.errors import DeviceError
from minstyle.run import kept
from minstyle.run.state import RunState


@pytest.mark.parametrize(("taken", "pause"), [(0.001, 1.0), (0.5, 50.0)])
def test_copies_take_a_hundredth_of_the_time_at_most(
    taken: float, pause: float, gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, copied = 10.0, list[float]()

    def copy(array: object) -> np.ndarray:
        nonlocal now
        copied.append(now)
        now += taken
        return np.zeros((2, 2, 3))

    monkeypatch.setattr(kept, "to_host", copy)
    state = RunState()
    state.best = gpu.asarray(np.zeros((2, 2, 3)))
    watched = kept.Kept(state, lambda: now)
    for step in (0.0, 0.9 * pause, 0.1 * pause, 0.5 * pause, 0.6 * pause):
        now += step
        watched.look()
    assert copied == pytest.approx([10, 10 + taken + pause, 10 + 2 * taken + 2.1 * pause])


def test_where_the_device_fails_the_copy_is_the_picture(gpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    state = RunState()
    state.best, state.best_loss = gpu.asarray(np.full((2, 2, 3), 300.0)), 7.0
    watched = kept.Kept(state)
    watched.look()
    whole = kept.to_host

    def fails(array: object) -> np.ndarray:
        if not isinstance(array, np.ndarray):
            raise DeviceError("it fails")
        return whole(array)

    monkeypatch.setattr(kept, "to_host", fails)
    image, loss = watched.best()
    assert loss == 7
    assert image.dtype == np.float32
    assert image.max() == 255
