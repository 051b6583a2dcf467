"""How kernels on a GPU multiply matrices of float32: a choice of the caller, for as long as he says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from ....backend import PRECISIONS
from ....errors import DeviceError, require

_precision: ContextVar[str] = ContextVar("precision", default="tf32")


@contextlib.contextmanager
def use_precision(name: str | None) -> Iterator[None]:
    """Within, kernels called from this thread multiply so: one of PRECISIONS, or None, as they did before.

    Raises DeviceError for another.
    """
    if name is None:
        yield
        return
    require(name in PRECISIONS, "precision", " or ".join(PRECISIONS), repr(name), DeviceError)
    token = _precision.set(name)
    try:
        yield
    finally:
        _precision.reset(token)


def precision() -> str:
    """How kernels called from this thread multiply."""
    return _precision.get()
