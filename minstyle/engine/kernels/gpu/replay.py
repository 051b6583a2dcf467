"""A computation whose kernels are recorded once, as a CUDA graph, and then started all at once.

Small kernels take longer to start than to run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....backend import Array, is_cupy
from .memory import keeping
from .precision import precision

Function = Callable[[Array], tuple[Array, ...]]


class Replay:
    """``replay(function, x)`` is ``function(x)``, for many calls with arrays of one shape and type.

    On a device the second call records the function, in memory of its own, and later calls replay that; results are
    copies. A function that cannot be recorded, since it asks the device for a number or calls a library that does not
    allow it, is always called itself; so is one of NumPy arrays. It must do the same at each call: only the entries of
    the array may differ. One thread at a time.
    """

    def __init__(self, refused: str = "") -> None:
        self.pool: Any = None
        self._stream: Any = None
        self._graph: Any = None
        self._given: Any = None
        self._results: tuple[Array, ...] = ()
        self._kept: list[Array] = []  # that the graph reads, and that others made
        self._precision = ""
        self.refused = refused  # why it is not recorded

    def __call__(self, function: Function, x: Array) -> tuple[Array, ...]:
        if not is_cupy(x) or self.refused:
            return function(x)
        if self.pool is None or self._precision != precision():
            return self._first(function, x)
        if self._graph is None:
            self._record(function, x)
            if self.refused:
                return function(x)
        self._given[...] = x
        self._graph.launch()
        return tuple(result.copy() for result in self._results)

    def _first(self, function: Function, x: Array) -> tuple[Array, ...]:
        """Called as it is, but with the memory and the stream of the recording, which then finds memory at hand."""
        import cupy

        self.pool, self._graph, self._results, self._kept = None, None, (), []
        cupy.get_default_memory_pool().free_all_blocks()  # what made the targets: two pools cannot help each other
        pool, stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
        cupy.cuda.get_current_stream().synchronize()
        try:
            with cupy.cuda.using_allocator(pool.malloc), stream:
                results = function(x)
        finally:
            stream.synchronize()
        self.pool, self._stream, self._precision = pool, stream, precision()
        return tuple(result.copy() for result in results)

    def _record(self, function: Function, x: Array) -> None:
        import cupy

        given, results = x.copy(), ()
        try:
            with cupy.cuda.using_allocator(self._allocate), self._stream, keeping() as kept:
                self._stream.begin_capture()
                try:
                    results = function(given)
                finally:
                    graph = self._stream.end_capture()
        except (RuntimeError, NotImplementedError) as error:
            self.pool, self._stream = None, None
            self.refused = str(error).split("\n")[0] or type(error).__name__
        except BaseException:
            self.pool, self._stream = None, None  # begin anew, should it be called again
            raise
        else:
            self._given, self._results, self._graph, self._kept = given, results, graph, kept

    def _allocate(self, size: int) -> Any:
        """Memory of the pool, not at the cost of what the recording had before.

        Where a device has none left, a pool gives back its free blocks and tries again: among them are those that
        kernels recorded already will work in.
        """
        before = self.pool.total_bytes()
        block = self.pool.malloc(size)
        after = self.pool.total_bytes()
        if after != before and after - before < size:
            raise RuntimeError("the device has not memory enough for a recording")
        return block
