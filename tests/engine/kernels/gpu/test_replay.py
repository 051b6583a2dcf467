"""engine/kernels/gpu/replay.py: a computation recorded once gives what it gives when called."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from minstyle.backend import Device, array_module, to_host
from minstyle.engine import kernels
from tests.support import cupy_double
from tests.support.cupy_double.pools import MEMORY


def twice(x: Any) -> tuple[Any, Any]:
    return x * 2, (x * x).sum()


def test_results_are_those_of_the_function_and_stay_as_they_are(gpu: Device) -> None:
    replay, kept = kernels.Replay(), []
    for i in range(5):
        x = gpu.asarray(np.arange(6, dtype=np.float32) + i)
        kept.append((x, replay(twice, x)))
    for x, found in kept:
        for one, other in zip(found, twice(x), strict=True):
            np.testing.assert_array_equal(to_host(one), to_host(other))
    assert not replay.refused


def test_what_asks_the_device_for_a_number_is_called_itself(gpu: Device) -> None:
    def asks(x: Any) -> tuple[Any]:
        return (x * float(x.sum()),)

    replay = kernels.Replay()
    for i in range(4):
        x = gpu.asarray(np.arange(4, dtype=np.float32) + i)
        np.testing.assert_array_equal(to_host(replay(asks, x)[0]), to_host(asks(x)[0]))
    assert replay.refused


def test_numpy_arrays_are_passed_on() -> None:
    replay, x = kernels.Replay(), np.arange(3.0)
    assert array_module(*replay(twice, x)) is np
    assert not replay.refused


def test_a_call_that_fails_leaves_nothing_half_made(gpu: Device) -> None:
    """Not in the first, which prepares, and not in the second, which records."""
    replay, x = kernels.Replay(), gpu.asarray(np.arange(4, dtype=np.float32))
    calls = 0

    def fails_twice(x: Any) -> tuple[Any]:
        nonlocal calls
        calls += 1
        if calls in (1, 3):
            raise MemoryError
        return (x * 3,)

    found = []
    for _ in range(6):
        try:
            found.append(replay(fails_twice, x)[0])
        except MemoryError:
            found.append(None)
    assert sum(result is None for result in found) == 2
    for result in found:
        if result is not None:
            np.testing.assert_array_equal(to_host(result), [0, 3, 6, 9])


def test_memory_that_kernels_were_recorded_to_work_in_is_not_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call takes more than the first, where no more is there: the pool gives back what it can."""
    with cupy_double.installed() as cupy:
        monkeypatch.setattr(MEMORY, "total", MEMORY.total)
        replay, x, most, calls = kernels.Replay(), cupy.ones(1000), 1000, 0

        def grows(x: Any) -> tuple[Any]:
            nonlocal calls
            calls += 1
            first = x * 2
            total = first.sum()
            del first
            return (cupy.zeros(most if calls == 2 else 10).sum() + total,)

        replay(grows, x)
        gc.collect()
        cupy.get_default_memory_pool().free_all_blocks()
        MEMORY.total -= MEMORY.free() - 40_000
        most = 4500
        assert float(replay(grows, x)[0]) == 2000
    assert "memory enough" in replay.refused
