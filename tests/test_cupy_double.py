"""The double of CuPy: as strict as CuPy, there only where it is wanted, and named after CuPy's own names.

What both refuse is tried on the GPU too, where one answers.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minstyle.backend import Device, choose_device, is_cupy
from tests.support import cupy_double, devices
from tests.support.cupy_double import LEDGER, Undefined

ROW = np.arange(6.0)

# What NumPy forgives and CuPy does not: the error, and what raises it, given cupy and an array x of 0..5.
REFUSED: dict[str, tuple[type[Exception], Callable[[Any, Any], Any]]] = {
    "a silent copy to the host": (TypeError, lambda xp, x: np.asarray(x)),
    "a host array as operand": (TypeError, lambda xp, x: x + ROW),
    "a host array first": (TypeError, lambda xp, x: ROW + x),
    "a host array as argument": (TypeError, lambda xp, x: xp.maximum(x, ROW)),
    "a host array in place": (TypeError, lambda xp, x: x.__iadd__(ROW)),
    "a product with a host array": (TypeError, lambda xp, x: x @ ROW),
    "a list as operand": (TypeError, lambda xp, x: xp.add(x, [1.0] * 6)),
    "a list of device arrays as a stack": (TypeError, lambda xp, x: xp.stack([x, ROW])),
    "a list to sort": (AttributeError, lambda xp, x: xp.argsort([2.0, 1.0])),
    "a list to sum": (AttributeError, lambda xp, x: xp.sum([2.0, 1.0])),
    "host points to interpolate at": (TypeError, lambda xp, x: xp.interp(ROW, x, x)),
    "points that do not lie one by one": (NotImplementedError, lambda xp, x: xp.interp(x[::2], x, x)),
    "an axis to interpolate along": (ValueError, lambda xp, x: xp.interp(x, x, xp.ones((6, 2)))),
    "where= of a ufunc": (TypeError, lambda xp, x: xp.sqrt(x, where=x > 0)),
    "initial= of a reduction": (TypeError, lambda xp, x: xp.sum(x, initial=1.0)),
    "where= of a reduction": (TypeError, lambda xp, x: x.max(where=x > 0)),
    "another kind of sorting": (ValueError, lambda xp, x: xp.argsort(x, kind="quicksort")),
    "an array as end of a slice": (TypeError, lambda xp, x: x[: x[2].astype("int64")]),
    "an index of floats": (IndexError, lambda xp, x: x[x]),
    "a host array to assign": (ValueError, lambda xp, x: x.__setitem__(slice(None), ROW)),
    "a cast that loses the fraction": (TypeError, lambda xp, x: xp.add(x, 1, out=xp.zeros(6, dtype="int64"))),
    "an out of another shape": (ValueError, lambda xp, x: xp.add(x, 1, out=xp.zeros(5))),
    "an integer that does not fit": (OverflowError, lambda xp, x: xp.zeros(2, dtype="uint8") + 300),
    "text": (ValueError, lambda xp, x: xp.asarray(["a", "b"])),
    "long doubles": (ValueError, lambda xp, x: xp.zeros(3, dtype="longdouble")),
    "subclasses": (TypeError, lambda xp, x: xp.zeros_like(x, subok=True)),
    "the truth of several": (ValueError, lambda xp, x: bool(x > 1)),
    "a hash": (TypeError, lambda xp, x: hash(x)),
    "the length of a number": (TypeError, lambda xp, x: len(x.sum())),
    "a name that CuPy has not": (AttributeError, lambda xp, x: xp.emath),
    "a place for products": (AttributeError, lambda xp, x: x.flags.writeable),
}


@pytest.mark.parametrize(("error", "act"), REFUSED.values(), ids=REFUSED)
def test_what_numpy_forgives_is_refused(error: type[Exception], act: Callable[[Any, Any], Any], gpu: Device) -> None:
    with pytest.raises(error):
        act(gpu.xp, gpu.xp.asarray(ROW))


# What is as in NumPy, or as in CuPy only: what is found, and what is expected.
FOUND: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "a sum is an array": (lambda xp, x: is_cupy(x.sum()) and x.sum().shape == (), True),
    "an entry is an array": (lambda xp, x: is_cupy(x[3]) and x[3].shape == (), True),
    "a Python number is weak": (lambda xp, x: (x.astype("float32") * 2.5).dtype == "float32", True),
    "a NumPy number is not": (lambda xp, x: (x.astype("float32") * np.float64(2.5)).dtype == "float64", True),
    "integers divide to doubles": (lambda xp, x: (xp.arange(3) / 2).dtype == "float64", True),
    "bounds that cross": (lambda xp, x: float(x.clip(4, 2).max()), 2.0),
    "no warning of a division": (lambda xp, x: float((1 / x)[0]), np.inf),
    "a NumPy function of it": (lambda xp, x: is_cupy(np.sqrt(x)), True),
    "a root of less than 0": (lambda xp, x: bool(xp.sqrt(-x)[1] != xp.sqrt(-x)[1]), True),
    "a diagonal that can be written": (lambda xp, x: xp.diagonal(xp.eye(3)).__setitem__(0, 2.0), None),
    "results lie in C order": (lambda xp, x: xp.negative(xp.ones((3, 2)).T).flags.c_contiguous, True),
    "NaN has no eigenvalues": (lambda xp, x: bool(xp.linalg.eigh(xp.full((2, 2), np.nan))[0][0] >= 0), False),
}


@pytest.mark.parametrize(("act", "expected"), FOUND.values(), ids=FOUND)
def test_what_is_found_is_cupys(act: Callable[[Any, Any], Any], expected: Any, gpu: Device) -> None:
    assert act(gpu.xp, gpu.xp.asarray(ROW)) == expected


def test_memory_is_never_clean_and_what_is_undefined_raises() -> None:
    with cupy_double.installed() as cupy:
        assert not bool((cupy.empty(4) == 0).any())
        assert not bool((cupy.empty(4, dtype="int32") == 0).any())
        x = cupy.zeros(4)
        with pytest.raises(Undefined, match="different values"):
            x[cupy.asarray([1, 1])] = cupy.asarray([2.0, 3.0])
        with pytest.raises(Undefined, match="wraps indices around"):
            x[cupy.asarray([4])]
        with pytest.raises(Undefined, match="outside"):
            cupy.lib.stride_tricks.as_strided(x, (5,), (8,))
        with pytest.raises(AttributeError, match="add it"):
            cupy.fft  # noqa: B018


def test_the_ledger_tells_what_was_launched_copied_and_waited_for() -> None:
    with cupy_double.installed() as cupy, LEDGER.counting():
        x = cupy.asarray(np.ones((8, 8)))  # 512 bytes
        y = (x @ x).T  # one product; a view is no launch
        assert float(y.sum()) == 512  # two launches for a sum of all, one wait
        y[x > 3] = 0  # how many are above is waited for
    assert LEDGER.launches == {"product": 1, "reduce": 2, "elementwise": 1, "mask": 6, "index": 0}
    assert LEDGER.waits == {"float": 1, "mask": 1}
    assert (LEDGER.to_device.total(), LEDGER.to_host["float"]) == (512, 8)
    assert LEDGER.bytes["product"] == 3 * 512
    assert "test_cupy_double.py" in LEDGER.where("wait")
    counted = LEDGER.launches.copy()
    with cupy_double.installed() as cupy:
        cupy.ones(3)
    assert LEDGER.launches == counted, "it counts only when it is asked to"


@pytest.mark.skipif(devices.REAL, reason="a GPU answers")
def test_the_double_is_there_only_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    before, loaded = choose_device("auto"), {name for name in sys.modules if name.startswith("cupy")}
    assert before.name == "cpu"
    with devices.device() as device:
        assert (device.name, device.note) == ("gpu", "the double of CuPy")
        assert is_cupy(device.asarray(ROW))
        left = device.asarray(ROW)
    assert sys.modules["cupy"] is None
    assert choose_device("auto") == before
    assert not is_cupy(left)
    assert {name for name in sys.modules if name.startswith("cupy")} == loaded


def test_child_processes_have_the_device_too() -> None:
    code = "from minstyle.backend import choose_device as c; d = c('gpu'); print(d.note, float(d.xp.ones(3).sum()))"
    run = subprocess.run([sys.executable, "-c", code], env=devices.environment(), capture_output=True, text=True,
                         check=True)  # fmt: skip
    with devices.device() as device:
        assert (run.stdout, run.stderr) == (f"{device.note} 3.0\n", "")


def test_names_signatures_and_loops_are_cupys() -> None:
    run = subprocess.run([sys.executable, "-m", "tests.support.cupy_double.check"], capture_output=True, text=True,
                         check=False)  # fmt: skip
    if "No module named 'cupy'" in run.stderr:
        pytest.skip("CuPy is not installed: pip install --no-deps cupy-cuda12x cuda-pathfinder, no device is needed")
    assert (run.returncode, run.stdout) == (0, "no differences\n"), run.stdout + run.stderr
