"""run/color.py: some rows at a time, the numbers are those of the whole; and what is in between takes little memory."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest

from minstyle.images import Picture
from minstyle.recipe.presets import RECIPES
from minstyle.run import color
from minstyle.run.color import by_rows, color_moments, grey_image, luminance, transfer_luminance
from minstyle.run.pictures import Pictures
from tests.support.small import picture


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pixels", [1, 100, 40 * 33])
def test_rows_have_the_bits_of_the_whole(monkeypatch: pytest.MonkeyPatch, dtype: type, pixels: int) -> None:
    monkeypatch.setattr(color, "_AT_ONCE", pixels)
    image, content = picture(33, 40, 1).astype(dtype), picture(33, 40, 2).astype(dtype)
    assert np.array_equal(by_rows(luminance, image), luminance(image))
    assert np.array_equal(by_rows(grey_image, luminance(image)), grey_image(luminance(image)))
    found = by_rows(transfer_luminance, image, content)
    assert found.dtype == dtype
    assert np.array_equal(found, transfer_luminance(image, content))


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_of_parts_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch, weighted: bool) -> None:
    image, weights = picture(33, 40), np.linspace(0, 1, 33 * 40).reshape(33, 40) if weighted else None
    mean, covariance = color_moments(image, weights)
    flat = image.reshape(-1, 3).astype(np.float64)
    shares = np.ones(len(flat)) if weights is None else weights.reshape(-1)
    np.testing.assert_allclose(mean, np.average(flat, axis=0, weights=shares), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(flat.T, aweights=shares, bias=True), rtol=1e-10)
    monkeypatch.setattr(color, "_SUMMED", 100)
    for found, whole in zip(color_moments(image, weights), (mean, covariance), strict=True):
        np.testing.assert_allclose(found, whole, rtol=1e-12)


@pytest.mark.parametrize("keeps", ["content", "luminance", "match", "match-after"])
def test_colours_take_little_beside_the_pictures(monkeypatch: pytest.MonkeyPatch, keeps: str) -> None:
    """36 bytes a pixel are three pictures in float32: the results, and one on the way. In one go it was up to 100."""
    monkeypatch.setattr(color, "_AT_ONCE", 1 << 12)
    monkeypatch.setattr(color, "_SUMMED", 1 << 12)
    shape = 400, 600
    recipe = dataclasses.replace(RECIPES["fine"], sizes=(600,), color=keeps)
    content, style, image = (picture(*shape, seed).astype(np.float32) for seed in (1, 2, 3))
    pictures = Pictures.of(Picture(content), [Picture(style)], recipe)
    for call in (lambda: pictures.at(shape), lambda: pictures.finished(image)):
        tracemalloc.start()
        try:
            call()
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < 36 * shape[0] * shape[1]
