"""run/probe.py: the try leaves ``tracemalloc`` as it was."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from minstyle.network.vgg import Network
from minstyle.run import probe
from tests.support.observers import SHORT


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No tracing, and none of the threads that other tests may have left counts."""
    tracemalloc.stop()
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread()])
    yield
    tracemalloc.stop()


def test_tracing_is_not_stopped_while_other_threads_compute(
    tiny_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = "minstyle helper", "somebody's"
    for name, traced in zip(names, (False, True), strict=True):
        threads = [threading.current_thread(), threading.Thread(name=name)]
        monkeypatch.setattr(threading, "enumerate", lambda threads=threads: threads)
        measure(tiny_network)
        assert tracemalloc.is_tracing() == traced


def measure(network: Network) -> probe.Laws:
    return probe.measure(network, SHORT, (40, 50), [(40, 40)], pixels=40 * 50)


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
        assert tracemalloc.is_tracing()
        raise error

    monkeypatch.setattr(probe, "build_objective", broken)
    if traced:
        tracemalloc.start()
    with pytest.raises(error):
        measure(tiny_network)
    assert tracemalloc.is_tracing() == traced
