"""images/: an image at another size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minstyle.images import resize
from tests.support.small import picture

FAST = settings(max_examples=40, deadline=None)
FILTERS = st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"])
SIDE = st.integers(1, 40)


@given(value=st.floats(0, 255, width=32), shape=st.tuples(SIDE, SIDE), new=st.tuples(SIDE, SIDE), resample=FILTERS)
@FAST
def test_a_constant_stays_itself_at_any_size(
    value: float, shape: tuple[int, int], new: tuple[int, int], resample: str
) -> None:
    resized = resize(np.full((*shape, 3), value, np.float32), *new, resample)
    assert (resized.shape, resized.dtype) == ((*new, 3), np.float32)
    np.testing.assert_allclose(resized, value, atol=1e-3)


@given(edges=hnp.arrays(np.bool_, st.tuples(SIDE, SIDE, st.just(3))), new=st.tuples(SIDE, SIDE), resample=FILTERS)
@FAST
def test_values_stay_in_range_at_hard_edges(edges: np.ndarray, new: tuple[int, int], resample: str) -> None:
    resized = resize(255 * edges.astype(np.float32), *new, resample)
    assert resized.min() >= 0
    assert resized.max() <= 255


def test_the_same_size_is_the_same_image() -> None:
    image = picture(20, 30)
    np.testing.assert_array_equal(resize(image, 20, 30), image)


@pytest.mark.parametrize("resample", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_rows_stay_rows_and_channels_stay_channels(resample: str) -> None:
    image = np.zeros((20, 30, 3), np.float32)
    image[:, :, 0] = np.linspace(0, 255, 20)[:, None]  # red grows downwards
    image[:, :, 1] = np.linspace(0, 255, 30)  # green grows to the right
    resized = resize(image, 40, 15, resample)
    red, green, blue = np.moveaxis(resized, 2, 0)
    assert np.ptp(red, axis=1).max() < 1e-3
    assert np.ptp(green, axis=0).max() < 1e-3
    assert (np.diff(red[:, 0]) >= 0).all()
    assert (np.diff(green[0]) > 0).all()
    assert not blue.any()
