"""What the tests of a device run on: a GPU where one answers, else the double of CuPy; and it is always told which."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minstyle.backend import Device, choose_device
from minstyle.engine.kernels import use_precision
from tests.support import cupy_double

_FOUND = choose_device("auto")
REAL = _FOUND.name == "gpu"
NAME = "cupy" if REAL else "double"  # in the tests' ids
_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def device() -> Iterator[Device]:
    """The device to test. Without a GPU ``import cupy`` gives the double within, and what it gave before afterwards.

    It multiplies in float32 throughout, to be compared with the CPU, unless a test asks for another precision.
    """
    with use_precision("fp32"):
        if REAL:
            yield _FOUND
        else:
            with cupy_double.installed():
                yield choose_device("gpu")


def environment() -> dict[str, str]:
    """The environment in which a child process finds that device."""
    folders = [_ROOT] if REAL else [cupy_double.SHIM, _ROOT]
    paths = [*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def description() -> str:
    if not REAL:
        return "the double of CuPy, no device"
    return f"{_FOUND.note}, CuPy {sys.modules['cupy'].__version__}"
