"""Kernels as codes of a few bits: each of a layer's numbers becomes the nearest of at most 256, found by k-means."""

from __future__ import annotations

import numpy as np

ROUNDS = 100  # of k-means, at most


def quantise(kernel: np.ndarray, bits: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """(codes, codebook): uint8 of the kernel's shape, and up to 2^bits float32, ascending; codebook[codes] is near it.

    k-means on a line (Lloyd 1982): the numbers are sorted once, so that a cluster is a range of them, its mean a
    difference of running sums, and a round costs 2^bits searches. It begins with centres as dense as the cube root of
    the numbers' own density, which is where the best ones lie for many bits (Panter, Dite 1951). A kernel of no more
    than 2^bits different numbers is kept exactly.
    """
    values = np.sort(kernel, axis=None).astype(np.float64)
    own = np.unique(values)
    codebook = own if len(own) <= 1 << bits else _means(values, _begin(values, 1 << bits))
    table = codebook.astype(np.float32)
    edges = (codebook[1:] + codebook[:-1]) / 2
    return np.searchsorted(edges, kernel).astype(np.uint8), table


def _begin(values: np.ndarray, count: int) -> np.ndarray:
    density, edges = np.histogram(values, bins=16 * count)
    share = np.cumsum(np.cbrt(density + 1e-3))
    centres: np.ndarray = np.interp((np.arange(count) + 0.5) / count, share / share[-1], (edges[1:] + edges[:-1]) / 2)
    return centres


def _means(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    for _ in range(ROUNDS):
        ends = np.concatenate([[0], np.searchsorted(values, (centres[1:] + centres[:-1]) / 2), [len(values)]])
        counts = np.diff(ends)
        # A cluster that has lost all its numbers keeps its centre.
        moved = np.where(counts > 0, np.diff(sums[ends]) / np.maximum(counts, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres
