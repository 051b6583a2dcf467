"""Layers of two weights files, compared."""

from __future__ import annotations

import numpy as np


def assert_same_layers(ours: object, theirs: object) -> None:
    """Equal names in equal order, equal numbers."""
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    assert list(ours) == list(theirs)
    for name, arrays in theirs.items():
        for a, b in zip(ours[name], arrays, strict=True):
            np.testing.assert_array_equal(a, b)
