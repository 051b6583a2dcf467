"""backend.py: which library an array belongs to, and which device a run gets, with stand-ins for CuPy."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minstyle.backend import CPU, Device, array_module, choose_device, is_cupy, to_host
from minstyle.errors import DeviceError, ShapeError


class FakeArray:
    """An array "on the device": knows enough for the check that a device computes."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    @property
    def ndim(self) -> int:
        return self.values.ndim

    def get(self) -> np.ndarray:
        return self.values

    def __matmul__(self, other: FakeArray) -> FakeArray:
        return FakeArray(self.values @ other.values)

    def __mul__(self, factor: float) -> FakeArray:
        return FakeArray(self.values * factor)

    def sum(self) -> Any:
        return self.values.sum()


class WrongArray(FakeArray):
    """Its products are wrong by a little."""

    def __matmul__(self, other: FakeArray) -> FakeArray:
        return FakeArray(self.values @ other.values + 0.001)


class BrokenArray(FakeArray):
    def __matmul__(self, other: FakeArray) -> FakeArray:
        raise RuntimeError("cublasCreate failed: CUBLAS_STATUS_NOT_INITIALIZED\n  at line 1\n  at line 2")


def fake_cupy(array: type[FakeArray] = FakeArray, available: Any = lambda: True) -> ModuleType:
    properties = SimpleNamespace(getDeviceProperties=lambda index: {"name": b"Test Card 9000"})
    module: Any = ModuleType("cupy")
    module.ndarray, module.float32 = FakeArray, np.float32
    module.is_available = available
    module.ones = lambda shape, dtype: array(np.ones(shape, dtype))
    module.asarray = lambda values, dtype=None: FakeArray(np.asarray(to_host(values), dtype))
    module.cuda = SimpleNamespace(runtime=properties)
    return module


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = fake_cupy()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def not_available() -> bool:
    raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient\nsecond line")


# Arrays


def test_numpy_arrays_and_numbers_belong_to_numpy() -> None:
    assert array_module(np.ones(3)) is np
    assert array_module(np.ones(3), np.float32(2), 3.0, None) is np
    assert array_module() is np


def test_cupy_arrays_belong_to_cupy(cupy: ModuleType) -> None:
    device = FakeArray(np.ones(3))
    assert is_cupy(device)
    assert array_module(device) is cupy
    assert array_module(device, device) is cupy
    assert not is_cupy(np.ones(3))
    assert array_module(np.ones(3)) is np


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize("numpy_first", [True, False])
def test_arrays_of_both_libraries_in_one_call_are_refused(numpy_first: bool) -> None:
    arrays = [np.ones(3), FakeArray(np.ones(3))]
    with pytest.raises(ShapeError, match="both NumPy and CuPy"):
        array_module(*(arrays if numpy_first else reversed(arrays)))


@pytest.mark.parametrize("number", [2.0, np.float64(2), np.array(2.0)], ids=["float", "NumPy number", "NumPy 0-d"])
def test_a_number_beside_a_cupy_array_is_no_mixture(cupy: ModuleType, number: Any) -> None:
    assert array_module(number, FakeArray(np.ones(3))) is cupy


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


@pytest.mark.usefixtures("cupy")
def test_to_host_gives_a_numpy_array() -> None:
    values = np.arange(6.0).reshape(2, 3)
    assert to_host(values) is values, "no copy"
    assert to_host(FakeArray(values)) is values
    np.testing.assert_array_equal(to_host([1, 2]), [1, 2])


# Devices


def test_cpu_wants_nothing_and_says_nothing() -> None:
    assert choose_device("cpu") == Device("cpu", np, "")


def test_asarray_on_the_cpu_copies_only_when_it_must(cupy: ModuleType) -> None:
    values = np.arange(3.0)
    assert CPU.asarray(values) is values
    assert CPU.asarray(values, np.float64) is values
    assert CPU.asarray(values, np.float32).dtype == np.float32
    from_device = CPU.asarray(FakeArray(values), np.float32)
    assert isinstance(from_device, np.ndarray)
    np.testing.assert_array_equal(from_device, values)


@pytest.mark.parametrize("wish", ["auto", "gpu"])
def test_a_working_card_is_chosen_and_named(cupy: ModuleType, wish: str) -> None:
    device = choose_device(wish)
    assert (device.name, device.xp, device.note) == ("gpu", cupy, "Test Card 9000")
    moved = device.asarray(np.arange(3.0), np.float32)
    assert isinstance(moved, FakeArray)
    assert moved.values.dtype == np.float32


def test_a_working_card_is_left_alone_when_the_cpu_is_asked_for(cupy: ModuleType) -> None:
    assert choose_device("cpu").xp is np


REFUSALS: dict[str, tuple[ModuleType | None, str]] = {
    "not installed": (None, "CuPy is not installed"),
    "no device": (fake_cupy(available=lambda: False), "CuPy finds no CUDA device"),
    "no driver": (fake_cupy(available=not_available), "CUDA driver version is insufficient"),
    "broken": (fake_cupy(BrokenArray), "CUBLAS_STATUS_NOT_INITIALIZED"),
    "computes wrongly": (fake_cupy(WrongArray), "expected 2048, got 2048.1"),
    "half installed": (ModuleType("cupy"), "is_available"),
}


@pytest.mark.parametrize(("module", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_without_a_usable_card_auto_takes_the_cpu_and_gpu_is_refused(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType | None, reason: str
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", module)
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


@pytest.mark.parametrize("wish", ["nonsense", "", "GPU", "cuda"])
def test_an_unknown_wish_is_refused_with_the_known_ones(wish: str) -> None:
    with pytest.raises(DeviceError, match=f"unknown device {wish!r}: choose auto, cpu or gpu"):
        choose_device(wish)
