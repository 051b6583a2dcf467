"""kernels/bands.py: bands of rows cover an array, in order."""

from __future__ import annotations

import numpy as np
import pytest

from minstyle.engine.kernels import bands


def test_rows_come_in_order_and_cover_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_BAND", 3 * 4)
    found = bands.by_rows(lambda rows: (rows.start, rows.stop), np.zeros((8, 2, 2)))
    assert found == [(0, 3), (3, 6), (6, 8)]
    assert bands.by_rows(lambda rows: rows, np.zeros((0, 2, 2))) == []
