"""Linearly projected feature maps x @ P, whose statistics are computed without making the projected map.

A small network stands in for a wider one: a matrix P (C, K) maps its features (H, W, C) to coordinates of the wider
network's features. Second moments of projected features are products of small matrices, (x P)^T (x P) = P^T (x^T x) P,
and so are their adjoints. Only losses that read the features themselves need the map x @ P.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import Array, array_module
from ..engine import ops


@dataclass(frozen=True)
class Projected:
    """The features x @ matrix for a map x (H, W, C), an array or a Var, and a matrix (C, K)."""

    x: Any
    matrix: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, _ = self.x.shape
        return height, width, self.matrix.shape[1]


def as_map(f: Any) -> Any:
    """The feature map (H, W, K) as an array or a Var: x @ P of a ``Projected``, any other map as it is."""
    if not isinstance(f, Projected):
        return f
    zeros = array_module(f.matrix).zeros(f.matrix.shape[1], dtype=f.matrix.dtype)
    return ops.conv2d(f.x, f.matrix[None, None], zeros)


def gram(f: Any) -> Any:
    """The Gram matrix (K, K) of a feature map (H, W, K): ``ops.gram`` of ``as_map(f)``."""
    if not isinstance(f, Projected):
        return ops.gram(f)
    return _in_coordinates(f, ops.gram(f.x))


def weighted_mean(f: Any, weights: Array | None = None) -> Any:
    """The mean (K,) of a feature map (H, W, K): ``ops.weighted_mean`` of ``as_map(f)``."""
    if not isinstance(f, Projected):
        return ops.weighted_mean(f, weights)
    row = ops.reshape(ops.weighted_mean(f.x, weights), shape=(1, -1))
    return ops.reshape(ops.matmul(row, f.matrix), shape=(-1,))


def raw_moment(f: Any, weights: Array | None = None) -> Any:
    """The second raw moment (K, K) of a feature map (H, W, K): ``ops.raw_moment`` of ``as_map(f)``."""
    if not isinstance(f, Projected):
        return ops.raw_moment(f, weights)
    return _in_coordinates(f, ops.raw_moment(f.x, weights))


def normalize_gradient(f: Any, strength: float) -> Any:
    """``ops.normalize_gradient`` of ``as_map(f)``."""
    return ops.normalize_gradient(as_map(f), strength=strength)


def _in_coordinates(f: Projected, s: Any) -> Any:
    """P^T S P for a matrix of second moments S (C, C). -> (K, K)"""
    return ops.matmul(ops.matmul(f.matrix.T, s), f.matrix)


def thinnest(matrix: np.ndarray) -> np.ndarray:
    """A matrix R^T (C, min(C, K)) whose products x @ R^T have the distances and inner products of x @ matrix.

    From the QR decomposition matrix^T = Q R: x @ matrix = (x @ R^T) Q^T, a rotation of x @ R^T, since Q (K, C) has
    orthonormal columns.
    """
    if matrix.shape[0] >= matrix.shape[1]:
        return matrix
    _, r = np.linalg.qr(matrix.astype(np.float64).T)
    return np.ascontiguousarray(r.T).astype(matrix.dtype)
