"""Where the double differs from the real CuPy, which has to be installed and needs no device for it.

    python -m tests.support.cupy_double.check

prints names that CuPy has not, other signatures, other loops, and ends with 1 where there are any.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

from . import modules
from .ufuncs import ufunc

_MODULES = [module for module in modules.MODULES if module is not modules.lib]
_OF_CLASSES = {"__array_priority__", "__slots__", "__firstlineno__", "__static_attributes__", "__weakref__",
               "__annotations__", "__annotate_func__", "__annotations_cache__"}  # fmt: skip


def differences() -> list[str]:
    if importlib.import_module("cupy") is modules.cupy:
        raise RuntimeError("the double is installed: no real CuPy to compare with")
    found = []
    for ours in _MODULES:
        theirs = importlib.import_module(ours.__name__)
        for name, thing in sorted(vars(ours).items()):
            if not name.startswith("_") and not isinstance(thing, ModuleType):
                path = f"{ours.__name__}.{name}"
                found += _compared(path, thing, getattr(theirs, name)) if hasattr(theirs, name) else [_absent(path)]
    return found + _methods(modules.cupy.ndarray, importlib.import_module("cupy").ndarray)


def _absent(name: str) -> str:
    return f"{name}: CuPy has no such name"


def _compared(name: str, ours: Any, theirs: Any) -> list[str]:
    if isinstance(ours, ufunc):
        loops = [loop for loop in theirs.types if not set(loop) & set("EFDGV")]  # complex numbers: not in the double
        return [] if loops == ours.types else [f"{name}: loops {ours.types}, not {loops}"]
    if isinstance(ours, type) and issubclass(ours, Exception):
        own, wanted = (f"{kind.__module__}, a {kind.__base__}" for kind in (ours, theirs))
        return [] if own == wanted else [f"{name}: of {own}, not {wanted}"]
    if not inspect.isfunction(ours):
        return []
    try:
        wanted = _plain(inspect.signature(theirs))
    except (TypeError, ValueError):  # compiled, and it does not say
        return []
    own = _plain(inspect.signature(ours))
    return [] if own == wanted else [f"{name}{own}, not {wanted}"]


def _methods(ours: Any, theirs: Any) -> list[str]:
    """Of the array; compiled methods tell their signature in the first line of their docstring, if at all."""
    found = []
    for name in sorted(set(dir(ours)) - _OF_CLASSES):
        if (name.startswith("_") and not name.endswith("__")) or name.startswith("__r"):
            continue
        if not hasattr(theirs, name):
            found.append(_absent(f"ndarray.{name}"))
            continue
        method, first = getattr(ours, name), (getattr(theirs, name).__doc__ or "").split("\n")[0]
        if inspect.isfunction(method) and not name.startswith("__") and "(self" in first:
            told = first[first.index("(") : first.rindex(")") + 1]
            for kind in ("int ", "Py_ssize_t ", "_ndarray_base "):
                told = told.replace(kind, "")
            if _plain(inspect.signature(method)) != told:
                found.append(f"ndarray.{name}{_plain(inspect.signature(method))}, not {told}")
    return found


def _plain(signature: inspect.Signature) -> str:
    """Names and defaults, without types."""
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return text.replace("<class 'float'>", "float")


if __name__ == "__main__":
    lines = differences()
    print("\n".join(lines) or "no differences")
    sys.exit(bool(lines))
