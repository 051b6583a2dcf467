"""The modules that stand in for CuPy's, and how the double's files put names into them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


class NotInDouble(NotImplementedError):  # noqa: N818 - it says what the double lacks, not what went wrong
    """CuPy has it, as far as is known; the double has not: add it, after a look at CuPy's source."""


class Undefined(AssertionError):  # noqa: N818
    """What the program does has no defined result on a GPU."""


cupy: Any = ModuleType("cupy", "A strict double of CuPy on the host: see tests.support.cupy_double.")
linalg: Any = ModuleType("cupy.linalg")
testing: Any = ModuleType("cupy.testing")
cuda: Any = ModuleType("cupy.cuda")
runtime: Any = ModuleType("cupy.cuda.runtime")
memory: Any = ModuleType("cupy.cuda.memory")
lib: Any = ModuleType("cupy.lib")
stride_tricks: Any = ModuleType("cupy.lib.stride_tricks")
MODULES = (cupy, linalg, testing, cuda, runtime, memory, lib, stride_tricks)

cupy.__version__ = "14.2.0+double"
cupy.__path__ = []  # a package, as far as imports are concerned
cupy.linalg, cupy.testing, cupy.cuda, cupy.lib = linalg, testing, cuda, lib
cuda.runtime, cuda.memory, lib.stride_tricks = runtime, memory, stride_tricks


def public(name: str, module: Any = cupy) -> Callable[[Any], Any]:
    """Put a function or class into the double under CuPy's name."""

    def put(thing: Any) -> Any:
        thing.__name__ = thing.__qualname__ = name
        thing.__module__ = module.__name__
        setattr(module, name, thing)
        return thing

    return put


def _missing(name: str) -> Any:
    raise AttributeError(f"the double has no cupy.{name}: look whether CuPy has it and what it does there, and add it")


cupy.__getattr__ = _missing
