"""run/probe.py and run/peaks.py: memory is traced once for tries that are alike; tracing is left as it was."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import os
import platform
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minstyle.backend import Device
from minstyle.engine.kernels import use_threads
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run import peaks, probe
from minstyle.style.objective import Objective, build_objective
from tests.support.observers import SHORT
from tests.support.small import picture, random_weights


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No tracing, nothing remembered, and none of the threads that other tests may have left counts."""
    tracemalloc.stop()
    monkeypatch.setattr(peaks, "_peaks", peaks._Peaks())
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread()])
    yield
    tracemalloc.stop()


def measure(network: Network, recipe: Recipe = SHORT) -> probe.Laws:
    with use_threads(1):  # how many buffers two come to have is chance
        return probe.measure(network, recipe, (40, 50), [(40, 40)], pixels=40 * 50)


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An entry for each time that tracing was started."""
    found: list[None] = []
    start = tracemalloc.start

    def counted() -> None:
        found.append(None)
        start()

    monkeypatch.setattr(tracemalloc, "start", counted)
    return found


def test_what_is_alike_is_traced_once(tiny_network: Network, starts: list[None]) -> None:
    first = measure(tiny_network)
    channels = tuple(tiny_network._parameters[f"block{i}_conv1"][0].shape[3] for i in range(1, 6))
    alike = Network(random_weights("vgg19", channels, seed=3), dtype=tiny_network.dtype)
    heavier = dataclasses.replace(SHORT, style_weight=7.0, evaluations=(9,), sizes=(40,), seed=5)
    for laws in (measure(alike), measure(tiny_network, heavier)):
        assert (laws.least, laws.maps, laws.threads, laws.shared) == (
            first.least, first.maps, first.threads, first.shared)  # fmt: skip
        assert laws.seconds(10**6) > 0
    assert len(starts) == 1
    with use_threads(1):
        turned = probe.measure(tiny_network, SHORT, (50, 40), [(41, 40)], pixels=40 * 50)
    assert turned.least == first.least
    assert len(starts) == 1


@pytest.mark.parametrize("change", [
    {"pooling": "average"}, {"padding": "reflect"}, {"range_weight": 1.0}, {"style_weight": 0.0},
    {"terms": RECIPES["gatys"].terms},
], ids=str)  # fmt: skip
def test_what_is_not_alike_is_traced_again(tiny_network: Network, starts: list[None], change: dict[str, Any]) -> None:
    measure(tiny_network)
    measure(tiny_network, dataclasses.replace(SHORT, **change))
    assert len(starts) == 2


def test_an_objective_reads_no_more_of_a_recipe_than_tells_tries_apart(tiny_network: Network) -> None:
    """But for what are only numbers: a setting that an objective begins to read has to become part of the key."""
    read: set[str] = set()

    class Watched(Recipe):
        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    fields = {field.name: getattr(SHORT, field.name) for field in dataclasses.fields(Recipe)}
    recipe = Watched(**fields)
    read.clear()
    build_objective(picture(40, 40), [picture(40, 40, 1)], recipe, tiny_network)(picture(40, 40, 2))
    seen = {name for name in read if name in fields}
    try_ = probe._Try(tiny_network, recipe, (40, 40), [(40, 40)], 1.0, 0)
    read.clear()
    try_._alike()
    assert seen - {"blend", "units", "white"} <= read
    assert {"pooling", "padding", "terms"} <= seen


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc how much is allocated")
def test_estimating_again_and_again_takes_no_memory(tiny_network: Network) -> None:
    """Tracing each time took 25 kB a time."""
    for _ in range(2):
        measure(tiny_network)
    before = _allocated()
    for _ in range(6):
        measure(tiny_network)
    assert _allocated() - before < 6 * 5_000


def _allocated() -> int:
    """Bytes that the C library has given out."""

    class Info(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks",
                                                         "fsmblks", "uordblks", "fordblks", "keepcost")]  # fmt: skip

    gc.collect()
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Info
    info = mallinfo()
    return int(info.uordblks + info.hblkhd)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no child is forked")
def test_in_threads_too_what_a_try_takes_is_exact(tiny_network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tracing, which would slow them down and is not safe to stop, does not begin."""
    expected = measure(tiny_network)
    monkeypatch.undo()  # the threads count again
    monkeypatch.setattr(peaks, "_peaks", peaks._Peaks())
    busy, found = threading.Event(), []
    busy.set()

    def allocate() -> None:
        held: list[np.ndarray] = []
        while busy.is_set():
            held = [*held[-3:], np.ones(10**6)]
            time.sleep(0.001)

    threads = [threading.Thread(target=allocate),
               *(threading.Thread(target=lambda: found.append(measure(tiny_network))) for _ in range(3))]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    busy.clear()
    threads[0].join()
    assert [laws.least for laws in found] == [pytest.approx(expected.least, rel=0.1)] * 3
    assert len(peaks._peaks.known) == 1
    assert not tracemalloc.is_tracing()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no child is forked")
def test_a_child_that_fails_leaves_the_work_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = [threading.current_thread(), threading.Thread(name="somebody's")]
    monkeypatch.setattr(threading, "enumerate", lambda: threads)
    parent, called = os.getpid(), []

    def call(count: int) -> tuple[int]:
        called.append(os.getpid())
        if os.getpid() != parent:
            raise MemoryError
        return (int(np.ones(count, np.uint8).sum()),)

    built, (peak, result) = peaks.peak_of("fails in a child", lambda: 10**6, call)
    assert (built, result) == (10**6, 10**6)
    assert peak == pytest.approx(1e6, rel=0.1)
    assert set(called) == {parent}


def test_work_that_is_disturbed_is_traced_until_two_tries_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here by what a try itself takes: of 5, 3 and 3 MB, 3; where no two agree a middle one, which is not kept."""
    threads = [threading.current_thread(), threading.Thread(name="somebody's")]
    monkeypatch.setattr(threading, "enumerate", lambda: threads)

    def peak(key: str, *megabytes: int) -> float:
        left = iter(megabytes)
        numbers = peaks.peak_of(key, lambda: next(left), lambda n: (int(np.ones(n * 10**6, np.uint8)[0]),), False)[1]
        return round(numbers[0] / 1e6, 1)

    assert peak("agree", 5, 3, 3) == 3.0
    assert peak("agree", 9) == 3.0
    assert peak("differ", 9, 5, 3, 7) == 5.0
    assert peak("differ", 8, 8) == 8.0


def test_tracing_is_not_stopped_while_other_threads_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    names = "minstyle helper", "somebody's"
    for name, traced in zip(names, (False, True), strict=True):
        threads = [threading.current_thread(), threading.Thread(name=name)]
        monkeypatch.setattr(threading, "enumerate", lambda threads=threads: threads)
        monkeypatch.setattr(peaks, "_peaks", peaks._Peaks())
        peaks.peak_of("some work", lambda: None, lambda built: (), False)
        assert tracemalloc.is_tracing() == traced


@pytest.mark.parametrize("traced", [False, True], ids=["not traced", "traced by the caller"])
def test_tracing_goes_on_only_where_it_was_on(tiny_network: Network, traced: bool) -> None:
    if traced:
        tracemalloc.start()
    assert measure(tiny_network).maps > 0
    assert tracemalloc.is_tracing() == traced


@pytest.mark.parametrize("traced", [False, True], ids=["not traced", "traced by the caller"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_try_that_breaks_leaves_tracing_as_it_was(
    tiny_network: Network, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], traced: bool
) -> None:
    def broken(*args: object) -> None:
        if tracemalloc.is_tracing():
            raise error

    monkeypatch.setattr(probe.Objective, "__call__", broken)
    if traced:
        tracemalloc.start()
    with pytest.raises(error):
        measure(tiny_network)
    assert tracemalloc.is_tracing() == traced
    assert not peaks._peaks.lock.locked()


def test_on_a_device_calls_from_the_third_are_timed(gpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first prepares, the second records what the others replay."""
    calls, clock = list[float](), iter(range(100))
    evaluate = Objective.evaluate

    def counted(self: Objective, image: Any) -> Any:
        calls.append(next(clock))
        return evaluate(self, image)

    monkeypatch.setattr(Objective, "evaluate", counted)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    network = Network(random_weights("vgg19", (4, 4, 4, 4, 4)), gpu)
    for share in (0.5, 1.0):
        tried = probe._Try(network, SHORT, (40, 40), [(40, 40)], share, 0)
        calls.clear()
        tried.call() if share < 1 else tried.trace()
        assert len(calls) == 5
        assert tried.seconds == 2, "of a call, in its middle"
        assert next(clock) == calls[-1] + 2, "the last"
