"""style/vectors.py: numbers of vectors in bands are those of whole arrays, but for rounding; here and on a device.

What parts find together is tested in ``tests/cluster/test_parts.py``.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from minstyle.backend import CPU, Device, to_host
from minstyle.engine.kernels import fetched
from minstyle.network.segments import Rows
from minstyle.optimize.pyramid import precondition, squared_norm
from minstyle.optimize.vectors import WHOLE
from minstyle.style.parts import Alone
from minstyle.style.vectors import BandVectors


@pytest.mark.parametrize("borders", [(0, 61), (0, 16, 48, 61), (0, 1, 2, 37, 61)])
@pytest.mark.parametrize("on_device", [False, True])
def test_bands_are_the_whole(borders: tuple[int, ...], on_device: bool, gpu: Device) -> None:
    device = gpu if on_device else CPU
    a, b = np.random.default_rng(0).standard_normal((2, 61, 9, 3))
    pairs = np.random.default_rng(1).standard_normal((4, a.size))
    x, y, rows = device.asarray(a), device.asarray(b), device.asarray(pairs)
    vectors = BandVectors(Alone(61), [Rows(*pair) for pair in itertools.pairwise(borders)])
    found = fetched(vectors.dots((x, y), (x, x)), vectors.row_products(rows, x), vectors.preconditioner.squared_norm(x))
    expected = fetched(WHOLE.dots((a, b), (a, a)), WHOLE.row_products(pairs, a), squared_norm(a))
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), rtol=1e-12)
    assert vectors.mean_size(x) == pytest.approx(float(abs(a).mean()), rel=1e-12)
    assert float(vectors.largest_entry(x)) == abs(a).max()
    np.testing.assert_allclose(to_host(vectors.preconditioner.apply(x)), precondition(a), rtol=1e-12, atol=1e-12)


def test_a_number_that_is_none_is_seen_in_any_band() -> None:
    v = np.ones((8, 2, 3), np.float32)
    v[5, 1, 1] = np.nan
    assert np.isnan(BandVectors(Alone(8), [Rows(0, 4), Rows(4, 6), Rows(6, 8)]).largest_entry(v))


class OneOfTwo(Alone):
    """Alone, but as one of two parts is: it knows where the other one's rows are."""

    def __init__(self, height: int) -> None:
        super().__init__(height)
        self.rows = [Rows(0, height), Rows(height, 2 * height)]


def test_of_several_parts_numbers_are_on_the_host(gpu: Device) -> None:
    """So that parts on a device and parts without one do the same in the same order."""
    x = gpu.asarray(np.ones((8, 2, 3)))
    vectors = BandVectors(OneOfTwo(8), [Rows(0, 8), Rows(8, 16)])
    for number in (vectors.dots((x, x)), vectors.row_products(x.reshape(1, -1), x), vectors.largest_entry(x)):
        assert isinstance(number, np.ndarray)
