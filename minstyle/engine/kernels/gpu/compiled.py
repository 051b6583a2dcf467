"""The CUDA sources of this folder, compiled for the card at hand. All that is private to CuPy is in this file.

Each source is compiled when one of its kernels is first asked for, and the result kept in a cache on disk. PRODUCT
says how matrices are multiplied: see ``sources/products.cuh``.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from ....backend import Array
from ....errors import DeviceError, FileError, require
from ....files import replacing
from .precision import precision

_SOURCES = Path(__file__).parent / "sources"
_TF32_SINCE, _HOPPER = 80, 90  # compute capabilities
_on_compiling: ContextVar[Callable[[], None]] = ContextVar("on_compiling", default=lambda: None)
_Device = tuple[Any, int]  # by CuPy's module too: in tests its double has a device of the same number


def product() -> int:
    """How the current precision multiplies on the current card: 0 in float32, 1 by mma, 2 by wgmma."""
    if precision() == "fp32":
        return 0
    device = _device()
    capability = _capability(device)
    if capability == _HOPPER and _compiler(device) is not None:
        return 2
    return 1 if capability >= _TF32_SINCE else 0


def check_precision(name: str | None) -> None:
    """Raise DeviceError where the current card cannot multiply so."""
    capability = _capability(_device())
    if name == "fp16" and capability < _TF32_SINCE:
        major, minor = divmod(capability, 10)
        raise DeviceError(f"precision: fp16 needs a card of compute capability 8.0 or later, got {major}.{minor}; "
                          "try --precision fp32")  # fmt: skip


@contextlib.contextmanager
def on_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Within, ``tell()`` is called before the first kernel that is compiled for want of one in the caches on disk."""
    told = False

    def once() -> None:
        nonlocal told
        if not told:
            told = True
            tell()

    token = _on_compiling.set(once)
    try:
        yield
    finally:
        _on_compiling.reset(token)


class Narrow(enum.IntEnum):
    """Factors of 16 bits that a kernel multiplies, NARROW in ``sources/products.cuh``."""

    NONE, HALF, BFLOAT = range(3)


def kernel(source: str, name: str, shared: int = 0, narrow: Narrow = Narrow.NONE, options: tuple[str, ...] = ()) -> Any:
    """The kernel ``name`` of a source, for the current card and precision, with so much shared memory (bytes).

    ``options`` are the compiler's, beside those that follow from the rest.
    """
    return _kernel(source, name, product(), _device(), shared, (f"-DNARROW={int(narrow)}", *options))


def check(name: str, array: Array | None, shape: tuple[int, ...], dtype: Any = np.float32) -> None:
    """Raise ShapeError unless it is None or an array of that shape and type: kernels read what pointers lead to."""
    if array is not None and (tuple(array.shape) != shape or array.dtype != dtype):
        require(False, f"{name} of a kernel on a GPU", f"{shape} {np.dtype(dtype)}", f"{array.shape} {array.dtype}")


def launch(kernel: Any, grid: Sequence[int], threads: int, arguments: Sequence[Any], shared: int = 0) -> None:
    """Start it: arrays are passed as pointers (None as no pointer), ints as 32 bits, ``numpy.int64`` as such.

    A grid without blocks is no work.
    """
    if 0 in grid:
        return
    plain = tuple(np.uint64(0) if a is None else np.int32(a) if isinstance(a, (bool, int)) else a for a in arguments)
    kernel(tuple(grid), (threads,), plain, shared_mem=shared)


def blocks(count: int, size: int) -> int:
    """How many blocks of ``size`` cover ``count``."""
    return -(-count // size)


def multiprocessors() -> int:
    """How many blocks the current card runs side by side, at the least."""
    return _multiprocessors(_device())


def most_shared() -> int:
    """Bytes of shared memory that a block may have on the current card: 227 KB on Hopper, 99 on many, 64 on old."""
    return _most_shared(_device())


@functools.cache
def _kernel(source: str, name: str, product: int, device: _Device, shared: int, options: tuple[str, ...]) -> Any:
    alone = name if "ONLY" in sources_in_one(source) else ""  # the source takes long to compile as a whole
    function = _module(source, alone, product, device, options).get_function(name)
    if shared > 48 << 10:  # what CUDA allows unasked
        function.max_dynamic_shared_size_bytes = shared
    return function


@functools.cache
def _module(source: str, alone: str, product: int, device: _Device, options: tuple[str, ...]) -> Any:
    """The source compiled, or of its kernels only that which is named ``alone``."""
    library, text = device[0], sources_in_one(source)
    only = (f"-DONLY={alone}",) if alone else ()
    options = f"-DPRODUCT={product}", *options, "-std=c++17", *only
    nvrtc = _compiler(device)
    if product == 2:
        return library.RawModule(path=str(_for_hopper(source, text, options, nvrtc)))
    with _told((text, options, _capability(device)), nvrtc):
        return library.RawModule(code=text, options=options, backend="nvrtc")


@contextlib.contextmanager
def _told(marked: tuple[Any, ...], nvrtc: Any) -> Iterator[None]:
    """What is compiled within CuPy keeps in a cache of its own: an empty file in ours says that it is there."""
    path = None if nvrtc is None else _kept_at(marked, nvrtc, "seen")
    if path is not None and not path.exists():
        _on_compiling.get()()
    yield
    if path is not None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def _kept_at(marked: tuple[Any, ...], nvrtc: Any, ending: str) -> Path:
    """The place in the user's cache of what this version of the compiler makes of it."""
    import platformdirs

    mark = hashlib.sha256(repr((*marked, nvrtc.getVersion())).encode()).hexdigest()[:32]
    return Path(platformdirs.user_cache_dir("minstyle"), "kernels", f"{mark}.{ending}")


@functools.cache
def _compiler(device: _Device) -> Any:
    """CuPy's module of NVRTC, which names Hopper's own instructions; None where it is not as it was in CuPy 14."""
    try:
        from cupy_backends.cuda.libs import nvrtc

        nvrtc.getVersion()  # loads the library
        names = ("createProgram", "compileProgram", "getCUBIN", "getProgramLog", "destroyProgram", "NVRTCError")
        return nvrtc if all(hasattr(nvrtc, name) for name in names) else None
    except Exception:  # a broken installation fails in many ways
        return None


def _for_hopper(name: str, text: str, options: tuple[str, ...], nvrtc: Any) -> Path:
    """The file of the source compiled with Hopper's own instructions, which CuPy's public interface cannot name."""
    options = (*options, "--gpu-architecture=sm_90a", "--device-as-default-execution-space")
    path = _kept_at((text, options), nvrtc, "cubin")
    if path.exists():
        return path
    _on_compiling.get()()
    code = _compiled(name, text, options, nvrtc)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(code)
    except (OSError, FileError):  # no place to keep it: then it is compiled anew the next time
        path = Path(_folder().name, path.name)
        path.write_bytes(code)
    return path


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that is removed when the process ends: CuPy reads a file when its kernel is first started."""
    return tempfile.TemporaryDirectory()


def _compiled(name: str, text: str, options: tuple[str, ...], nvrtc: Any) -> bytes:
    program = nvrtc.createProgram(text, name, (), ())
    try:
        nvrtc.compileProgram(program, options)
        return bytes(nvrtc.getCUBIN(program))
    except nvrtc.NVRTCError as error:
        log = nvrtc.getProgramLog(program).strip().split("\n")[0]
        raise DeviceError(f"the GPU's compiler refuses {name} ({log}); --device cpu computes without it") from error
    finally:
        nvrtc.destroyProgram(program)


@functools.cache
def sources_in_one(name: str) -> str:
    """A source with the headers of its folder in place of their #include lines, each once."""
    seen: set[str] = set()

    def inline(name: str) -> str:
        if name in seen:
            return ""
        seen.add(name)
        text = (_SOURCES / name).read_text(encoding="utf-8").replace("#pragma once\n", "")
        return re.sub(r'#include "(.*)"\n', lambda found: inline(found[1]), text)

    return inline(name)


def _device() -> _Device:
    import cupy

    return cupy, int(cupy.cuda.runtime.getDevice())


@functools.cache
def _capability(device: _Device) -> int:
    library, number = device
    return int(library.cuda.Device(number).compute_capability)


@functools.cache
def _multiprocessors(device: _Device) -> int:
    library, number = device
    return int(library.cuda.runtime.getDeviceProperties(number)["multiProcessorCount"])


@functools.cache
def _most_shared(device: _Device) -> int:
    library, number = device
    return int(library.cuda.Device(number).attributes["MaxSharedMemoryPerBlockOptin"])


@contextlib.contextmanager
def common_memory() -> Iterator[None]:
    """What is made within may outlive who is at work, and others read it: not of his memory, and ready at the end."""
    import cupy

    with cupy.cuda.using_allocator(cupy.get_default_memory_pool().malloc):
        yield
    cupy.cuda.get_current_stream().synchronize()


def contiguous(array: Array) -> Array:
    """The array itself, or a copy whose entries lie one behind the other: kernels know no strides."""
    import cupy

    return cupy.ascontiguousarray(array)
