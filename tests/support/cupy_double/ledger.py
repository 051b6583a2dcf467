"""What a device would have had to do, by kind of work and by the line of the program that asked for it."""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Ledger:
    """Counts while it is ``on``: launches of kernels, the bytes that they move, waits, copies to and from the host.

    A wait is whatever makes the program stand still until the device has done all that was asked of it before.
    While there is a ``fault``, the device answers to all that is asked with this error; or once, if not ``lasting``.
    """

    def __init__(self) -> None:
        self.on = False
        self.dry = False  # kernels of CUDA sources are counted, not computed: what they write stays what it was
        self.recording: Any = None  # of a stream: see ``graphs``
        self.fault: Exception | None = None
        self.lasting = True
        self.clear()

    def clear(self) -> None:
        self.launches: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.to_device: Counter[str] = Counter()
        self.to_host: Counter[str] = Counter()
        self.lines: dict[str, Counter[str]] = defaultdict(Counter)

    @contextmanager
    def counting(self) -> Iterator[Ledger]:
        """From zero, and only within."""
        self.clear()
        self.on = True
        try:
            yield self
        finally:
            self.on = False

    def note(
        self, kind: str, launches: int = 1, read: Iterable[np.ndarray] = (), written: Iterable[np.ndarray] = ()
    ) -> None:
        self._fail()
        if self.on:
            moved = sum(map(_extent, read)) + sum(a.nbytes for a in written)
            self.launches[kind] += launches
            self.bytes[kind] += moved
            self.lines[_line()].update({"launches": launches, "bytes": moved})

    def copied(self, to_device: int) -> None:
        """From the host, which goes on meanwhile: CuPy copies by way of pinned memory."""
        self._fail("a copy from the host")
        if self.on:
            self.to_device["array of the host"] += to_device
            self.lines[_line()].update({"copied to device": 1})

    def wait(self, kind: str, to_host: int = 0, to_device: int = 0) -> None:
        self._fail(kind)
        if self.on:
            self.waits[kind] += 1
            self.to_host[kind] += to_host
            self.to_device[kind] += to_device
            self.lines[_line()].update({f"wait: {kind}": 1})

    def _fail(self, standing_still: str = "") -> None:
        error = self.fault
        if standing_still and self.recording is not None:
            self.recording.spoil(standing_still)
        if error is not None:
            self.fault = error if self.lasting else None
            raise error

    def where(self, what: str) -> str:
        """The lines that asked for it, with how often, most often first: for messages."""
        found = {line: counted for line, counter in self.lines.items() for name, counted in counter.items()
                 if name.startswith(what)}  # fmt: skip
        return "\n".join(f"{line} {count}" for line, count in sorted(found.items(), key=lambda pair: -pair[1]))


LEDGER = Ledger()


def _line() -> str:
    """The innermost line outside of the double and of NumPy."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        name = os.path.abspath(frame.f_code.co_filename)
        if not name.startswith(_HERE) and f"{os.sep}numpy{os.sep}" not in name:
            return f"{os.sep.join(name.split(os.sep)[-2:])}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


def _extent(a: np.ndarray) -> int:
    """The bytes of memory that an array's entries lie in: what is repeated by strides counts once."""
    if not a.size:
        return 0
    span = sum(abs(s) * (n - 1) for s, n in zip(a.strides, a.shape, strict=True)) + a.itemsize
    return min(span, a.nbytes)
