"""The most memory that a piece of work has at a time: traced once for all work that is alike, and remembered.

NumPy tells ``tracemalloc`` of its arrays, so that their peak is known exactly. But CPython (seen with 3.11.7) does not
free what it noted of the lines of code that allocate when tracing stops, 50 bytes each, so that a process which traces
each of its runs grows by 25 kB a run; it traces what all threads allocate; and to stop while they do may crash it.
Where there are other threads, a forked child, which has none of them, traces in this process's place.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import statistics
import sys
import threading
import tracemalloc
from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

Built = TypeVar("Built")
Numbers = tuple[int, ...]

_SECONDS = 60  # that a child may take
_TRIES = 4  # of work that other threads disturb
_SAME = 0.01  # part by which two tries may differ that nothing disturbed
_MOST = 10_000  # peaks that are remembered


class _Peaks:
    def __init__(self) -> None:
        self.known: dict[Hashable, Numbers] = {}
        self.lock = threading.Lock()  # of who traces


_peaks = _Peaks()


def peak_of(
    key: Hashable, build: Callable[[], Built], call: Callable[[Built], Numbers], forks: bool = True
) -> tuple[Built, Numbers]:
    """What ``build`` made; the bytes at the peak of ``call``, which is given that, over those before both, its result.

    Work of one ``key`` takes the same memory: it is traced once. From then on both are called, and the numbers of then
    are found again. ``forks``: whether a child can do it. A caller who traces with ``tracemalloc`` himself goes on
    tracing, but the peak that he reads is that since this try.
    """
    peaks = _peaks  # after a fork the child has another object
    if key not in peaks.known:
        with peaks.lock:
            if key not in peaks.known:
                found = _in_child(build, call) if forks and _others_compute() else None
                if found is None:
                    built, found, sure = _traced_peak(build, call)
                    if sure and len(peaks.known) < _MOST:
                        peaks.known[key] = found
                    return built, found
                peaks.known[key] = found
    built = build()
    call(built)
    return built, peaks.known[key]


def _in_child(build: Callable[[], Built], call: Callable[[Built], Numbers]) -> Numbers | None:
    """The numbers, found by a forked child; None where that cannot be done."""
    if sys.platform != "linux":  # elsewhere libraries do not outlive a fork, or there is none
        return None
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe:
        try:
            child = os.fork()
        except (OSError, DeprecationWarning, SystemError):  # Python 3.12 warns of threads, which may be an error
            os.close(writing)
            return None
        if child == 0:
            with contextlib.suppress(BaseException):
                found = json.dumps(_traced_peak(build, call)[1])
                os.write(writing, found.encode())
            os._exit(0)
        os.close(writing)
        try:
            answers = select.select([pipe], [], [], _SECONDS)[0]
            told = pipe.read() if answers else b""
        finally:
            with contextlib.suppress(OSError):  # somebody else may wait for children
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
    return tuple(map(int, json.loads(told))) if told else None


def _traced_peak(build: Callable[[], Built], call: Callable[[Built], Numbers]) -> tuple[Built, Numbers, bool]:
    """What ``build`` made, the numbers, and whether they are sure.

    Where there are other threads two tries have to agree; of four that do not a middle one counts.
    """
    tried: list[int] = []
    while True:
        alone = not _others_compute()
        with _traced():
            before = tracemalloc.get_traced_memory()[0]
            built = build()
            tracemalloc.reset_peak()
            result = call(built)
            peak = tracemalloc.get_traced_memory()[1] - before
        same = [other for other in tried if abs(other - peak) <= _SAME * peak]
        if same or (alone and not _others_compute()):
            return built, (min([peak, *same]), *result), True
        tried.append(peak)
        if len(tried) == _TRIES:
            return built, (statistics.median_low(tried), *result), False
        del built


@contextlib.contextmanager
def _traced() -> Iterator[None]:
    """Trace what is allocated; on the way out, by an error too, tracing is on only if it was before.

    Or if other threads are about: stopping meets their allocations half-way, and crashes.
    """
    traced_before = tracemalloc.is_tracing()
    try:
        tracemalloc.start()  # does nothing where the caller traces already
        yield
    finally:
        if not traced_before and not _others_compute():
            tracemalloc.stop()


def _others_compute() -> bool:
    """Whether there are threads beside this one, the kernels' helpers, which wait for work, and the bar's monitor."""
    others = (thread for thread in threading.enumerate() if thread is not threading.current_thread())
    return any(thread.name != "minstyle helper" and type(thread).__name__ != "TMonitor" for thread in others)


def _after_fork() -> None:
    """A child process has none of the other threads, of which one may hold the lock."""
    global _peaks
    known, _peaks = _peaks.known, _Peaks()
    _peaks.known.update(known)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
