"""A process that is forked while another thread paints can paint itself: no lock of ours is held then."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import minstyle
from minstyle import Recipe, stylize
from minstyle.network import projection
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.presets import RECIPES
from minstyle.style.features import Features
from tests.support.small import picture

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

RECIPE: Recipe = dataclasses.replace(RECIPES["johnson"], sizes=(32,), evaluations=(2,), init="content")


def ended_well(do: Callable[[], object]) -> bool:
    """Whether ``do`` returns in a forked child within ten seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Python 3.12 on: that forking beside threads may hang
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(10)
        code = 1
        try:
            do()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status == 0


def test_a_fork_in_the_middle_of_a_statistic(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Python 3.11 functools.cached_property holds a lock then, for all objects of the class."""
    inside, leave = threading.Event(), threading.Event()

    def slow(f: np.ndarray, weights: object) -> float:
        if f[0, 0, 0] == 1:
            inside.set()
            leave.wait(30)
        return 0.0

    monkeypatch.setattr(projection, "raw_moment", slow)
    thread = threading.Thread(target=lambda: Features(np.ones((1, 1, 1))).raw)
    thread.start()
    assert inside.wait(10)
    try:
        assert ended_well(lambda: Features(np.zeros((1, 1, 1))).raw)
    finally:
        leave.set()
        thread.join()


def test_forks_while_another_thread_paints(tiny_weights: Weights) -> None:
    network = Network(tiny_weights)
    ended = threading.Event()

    def paint() -> None:
        stylize(picture(32, 32), [picture(36, 32, 1)], RECIPE, network=network)

    def paint_on() -> None:
        while not ended.is_set():
            paint()

    paint()
    thread = threading.Thread(target=paint_on)
    thread.start()
    try:
        assert [ended_well(paint) for _ in range(6)] == [True] * 6
    finally:
        ended.set()
        thread.join()


def test_nothing_is_cached_under_a_lock() -> None:
    texts = {path.name: path.read_text() for path in Path(minstyle.__file__).parent.rglob("*.py")}
    assert [name for name, text in texts.items() if re.search(r"(import|@|functools\.)\s*cached_property", text)] == []
