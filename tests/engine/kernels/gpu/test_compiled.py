"""engine/kernels/gpu/compiled.py: what is kept for a device, and Hopper's compiler, which is private to CuPy."""

from __future__ import annotations

import gc
import sys
import weakref
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import platformdirs
import pytest

from minstyle.engine import kernels
from minstyle.engine.kernels.gpu import compiled
from minstyle.engine.kernels.gpu.convolution import Packed
from minstyle.errors import DeviceError
from tests.support import cupy_double


class RefusedError(Exception):
    """As NVRTC's."""


class Hopper:
    """CuPy's names on a card of 2022, as far as ``compiled`` asks for them."""

    Device = SimpleNamespace(compute_capability="90")

    def __init__(self, refuses: str = "") -> None:
        self.refuses, self.compiled = refuses, list[tuple[str, ...]]()
        self.cupy, self.nvrtc = ModuleType("cupy"), ModuleType("nvrtc")
        runtime = SimpleNamespace(getDevice=lambda: 0)
        vars(self.cupy).update(
            cuda=SimpleNamespace(Device=lambda number: self.Device, runtime=runtime),
            RawModule=lambda path=None, **code: SimpleNamespace(get_function=lambda name: (path, name)),
        )
        vars(self.nvrtc).update(
            getVersion=lambda: (12, 4), createProgram=lambda *given: 1, destroyProgram=lambda program: None,
            compileProgram=self.compile, getCUBIN=lambda program: b"code", NVRTCError=RefusedError,
            getProgramLog=lambda program: "line 3: no such thing\nmore",
        )  # fmt: skip

    def compile(self, program: int, options: tuple[str, ...]) -> None:
        self.compiled.append(options)
        if self.refuses:
            raise RefusedError(self.refuses)


@pytest.fixture
def hopper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hopper:
    made = Hopper()
    libs = ModuleType("libs")
    vars(libs).update(nvrtc=made.nvrtc)
    monkeypatch.setitem(sys.modules, "cupy", made.cupy)
    for name in ("cupy_backends", "cupy_backends.cuda"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs", libs)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache"))
    return made


def test_a_card_and_the_double_in_one_process_keep_their_own(hopper: Hopper) -> None:
    with kernels.use_precision("tf32"):
        assert compiled.product() == 2
        with cupy_double.installed():
            assert compiled.product() == 1
        assert compiled.product() == 2


@pytest.mark.parametrize("missing", ["getCUBIN", "the library"])
def test_where_its_private_compiler_is_not_as_it_was_hopper_multiplies_as_others(hopper: Hopper, missing: str) -> None:
    if missing == "the library":
        hopper.nvrtc.getVersion = lambda: ctypes_error()  # type: ignore[attr-defined]
    else:
        delattr(hopper.nvrtc, missing)
    with kernels.use_precision("tf32"):
        assert compiled.product() == 1


def ctypes_error() -> None:
    raise OSError("libnvrtc.so.12: cannot open shared object file")


def test_a_source_is_compiled_once_and_kept(hopper: Hopper, tmp_path: Path) -> None:
    with kernels.use_precision("tf32"):
        path, name = compiled.kernel("gram.cu", "gram_parts")
        compiled.kernel("gram.cu", "gram_sum")
    assert name == "gram_parts"
    assert Path(path).parent == tmp_path / "cache" / "kernels"
    assert Path(path).read_bytes() == b"code"
    (options,) = hopper.compiled
    assert {"-DPRODUCT=2", "--gpu-architecture=sm_90a"} <= set(options)


def test_without_a_cache_the_file_goes_with_the_process(hopper: Hopper, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with kernels.use_precision("tf32"):
        path, _ = compiled.kernel("gram.cu", "gram_parts")
    assert Path(path).read_bytes() == b"code"
    assert Path(path).parent == Path(compiled._folder().name)


def test_what_the_compiler_refuses_is_a_line(hopper: Hopper) -> None:
    hopper.refuses = "1"
    with kernels.use_precision("tf32"), pytest.raises(DeviceError, match=r"refuses dots.cu \(line 3: no such thing\)"):
        compiled.kernel("dots.cu", "dot_parts")


def test_a_packed_kernel_is_kept_once_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may read it; where the wait fails, nobody does."""
    with cupy_double.installed() as cupy:
        packed = Packed(cupy.asarray(np.ones((1, 1, 8, 64), np.float32)), False, lasting=True)

        def wait(self: Any) -> None:
            assert not packed._packed
            raise RuntimeError("it fails")

        with monkeypatch.context() as context:
            context.setattr(cupy.cuda.Stream, "synchronize", wait)
            with pytest.raises(RuntimeError, match="it fails"):
                packed.tiles(64, False)
        assert not packed._packed
        assert packed.tiles(64, False) is packed.tiles(64, False)


def test_of_one_precision_at_a_time_packed_kernels_are_kept_and_by_a_recording_for_as_long_as_it_lives() -> None:
    """Of two objectives with one network the first may be replayed after the second had them packed otherwise."""
    with cupy_double.installed() as cupy:
        kernel = kernels.Kernel(cupy.asarray(np.ones((1, 1, 8, 64), np.float32)))
        x = cupy.asarray(np.ones((2, 3, 8), np.float32))
        forth = kernel.packed[0]

        def function(x: Any) -> tuple[Any]:
            return (kernels.convolve(x, kernel, None),)

        recorded, other = kernels.Replay(), kernels.Replay()
        with kernels.use_precision("tf32"):
            for _ in range(2):
                recorded(function, x)
        assert [kind[1] for kind in forth._packed] == [True]
        first = weakref.ref(next(iter(forth._packed.values())))
        with kernels.use_precision("fp32"):
            other(function, x)
        assert [kind[1] for kind in forth._packed] == [False]
        gc.collect()
        assert first() is not None, "the graph reads it"
        with kernels.use_precision("fp32"):
            recorded(function, x)
        gc.collect()
        assert first() is None


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_what_is_compiled_is_told_once_and_what_is_kept_is_not(precision: str, hopper: Hopper) -> None:
    """In float32 CuPy compiles and keeps it, for Hopper's own instructions we do."""
    told: list[str] = []
    for process in ("first", "second"):
        compiled._module.cache_clear()
        compiled._kernel.cache_clear()
        with kernels.use_precision(precision), kernels.on_compiling(partial(told.append, process)):
            for source, name in (("gram.cu", "gram_parts"), ("gram.cu", "gram_sum"), ("dots.cu", "dot_parts")):
                compiled.kernel(source, name)
    assert told == ["first"]


def test_of_a_source_that_takes_long_only_the_kernel_asked_for_is_compiled(hopper: Hopper) -> None:
    with kernels.use_precision("tf32"):
        for name in ("convolve_64_1", "product_64_1"):
            compiled.kernel("convolution.cu", name)
    assert [options[-3] for options in hopper.compiled] == ["-DONLY=convolve_64_1", "-DONLY=product_64_1"]
