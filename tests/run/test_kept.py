"""run/kept.py: how often the best image is copied from a device, and what is left of it where the device fails."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minstyle.backend import Device
from minstyle.errors import DeviceError, LostError
from minstyle.run import kept
from minstyle.run.observer import Observer
from minstyle.run.state import RunState
from minstyle.run.stylize import _go_back


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


class There:
    """The best image, on workers."""

    shape = 2, 2, 3

    def __init__(self) -> None:
        self.lost = False

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        if self.lost:
            raise LostError("a worker was lost")
        return np.full(self.shape, 5.0)


@pytest.mark.parametrize(("saved_at", "expected"), [(3.0, 3.0), (9.0, 7.0), (None, 7.0)])
def test_where_a_worker_is_lost_the_better_of_copy_and_checkpoint_is_the_best(
    saved_at: float | None, expected: float
) -> None:
    state, there = RunState(), There()
    state.best, state.best_loss = there, 7.0
    watched = kept.Kept(state)
    watched.look()
    state.best_loss, there.lost = 2.0, True  # of this one there is no copy
    saved = None if saved_at is None else dataclasses.replace(RunState(), best=np.zeros((2, 2, 3)), best_loss=saved_at)

    class Saved(Observer):
        def saved(self) -> RunState | None:
            return saved

    _go_back(state, watched, [Observer(), Saved()])
    assert state.best_loss == expected
    assert np.asarray(state.best).max() == (0 if expected == saved_at else 5)
    if saved is not None:
        saved.before, state.best, state.best_loss = 4, there, 2.0  # a round that was begun anew since
        _go_back(state, watched, [Saved()])
        assert state.best_loss == 7
