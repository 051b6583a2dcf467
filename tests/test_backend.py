"""backend.py: which library an array belongs to, and which device a run gets, with the double of CuPy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from minstyle.backend import CPU, Device, array_module, choose_device, device_errors, is_cupy, to_host
from minstyle.errors import DeviceError, DeviceMemoryError, ShapeError
from tests.support import cupy_double


@pytest.fixture
def cupy() -> Iterator[Any]:
    """The double of CuPy in CuPy's place."""
    with cupy_double.installed() as module:
        yield module


# Arrays


def test_numpy_arrays_and_numbers_belong_to_numpy() -> None:
    assert array_module(np.ones(3)) is np
    assert array_module(np.ones(3), np.float32(2), 3.0, None) is np
    assert array_module() is np


def test_cupy_arrays_belong_to_cupy(cupy: Any) -> None:
    device = cupy.ones(3)
    assert is_cupy(device)
    assert array_module(device) is cupy
    assert array_module(device, device) is cupy
    assert not is_cupy(np.ones(3))
    assert array_module(np.ones(3)) is np


@pytest.mark.parametrize("numpy_first", [True, False])
def test_arrays_of_both_libraries_in_one_call_are_refused(cupy: Any, numpy_first: bool) -> None:
    arrays = [np.ones(3), cupy.ones(3)]
    with pytest.raises(ShapeError, match="both NumPy and CuPy"):
        array_module(*(arrays if numpy_first else reversed(arrays)))


@pytest.mark.parametrize("number", [2.0, np.float64(2), np.array(2.0)], ids=["float", "NumPy number", "NumPy 0-d"])
def test_a_number_beside_a_cupy_array_is_no_mixture(cupy: Any, number: Any) -> None:
    assert array_module(number, cupy.ones(3)) is cupy


def test_a_module_that_is_no_cupy_disturbs_no_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # An empty folder of that name beside the user's pictures imports as an empty module.
    monkeypatch.setitem(sys.modules, "cupy", ModuleType("cupy"))
    assert array_module(np.ones(3)) is np
    np.testing.assert_array_equal(choose_device("auto").asarray([1.0, 2.0]), [1, 2])


def test_asking_never_imports_cupy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cupy.py").write_text("ndarray = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    assert array_module(np.ones(3)) is np
    assert not is_cupy(np.ones(3))
    to_host(np.ones(3))
    CPU.asarray(np.ones(3))
    choose_device("cpu")
    assert "cupy" not in sys.modules


def test_to_host_gives_a_numpy_array(cupy: Any) -> None:
    values = np.arange(6.0).reshape(2, 3)
    assert to_host(values) is values, "no copy"
    found = to_host(cupy.asarray(values))
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(to_host([1, 2]), [1, 2])


# Devices


def test_cpu_wants_nothing_and_says_nothing() -> None:
    assert choose_device("cpu") == Device("cpu", np, "")


def test_asarray_on_the_cpu_copies_only_when_it_must(cupy: Any) -> None:
    values = np.arange(3.0)
    assert CPU.asarray(values) is values
    assert CPU.asarray(values, np.float64) is values
    assert CPU.asarray(values, np.float32).dtype == np.float32
    from_device = CPU.asarray(cupy.asarray(values), np.float32)
    assert isinstance(from_device, np.ndarray)
    np.testing.assert_array_equal(from_device, values)


@pytest.mark.parametrize("wish", ["auto", "gpu"])
def test_a_working_card_is_chosen_and_named(cupy: Any, wish: str) -> None:
    device = choose_device(wish)
    assert (device.name, device.xp, device.note) == ("gpu", cupy, "the double of CuPy")
    moved = device.asarray(np.arange(3.0), np.float32)
    assert is_cupy(moved)
    assert moved.dtype == np.float32


@pytest.mark.usefixtures("cupy")
def test_a_working_card_is_left_alone_when_the_cpu_is_asked_for() -> None:
    assert choose_device("cpu").xp is np


def raising(error: Exception) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        raise error

    return function


def off_by(amount: float, function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: function(*args) + amount


NO_SOLVER = ImportError('Failure finding "libcusolver.so.12": No such file\n\n')
DOUBLE = cupy_double.cupy
# The place in CuPy, what is there instead, and what is said.
REFUSALS: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "no device": (DOUBLE, "is_available", lambda: False, "CuPy finds no CUDA device"),
    "no driver": (DOUBLE, "is_available", raising(RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is "
                  "insufficient\nsecond line")), "CUDA driver version is insufficient"),
    "no cuBLAS": (DOUBLE, "matmul", raising(RuntimeError("CUBLAS_STATUS_NOT_INITIALIZED\n  at line 1")),
                  "CUBLAS_STATUS_NOT_INITIALIZED"),
    "multiplies wrongly": (DOUBLE, "matmul", off_by(0.001, DOUBLE.matmul), "expected 2048, got 2048.1"),
    "no cuSOLVER": (DOUBLE.linalg, "eigh", raising(NO_SOLVER), 'ImportError: Failure finding "libcusolver.so.12"'),
    "solves wrongly": (DOUBLE.linalg, "eigh", lambda a: (a[0] + 0.5, a), "expected 3, got 1.5"),
}  # fmt: skip


@pytest.mark.parametrize(("place", "name", "instead", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_card_that_runs_could_not_use_is_a_no_with_the_reason(
    place: Any, name: str, instead: Callable[..., Any], reason: str, cupy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, instead)
    assert_refused(reason)


@pytest.mark.parametrize(("module", "reason"), [(None, "CuPy is not installed"), (ModuleType("cupy"), "is_available")])
def test_without_cupy_auto_takes_the_cpu_and_gpu_is_refused(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType | None, reason: str
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", module)
    assert_refused(reason)


def assert_refused(reason: str) -> None:
    device = choose_device("auto")
    assert (device.name, device.xp) == ("cpu", np)
    assert device.note.startswith("computing on the CPU: ")
    with pytest.raises(DeviceError) as caught:
        choose_device("gpu")
    for text in (device.note, str(caught.value)):
        assert reason in text
        assert len(text.splitlines()) == 1
    assert "--device cpu" in str(caught.value), "the next step"


# How CuPy itself tells it: a banner of several lines, and the reason at its end and as the cause.
CUPY_BANNER = """
try:
    raise ImportError("libcublas.so.12: cannot open shared object file")
except ImportError as error:
    raise ImportError(f"\\n====\\nFailed to import CuPy.\\n\\nOriginal error:\\n  {error}\\n====\\n") from error
"""
BROKEN_INSTALLATIONS = {
    "as CuPy tells it": CUPY_BANNER,
    "an empty first line": 'raise ImportError("\\nlibcublas.so.12: cannot open shared object file")',
    "a missing part": 'raise ModuleNotFoundError("No module named libcublas.so.12", name="cupy_backends")',
    "a driver's error": 'raise RuntimeError("Failed to load libcublas.so.12\\nsecond line")',
    "an exit code": 'raise OSError(2, "libcublas.so.12: cannot open shared object file")',
}


@pytest.mark.parametrize("source", BROKEN_INSTALLATIONS.values(), ids=BROKEN_INSTALLATIONS)
def test_a_cupy_that_does_not_load_is_not_called_absent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    (tmp_path / "cupy.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    device = choose_device("auto")
    assert device.name == "cpu"
    assert "not installed" not in device.note
    assert "libcublas.so.12" in device.note
    assert len(device.note.splitlines()) == 1


@pytest.mark.parametrize("wish", ["nonsense", "", "GPU", "tpu"])
def test_an_unknown_wish_is_refused_with_the_known_ones(wish: str) -> None:
    with pytest.raises(DeviceError, match=f"unknown device {wish!r}: choose auto, cpu or gpu"):
        choose_device(wish)


# Errors of the device


def of_module(name: str, base: type[Exception] = RuntimeError) -> type[Exception]:
    return type("Of", (base,), {"__module__": name})


@pytest.mark.parametrize("name", ["cupy.cuda.compiler", "cupy_backends.cuda.libs.cublas", "cupyx.cusolver"])
def test_an_error_of_the_device_is_told_in_one_line(name: str) -> None:
    line = r"^the GPU failed \(Of: CUBLAS_STATUS\); --device cpu computes without it$"
    with pytest.raises(DeviceError, match=line), device_errors():
        raise of_module(name)("CUBLAS_STATUS\nmore")


@pytest.mark.parametrize("error", [
    of_module("cupy.cuda.memory", MemoryError)("Out of memory allocating 8 bytes"),
    of_module("cupy_backends.cuda.libs.cublas")("CUBLAS_STATUS_ALLOC_FAILED"),
    of_module("cupy_backends.cuda.api.driver")("CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
], ids=str)  # fmt: skip
def test_a_lack_of_the_devices_memory_is_told_in_one_line(error: BaseException) -> None:
    with pytest.raises(DeviceMemoryError, match=rf"^the GPU's memory is used up \(Of: {error}\)$"), device_errors():
        raise error


@pytest.mark.parametrize("error", [
    RuntimeError("a bug"), MemoryError(), KeyboardInterrupt(), ShapeError("no"), of_module("cupyish")("no"),
], ids=lambda error: f"{type(error).__module__} {type(error).__name__}")  # fmt: skip
def test_other_errors_stay_what_they_are(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, device_errors():
        raise error
    assert caught.value is error
