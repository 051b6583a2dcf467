"""How much memory is allocated."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Iterator


@contextlib.contextmanager
def peak_memory(below: float) -> Iterator[None]:
    """Fails if more than ``below`` bytes are allocated at once inside."""
    tracemalloc.start()
    tracemalloc.reset_peak()  # it may have been on
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < below, f"{peak / 1e6:.0f} MB"
