"""The threads of the kernels: nothing left behind, errors and interrupts handed on, forks, memory used again."""

from __future__ import annotations

import contextlib
import inspect
import multiprocessing
import os
import signal
import threading
import time
import warnings
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from minstyle import RECIPES, build_objective
from minstyle.engine import kernels
from minstyle.engine.kernels.cpu import threads
from minstyle.engine.kernels.cpu.threads import Workspace
from minstyle.network.vgg import Network
from tests.support.small import picture, random_weights


def normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def blas() -> list[int]:
    """Threads of NumPy's BLAS."""
    return [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas" and "numpy" in i["filepath"]]


def test_threads_leave_nothing_behind_and_hand_on_errors() -> None:
    def fail(task: int, work: Workspace) -> None:
        assert all(n == 1 for n in blas())
        if task == 3:
            raise ZeroDivisionError

    before = blas()
    for _ in range(50):
        with kernels.use_threads(3), pytest.raises(ZeroDivisionError):
            threads.run(fail, range(8))
    assert blas() == before


def test_helpers_are_used_again_and_none_works_on() -> None:
    at_work: set[str] = set()
    names: set[str] = set()

    def do(task: int, work: Workspace) -> None:
        name = threading.current_thread().name
        names.add(name)
        at_work.add(name)
        time.sleep(0.001)
        at_work.discard(name)

    alive = threading.active_count()
    for _ in range(30):
        with kernels.use_threads(3):
            threads.run(do, range(8))
        assert not at_work
    assert 1 < len(names) < 30  # no new ones for every call
    deadline = time.monotonic() + 20  # they sleep for a second, and then end
    while threading.active_count() > alive and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= alive


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_the_helpers() -> None:
    running = threading.Event()
    finished: list[int] = []

    def slow(task: int, work: Workspace) -> None:
        if threading.current_thread() is not threading.main_thread():
            running.set()
            time.sleep(0.5)
            finished.append(task)
        else:
            running.wait(5)
            time.sleep(0.05)

    def interrupt() -> None:
        running.wait(5)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    before = blas()
    sender = threading.Thread(target=interrupt)
    sender.start()
    with kernels.use_threads(2), pytest.raises(KeyboardInterrupt):
        threads.run(slow, range(2))
    sender.join()
    assert len(finished) == 1
    assert blas() == before


def test_fewer_threads_than_wanted_do_all_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    monkeypatch.setattr(threads, "_idle", deque())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with kernels.use_threads(4):
        threads.run(lambda task, work: done.append(task), range(9))
    assert done == list(range(9))


def within(frame: FrameType | None, *functions: Any) -> bool:
    """Whether one of the functions is being executed, from the frame outwards."""
    while frame is not None:
        if frame.f_code in [inspect.unwrap(function).__code__ for function in functions]:
            return True
        frame = frame.f_back
    return False


def test_any_number_of_interrupts_leaves_no_helper_at_work() -> None:
    """Ctrl-C every half millisecond, wherever in ``run`` it falls: what has begun is waited for."""
    at_work: set[int] = set()
    stop = threading.Event()

    def do(task: int, work: Workspace) -> None:
        if threading.current_thread() is not threading.main_thread():
            at_work.add(task)
            time.sleep(0.002)
            at_work.discard(task)

    def interrupt() -> None:
        while not stop.wait(0.0005):
            signal.raise_signal(signal.SIGINT)

    def handle(number: int, frame: FrameType | None) -> None:
        if within(frame, threads.run) and not within(frame, threads._single_threaded_blas):
            raise KeyboardInterrupt

    before, told, old = blas(), 0, signal.signal(signal.SIGINT, handle)
    sender = threading.Thread(target=interrupt)
    sender.start()
    try:
        for _ in range(60):
            with kernels.use_threads(4), contextlib.suppress(KeyboardInterrupt):
                threads.run(do, range(12))
                told -= 1
            told += 1
            assert not at_work
    finally:
        stop.set()
        sender.join()
        signal.signal(signal.SIGINT, old)
    assert told > 0
    assert blas() == before


def test_helpers_heed_the_callers_error_state() -> None:
    x, kernel = np.full((90, 90, 16), 1e38, dtype=np.float32), np.full((3, 3, 16, 16), 1e10, dtype=np.float32)
    with warnings.catch_warnings(), np.errstate(all="ignore"), kernels.use_threads(3):
        warnings.simplefilter("error")
        assert not np.isfinite(kernels.convolve(x, kernel, None)).all()


def test_convolutions_from_several_threads_at_once() -> None:
    x, kernel, arena = normal((40, 50, 16), 0), kernels.Kernel(normal((3, 3, 16, 16), 1)), kernels.Arena()
    expected = kernels.convolve(x, kernels.Kernel(normal((3, 3, 16, 16), 1)), None)

    def convolve(i: int) -> np.ndarray:
        with arena.use():
            return kernels.convolve(x, kernel, None)

    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(convolve, range(24)):
            np.testing.assert_array_equal(result, expected)


def child(connection: Connection, kernel: kernels.Kernel, x: np.ndarray) -> None:
    with kernels.use_threads(2):
        y = kernels.convolve(x, kernel, None)
    connection.send((blas(), y))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_forked_in_the_middle_of_a_convolution_can_convolve() -> None:
    x, kernel = normal((90, 90, 16), 0), kernels.Kernel(normal((3, 3, 16, 16), 1))
    expected, before = kernels.convolve(x, kernel, None), blas()
    context = multiprocessing.get_context("fork")
    found = []

    def fork(task: int, work: Workspace) -> None:
        here, there = context.Pipe()
        process = context.Process(target=child, args=(there, kernel, x))
        process.start()
        assert here.poll(60), "the child does not answer"
        found.append(here.recv())
        process.join()

    with kernels.use_threads(2):
        threads.run(fork, range(2))
    for threads_of_child, y in found:
        assert threads_of_child == before
        np.testing.assert_array_equal(y, expected)
    assert blas() == before


def test_an_objective_gives_the_same_bits_on_any_number_of_threads_and_again() -> None:
    network = Network(random_weights("vgg16", (16, 32, 160, 176, 176)))
    objective = build_objective(picture(96, 120), [picture(80, 100, 1)], RECIPES["document"], network)
    results = set()
    for count in (1, 2, 3, 7, 2):
        with kernels.use_threads(count):
            loss, gradient = objective(picture(96, 120, 2))
        results.add((loss, gradient.tobytes()))
    assert len(results) == 1


def buffers(arena: kernels.Arena) -> set[int]:
    return {id(b) for idle in arena._idle.values() for work in idle for b in work._buffers.values()}


def test_an_arena_hands_out_the_same_memory_again_and_goes_with_its_owner() -> None:
    kernel, arena = kernels.Kernel(normal((3, 3, 160, 176), 1)), kernels.Arena()
    large, small = normal((40, 50, 160), 0), normal((9, 6, 160), 2)
    found = []
    with arena.use(), kernels.use_threads(1):
        results = []
        for x in (large, small, large, small):
            results.append(kernels.convolve(x, kernel, None))
            found.append(buffers(arena))
    assert found[0]
    assert found[0] == found[1] == found[2] == found[3]
    for x, y in zip((large, small, large, small), results, strict=True):
        np.testing.assert_array_equal(y, kernels.convolve(x, kernel, None))
    memory = weakref.ref(next(iter(arena._idle.values()))[0])
    del arena
    assert memory() is None
