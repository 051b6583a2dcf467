"""Winograd's minimal filtering F(4x4, 3x3) (Lavin, Gray 2015): the mathematics of one block of the picture.

A tile of 4x4 outputs sees 6x6 inputs d. With the three matrices below its convolution with a 3x3 kernel g is

    Y = A^T [ (G g G^T) * (B^T d B) ] A        (* entry by entry, and summed over the input channels)

36 multiplications in place of 144. Written over all tiles and channels at once, B^T . B is one (36 x 36) matrix applied
to 36 planes, the middle is 36 matrix products (tiles, Cin) @ (Cin, Cout), and A^T . A is one (16 x 36) matrix: so that
nearly all of the work is done by BLAS. In float32 the error is about 2e-6 of the largest output.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

# Points at which polynomials are compared, with infinity as the sixth: of those tried these lose the least in float32.
POINTS = (0, 1 / math.sqrt(2), -1 / math.sqrt(2), math.sqrt(2), -math.sqrt(2))


def cook_toom(points: tuple[float, ...], outputs: int = 4, taps: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrices A^T (outputs, n), G (n, taps), B^T (n, n) of F(outputs, taps), n = outputs + taps - 1.

    A convolution is a product of polynomials: evaluate both factors at n points, multiply, interpolate (Blahut 2010,
    5.2). Row i of B^T holds the coefficients of the product of (x - p) over all points p but the i-th.
    """
    p, n = np.array(points), outputs + taps - 1
    a_t, g, b_t = np.zeros((outputs, n)), np.zeros((n, taps)), np.zeros((n, n))
    a_t[:, :-1] = p ** np.arange(outputs)[:, None]
    a_t[-1, -1] = g[-1, -1] = 1  # the point at infinity: the highest coefficient
    b_t[-1] = np.poly(p)[::-1]
    for i in range(n - 1):
        others = np.delete(p, i)
        b_t[i, :-1] = np.poly(others)[::-1]
        g[i] = p[i] ** np.arange(taps) / np.prod(p[i] - others)
    return a_t, g, b_t


A_T, G, B_T = cook_toom(POINTS)

# M X M^T of a matrix X written as a vector is the Kronecker product of M with itself.
_INPUT = {np.dtype(t): np.kron(B_T, B_T).astype(t) for t in (np.float32, np.float64)}  # (36, 36)
# One column more: it multiplies a plane that holds the bias.
_OUTPUT = {
    np.dtype(t): np.concatenate([np.kron(A_T, A_T), np.ones((16, 1))], axis=1).astype(t)
    for t in (np.float32, np.float64)
}  # (16, 37)
_KERNEL = np.kron(G, G)  # (36, 9)


class Block(NamedTuple):
    """A rectangle of tiles: first row and column, and how many of each."""

    top: int
    left: int
    rows: int
    columns: int


class Workspace:
    """Buffers of one thread, kept from block to block: fresh memory of this size costs as much as filling it."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An uninitialised array; the next call with the same name may hand out the same memory."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size, dtype=dtype)
        return buffer[:size].reshape(shape)


def transform_kernel(kernel: np.ndarray) -> np.ndarray:
    """G g G^T for every pair of channels. (3, 3, Cin, Cout) -> (36, Cin, Cout), computed in float64."""
    _, _, cin, cout = kernel.shape
    planes = _KERNEL @ kernel.reshape(9, cin * cout).astype(np.float64)
    return planes.reshape(36, cin, cout).astype(kernel.dtype)


def convolve_block(
    x: np.ndarray,
    keep: np.ndarray | None,
    transformed: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    positive: np.ndarray | None,
    block: Block,
    work: Workspace,
) -> None:
    """Compute the outputs y[4 top : 4 (top + rows), ...] of the tiles in ``block``; what sticks out of y is dropped.

    x (H, W, Cin), of which only the entries where ``keep`` (None: all) holds count, transformed (36, Cin, Cout), bias
    (Cout,) or None, y (H, W, Cout). With ``positive`` (H, W, Cout) y is max(y, 0), and positive where it is above 0.
    """
    dtype, cin, cout = x.dtype, x.shape[2], transformed.shape[2]
    tiles = block.rows * block.columns
    d = _gather(x, keep, block, work).reshape(36, tiles * cin)
    v = np.matmul(_INPUT[dtype], d, out=work.array("v", (36, tiles * cin), dtype))
    m = work.array("m", (37, tiles, cout), dtype)
    np.matmul(v.reshape(36, tiles, cin), transformed, out=m[:36])
    m[36] = 0 if bias is None else bias
    # The gathered inputs are no longer needed: their memory takes the outputs.
    out = np.matmul(_OUTPUT[dtype], m.reshape(37, tiles * cout), out=work.array("d", (16, tiles * cout), dtype))
    if positive is not None:
        np.maximum(out, 0, out=out)
    part = _scatter(out.reshape(4, 4, block.rows, block.columns, cout), y, block)
    if positive is not None:
        top, left = 4 * block.top, 4 * block.left
        np.greater(part, 0, out=positive[top : top + part.shape[0], left : left + part.shape[1]])


def _gather(x: np.ndarray, keep: np.ndarray | None, block: Block, work: Workspace) -> np.ndarray:
    """The 6x6 inputs of each tile, zeros outside of x. -> (6, 6, rows, columns, Cin)"""
    height, width, cin = x.shape
    top, left = 4 * block.top - 1, 4 * block.left - 1
    bottom, right = top + 4 * block.rows + 2, left + 4 * block.columns + 2
    window = work.array("window", (bottom - top, right - left, cin), x.dtype)
    if top < 0 or left < 0 or bottom > height or right > width:
        window.fill(0)
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    inside = window[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    if keep is None:
        inside[...] = x[rows, columns]
    else:
        np.multiply(x[rows, columns], keep[rows, columns], out=inside)
    down, along, channel = window.strides
    shape = (6, 6, block.rows, block.columns, cin)
    d = work.array("d", shape, x.dtype)
    d[...] = as_strided(window, shape, (down, along, 4 * down, 4 * along, channel), writeable=False)
    return d


def _scatter(tiles: np.ndarray, y: np.ndarray, block: Block) -> np.ndarray:
    """Put tiles (4, 4, rows, columns, Cout) to their places in y (H, W, Cout); returns that part of y."""
    _, _, rows, columns, cout = tiles.shape
    part = y[4 * block.top : 4 * (block.top + rows), 4 * block.left : 4 * (block.left + columns)]
    in_order = tiles.transpose(2, 0, 3, 1, 4)  # (rows, 4, columns, 4, Cout)
    if part.shape[:2] == (4 * rows, 4 * columns):
        down, along, channel = part.strides
        as_strided(part, in_order.shape, (4 * down, down, 4 * along, along, channel))[...] = in_order
    else:
        part[...] = in_order.reshape(4 * rows, 4 * columns, cout)[: part.shape[0], : part.shape[1]]
    return part
