"""kernels/bands.py: bands of rows cover an array, in order."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from minstyle.engine import kernels
from minstyle.engine.kernels import bands


def test_rows_come_in_order_and_cover_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_BAND", 3 * 4)
    found = bands.by_rows(lambda rows: (rows.start, rows.stop), np.zeros((8, 2, 2)))
    assert found == [(0, 3), (3, 6), (6, 8)]
    assert bands.by_rows(lambda rows: rows, np.zeros((0, 2, 2))) == []


@pytest.mark.parametrize(("values", "largest"), [
    ([1.0, -3.0, 2.0], 3.0), ([-1.0, -2.0], 2.0), ([[0.5], [4.0]], 4.0), (7.0, 7.0), ([], 0.0), ([0.0], 0.0),
    ([-np.inf, 1.0], np.inf), ([1.0, np.nan, 5.0], np.nan), ([np.nan], np.nan),
], ids=str)  # fmt: skip
def test_the_largest_entry(
    xp: ModuleType, monkeypatch: pytest.MonkeyPatch, values: list[float], largest: float
) -> None:
    for band in (1, 1 << 16):
        monkeypatch.setattr(bands, "_BAND", band)
        found = kernels.largest_entry(xp.asarray(values, dtype=np.float32))
        assert (found.shape, found.dtype) == ((), np.float32)
        np.testing.assert_array_equal(float(found), largest)
