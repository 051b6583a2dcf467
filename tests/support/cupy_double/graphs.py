"""``Stream.begin_capture``: what is asked for while a stream records, and ``Graph.launch``, which does it all again.

On a device nothing is computed while it is recorded; here it is, and again at each launch, on the same memory. What
CuPy or CUDA refuses meanwhile is refused: waits, copies to and from the host, cuBLAS, cuSOLVER, sorting (by Thrust).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from . import making, reductions, shaping, solvers  # noqa: F401 - what is wrapped is there first
from .array import ndarray
from .device import CUDARuntimeError, Stream
from .ledger import LEDGER
from .modules import cupy, linalg, stride_tricks
from .raw_kernels import RawKernel
from .ufuncs import ufunc

Step = tuple[Callable[..., Any], Any, Any, Any]  # the function, its arguments, its result
_LIBRARIES = {linalg: ("eigh", "svd", "cholesky", "inv")}
_NOT_RECORDED = {"__new__", "__len__", "__iter__", "__repr__", "__array__", "__array_ufunc__", "__array_function__"}


class Recording:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.within = False  # what an outer call does by inner ones is recorded once
        self.spoiled = False

    def spoil(self, what: str) -> None:
        """As CUDA does: the recording is lost, and its end says so again."""
        self.spoiled = True
        raise CUDARuntimeError(f"cudaErrorStreamCaptureUnsupported: {what} while a stream is recorded")


class Graph:
    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps

    def launch(self, stream: Any = None) -> None:
        LEDGER.note("graph")
        counted, LEDGER.on = LEDGER.on, False
        try:
            for function, args, kwargs, result in self._steps:
                _write(result, function(*args, **kwargs))
        finally:
            LEDGER.on = counted


def _write(place: Any, made: Any) -> None:
    """What was made anew, to where it was made when it was recorded; a view is there already."""
    if isinstance(place, tuple):
        for one, other in zip(place, made, strict=True):
            _write(one, other)
    elif isinstance(place, ndarray) and place._a.ctypes.data != made._a.ctypes.data:
        place._a[...] = made._a


def _without_block(x: Any) -> Any:
    """An array of the same memory that does not count as in use: its pool may have it back, as on a device."""
    if isinstance(x, (list, tuple)):
        return type(x)(_without_block(each) for each in x)
    if not isinstance(x, ndarray):
        return x
    made: ndarray = object.__new__(ndarray)
    made._a, made._owner, made._block = x._a, None, None
    return made


def recorded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        recording = LEDGER.recording
        if recording is None or recording.within:
            return function(*args, **kwargs)
        recording.within = True
        try:
            result = function(*args, **kwargs)
        finally:
            recording.within = False
        kept = {name: _without_block(value) for name, value in kwargs.items()}
        recording.steps.append((function, _without_block(args), kept, _without_block(result)))
        return result

    return call


def _refused(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if LEDGER.recording is not None:
            raise NotImplementedError("calling a library during stream capture is currently unsupported")
        return function(*args, **kwargs)

    return call


def _begin_capture(self: Stream, mode: Any = None) -> None:
    LEDGER.recording = Recording()


def _end_capture(self: Stream) -> Graph:
    recording, LEDGER.recording = LEDGER.recording, None
    if recording.spoiled:
        raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed due to a previous error")
    return Graph(recording.steps)


Stream.begin_capture, Stream.end_capture = _begin_capture, _end_capture  # type: ignore[method-assign]
for _module, _names in _LIBRARIES.items():
    for _name in _names:
        setattr(_module, _name, _refused(getattr(_module, _name)))
_matmul = type(cupy.matmul)
_matmul.__call__ = _refused(_matmul.__call__)
for _kind in (ufunc, RawKernel):
    _kind.__call__ = recorded(_kind.__call__)  # type: ignore[method-assign]
for _module in (cupy, stride_tricks):
    for _name, _thing in list(vars(_module).items()):
        if inspect.isfunction(_thing) and not _name.startswith("_"):
            setattr(_module, _name, recorded(_thing))
for _name, _thing in list(vars(ndarray).items()):
    if inspect.isfunction(_thing) and _name not in _NOT_RECORDED:
        setattr(ndarray, _name, recorded(_thing))
