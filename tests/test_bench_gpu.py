"""tools/bench_gpu.py: what it measures of ours, on CuPy's double, whose seconds say nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

import bench_gpu
from minstyle.backend import Device, choose_device
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import Term
from tests.support import cupy_double
from tests.support.cupy_double.pools import MEMORY
from tests.support.small import picture, random_weights

WEIGHTS = random_weights("vgg19", (8, 8, 8, 8, 8))


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    gc.collect()
    monkeypatch.setattr(MEMORY, "total", MEMORY.total)
    with cupy_double.installed():
        yield choose_device("gpu")


def test_the_precision_asked_for_is_measured_as_a_run_has_it(double: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_gpu, "HISTORY", 1)
    monkeypatch.setattr(bench_gpu, "ITERATIONS", 2)
    monkeypatch.setattr(bench_gpu, "RECIPE", Recipe("r", (Term("content_mean", "block1_conv2"),)))
    mine = bench_gpu.Ours([picture(32, 32, seed) for seed in range(3)], WEIGHTS, double, "fp32")
    assert mine.objective.network.precision == "fp32"
    assert mine.evaluation(1) > 0
    with cupy_double.LEDGER.counting() as ledger:
        assert mine.iteration() > 0
    assert mine.memory() > 0
    assert "minimum.py" not in ledger.where("wait"), "the largest entry is not asked for once more"


def test_the_largest_is_where_memory_ends(double: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_gpu, "pictures", lambda size: [np.zeros((size, size, 3), np.float32)] * 3)
    assert bench_gpu.ours_fits(32, WEIGHTS, double)
    MEMORY.total = 1 << 16
    assert not bench_gpu.ours_fits(64, WEIGHTS, double)
