"""network/projection.py: Gram matrices of projected maps without the maps, and projections as thin as can be."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from minstyle.engine import ops
from minstyle.engine.autodiff import Var, gradient
from minstyle.network.projection import Projected, as_map, gram, thinnest


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_projected_map_has_the_features_times_the_matrix() -> None:
    x, matrix = normal(5, 7, 4), normal(4, 6, seed=1)
    f = Projected(x, matrix)
    assert f.shape == (5, 7, 6)
    np.testing.assert_allclose(as_map(f), x @ matrix, rtol=1e-12)
    assert as_map(x) is x


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-11), ("float32", 1e-4)])
def test_gram_and_its_gradient_are_those_of_the_map(xp: ModuleType, dtype: str, error: float) -> None:
    matrix, weight = (xp.asarray(a.astype(dtype)) for a in (normal(4, 6, seed=1), normal(6, 6, seed=2)))
    found = []
    for way in (gram, lambda f: ops.gram(as_map(f))):
        x = Var(xp.asarray(normal(5, 7, 4).astype(dtype)))
        g = way(Projected(x, matrix))
        found.append((g.value, *gradient(ops.reduce_sum(ops.multiply(g, weight)), [x])))
    for one, other in zip(*found, strict=True):
        assert one.dtype == dtype
        xp.testing.assert_allclose(one, other, rtol=error, atol=error)
    x = normal(5, 7, 4)
    np.testing.assert_array_equal(gram(x), ops.gram(x))


def test_the_map_is_not_made_for_its_gram_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minstyle.engine.ops.conv2d", lambda *_: pytest.fail("the map was made"))
    assert gram(Projected(normal(5, 7, 4), normal(4, 6))).shape == (6, 6)


@pytest.mark.parametrize("coordinates", [3, 4, 9])
def test_the_thinnest_matrix_keeps_distances_of_features_and_of_gram_matrices(coordinates: int) -> None:
    matrix = normal(4, coordinates, seed=1)
    thin = thinnest(matrix)
    assert thin.shape == (4, min(4, coordinates))
    assert thin.dtype == matrix.dtype
    (x, y), distances = (normal(5, 7, 4), normal(5, 7, 4, seed=3)), []
    for m in (matrix, thin):
        distances.append((((x - y) @ m) ** 2).sum())
        distances.append(((gram(Projected(x, m)) - gram(Projected(y, m))) ** 2).sum())
    np.testing.assert_allclose(distances[2:], distances[:2], rtol=1e-11)
