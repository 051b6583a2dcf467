"""``cupy.RawModule``: CUDA sources run on the processor, compiled by g++ with tests/support/cuda/cuda_on_cpu.h."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .array import ndarray
from .device import Device
from .ledger import LEDGER
from .modules import NotInDouble, Undefined, public

_HEADER = Path(__file__).resolve().parents[1] / "cuda" / "cuda_on_cpu.h"
_FOLDER = Path(tempfile.gettempdir(), f"minstyle_kernels_{os.getuid() if hasattr(os, 'getuid') else 0}")
_UNASKED = 48 << 10  # bytes of shared memory that CUDA gives without being asked for more
_MOST = Device.attributes["MaxSharedMemoryPerBlockOptin"]
_ITEMS = {"float": np.float32, "unsigned short": np.uint16, "unsigned char": np.uint8, "double": np.float64}
_TYPES = {"int": ctypes.c_int32, "long long": ctypes.c_int64, "float": ctypes.c_float,
          "double": ctypes.c_double}  # fmt: skip
_NUMBERS = {"int": np.int32, "long long": np.int64, "float": np.float32, "double": np.float64}


@public("RawKernel")
class RawKernel:
    def __init__(self, function: Any, name: str, parameters: Sequence[str]) -> None:
        self.name, self._function, self._parameters = name, function, parameters
        self.max_dynamic_shared_size_bytes = _UNASKED

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0, stream: Any = None) -> None:
        if shared_mem > self.max_dynamic_shared_size_bytes or shared_mem > _MOST:
            raise ValueError(f"{self.name}: {shared_mem} bytes of shared memory, not asked for or not there")
        if len(args) != len(self._parameters):
            raise Undefined(f"{self.name} takes {len(self._parameters)} arguments, got {len(args)}")
        if min(*grid, *block) < 1 or max(grid[1:], default=1) > 65535:
            raise ValueError(f"{self.name}: a grid of {grid} blocks of {block}")
        passed = [self._argument(p, a) for p, a in zip(self._parameters, args, strict=True)]
        LEDGER.note(self.name, 1, [], [a for a in args if isinstance(a, ndarray)])
        if not LEDGER.dry:
            self._function(*(*grid, 1, 1)[:3], block[0], shared_mem, *passed)

    def _argument(self, parameter: str, value: Any) -> Any:
        words = parameter.replace("*", " * ").replace("const ", "").split()[:-1]
        if "*" not in words:
            kind = " ".join(words)
            if type(value) is not _NUMBERS[kind]:
                raise Undefined(f"{self.name}: {parameter} is given as {type(value).__name__}")
            return _TYPES[kind](value.item())
        if not isinstance(value, ndarray):
            if type(value) is not np.uint64 or value != 0:
                raise Undefined(f"{self.name}: {parameter} is given {value!r}")
            return None
        if not value.flags.c_contiguous or value.dtype != _ITEMS[" ".join(words[:-1])]:
            raise Undefined(f"{self.name}: {parameter} is given strides {value.strides} of {value.dtype}")
        return ctypes.c_void_p(value.data.ptr)


@public("RawModule")
class RawModule:
    def __init__(self, *, code: str | None = None, path: str | None = None, options: tuple[str, ...] = (),
                 backend: str = "nvrtc", name_expressions: Any = None) -> None:  # fmt: skip
        if code is None or path is not None or name_expressions is not None or backend != "nvrtc":
            raise NotInDouble("RawModule of anything but code")
        self._library, self._kernels = _compiled(code, options)

    def get_function(self, name: str) -> RawKernel:
        return RawKernel(getattr(self._library, f"launch_{name}"), name, self._kernels[name])


def _need_compiler() -> None:
    if shutil.which("g++") is None or sys.platform == "win32":
        pytest.skip("CUDA sources run on the processor where there is g++")


@functools.cache
def _compiled(code: str, options: tuple[str, ...]) -> tuple[Any, dict[str, list[str]]]:
    """The library of a source's kernels, each as a function ``launch_NAME``, and their parameters."""
    _need_compiler()
    options = tuple(option for option in options if not option.startswith(("-DPRODUCT", "-DONLY")))
    source = _HEADER.read_text(encoding="utf-8") + code
    seen = subprocess.run(["g++", "-E", "-P", "-x", "c++", *options, "-"], input=source, text=True, check=True,
                          capture_output=True).stdout  # fmt: skip
    found = re.findall(r'extern "C"\s+void\s+(\w+)\s*\(([^)]*)\)\s*{', seen)
    kernels = {name: [" ".join(p.split()) for p in parameters.split(",")] for name, parameters in found}
    for name, parameters in kernels.items():
        names = ", ".join(p.split()[-1].lstrip("*") for p in parameters)
        source += (
            f'\nextern "C" void launch_{name}(int gx, int gy, int gz, int threads, size_t bytes, '
            f"{', '.join(parameters)}) "
            f"{{ on_cpu::launch({{gx, gy, gz}}, threads, bytes, [=] {{ {name}({names}); }}); }}"
        )
    mark = hashlib.sha256(repr((source, options)).encode()).hexdigest()[:24]
    library = _FOLDER / f"{mark}.so"
    if not library.exists():
        _FOLDER.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
            written, made = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
            written.write_text(source, encoding="utf-8")
            flags = ["-O3", "-march=native", "-w", "-shared", "-fPIC", "-std=c++17", *options]
            subprocess.run(["g++", *flags, str(written), "-o", str(made)], check=True)
            os.replace(made, library)
    loaded = ctypes.CDLL(str(library))
    for name, parameters in kernels.items():
        kinds = [ctypes.c_void_p if "*" in p else _TYPES[" ".join(p.split()[:-1])] for p in parameters]
        function = getattr(loaded, f"launch_{name}")
        function.argtypes, function.restype = [*[ctypes.c_int] * 4, ctypes.c_size_t, *kinds], None
    return loaded, kernels
