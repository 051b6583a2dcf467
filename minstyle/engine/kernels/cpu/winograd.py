"""Winograd's minimal filtering F(4x4, 3x3) (Lavin, Gray 2015): the mathematics of one block of the picture.

A tile of 4x4 outputs depends on 6x6 inputs d. With the three matrices below its convolution with a 3x3 kernel g is

    Y = A^T [ (G g G^T) * (B^T d B) ] A        (* entry by entry, and summed over the input channels)

That is 36 multiplications in place of 144. Over all tiles and channels at once, B^T d B is one (36, 36) matrix applied
to 36 planes, the middle is 36 matrix products (tiles, Cin) @ (Cin, Cout), and A^T [.] A is one (16, 36) matrix, so that
BLAS does nearly all of the work. In float32 the error is a few millionths of the largest output.

The gradient to the input is a convolution with the kernel turned by 180 degrees and its channel axes swapped. Turning a
kernel reverses the coefficients of its polynomial, which takes its value at p to that at 1/p, up to a factor. The
points below are closed under p -> 1/p, so the turned kernel's planes are the kernel's own in another order, and one set
of transformed kernels serves both directions.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .threads import Workspace
from .tiles import Block, Sink, Source

# The points of interpolation, with infinity as the sixth: of those tried these lose the fewest digits in float32.
POINTS = (0, 1 / math.sqrt(2), -1 / math.sqrt(2), math.sqrt(2), -math.sqrt(2))


def cook_toom(points: tuple[float, ...], outputs: int = 4, taps: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrices A^T (outputs, n), G (n, taps), B^T (n, n) of F(outputs, taps), n = outputs + taps - 1.

    A convolution is a product of polynomials: evaluate both factors at n points, multiply, interpolate (Blahut 2010,
    5.2). Row i of B^T holds the coefficients of the product of (x - p) over all points p but the i-th. The kernel is
    evaluated as g(p) / |p|^(degree / 2), so that p and 1/p are alike.
    """
    p, n = np.array(points), outputs + taps - 1
    a_t, g, b_t = np.zeros((outputs, n)), np.zeros((n, taps)), np.zeros((n, n))
    a_t[:, :-1] = p ** np.arange(outputs)[:, None]
    a_t[-1, -1] = g[-1, -1] = 1  # the point at infinity: the highest coefficient
    b_t[-1] = np.poly(p)[::-1]
    for i in range(n - 1):
        others = np.delete(p, i)
        size = abs(p[i]) ** ((taps - 1) / 2) or 1
        b_t[i, :-1] = np.poly(others)[::-1] * size / np.prod(p[i] - others)
        g[i] = p[i] ** np.arange(taps) / size
    return a_t, g, b_t


A_T, G, B_T = cook_toom(POINTS)
INVERSE = [5, 3, 4, 1, 2, 0]  # the index of each point's inverse: 0 and infinity, 1/sqrt 2 and sqrt 2, ...


class Transform(NamedTuple):
    """The two transforms of one direction. M X M^T, of X as a vector, is the Kronecker product of M with itself."""

    input: np.ndarray  # (36, 36)
    output: np.ndarray  # (16, 37): the last column multiplies a plane that holds the bias


def _transforms(dtype: Any) -> tuple[Transform, Transform]:
    """(forward, backward) of one type; backward, plane (i, j) is the one that belongs to the inverse points."""
    order = [6 * i + j for i in INVERSE for j in INVERSE]
    on_input, on_output, ones = np.kron(B_T, B_T), np.kron(A_T, A_T), np.ones((16, 1))
    forward = Transform(on_input.astype(dtype), np.hstack([on_output, ones]).astype(dtype))
    return forward, Transform(on_input[order].astype(dtype), np.hstack([on_output[:, order], ones]).astype(dtype))


TRANSFORMS = {np.dtype(t): _transforms(t) for t in (np.float32, np.float64)}
_KERNEL = np.kron(G, G)  # (36, 9)

_COLUMNS = 512  # of a piece of a product with one of the transforms: see ``products``
# Bytes between rows. Rows a power of two apart would compete for the same lines of the cache.
_APART = 64


def transform_kernel(kernel: np.ndarray) -> np.ndarray:
    """G g G^T for every pair of channels. (3, 3, Cin, Cout) -> (36, Cin, Cout), computed in float64."""
    _, _, cin, cout = kernel.shape
    planes = np.empty((36, cin, cout), dtype=kernel.dtype)
    step = max(1, (1 << 16) // cout)
    for start in range(0, cin, step):
        part = kernel[:, :, start : start + step].astype(np.float64)
        planes[:, start : start + step] = (_KERNEL @ part.reshape(9, -1)).reshape(36, -1, cout)
    return planes


def convolve_block(
    source: Source,
    transform: Transform,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    sink: Sink,
    block: Block,
    work: Workspace,
) -> None:
    """Compute the outputs of the tiles in ``block``: kernel (36, Cin, Cout), bias (Cout,) or None."""
    tiles, (_, cin, cout) = block.rows * block.columns, kernel.shape
    v = planes(work, "v", 36, tiles * cin, source.dtype)
    m = planes(work, "m", 37, tiles * cout, source.dtype)
    transform_input(source, transform, block, v, work)
    multiply(v.reshape(36, tiles, cin), kernel, m[:36].reshape(36, tiles, cout))
    transform_output(m, transform, bias, sink, block, work)


def planes(work: Workspace, name: str, count: int, size: int, dtype: Any) -> np.ndarray:
    """An uninitialised array (count, size), its rows _APART in memory."""
    return work.array(name, (count, size + _APART // np.dtype(dtype).itemsize), dtype)[:, :size]


def transform_input(source: Source, transform: Transform, block: Block, v: np.ndarray, work: Workspace) -> None:
    """v (36, tiles * Cin) = B^T d B of the block's tiles."""
    d = planes(work, "d", 36, v.shape[1], v.dtype)
    source.gather(block, d.reshape(6, 6, block.rows, block.columns, -1), work)
    _apply(transform.input, d, v)


def multiply(v: np.ndarray, kernel: np.ndarray, m: np.ndarray) -> None:
    """m = v @ kernel: all 36 products, or one of them."""
    np.matmul(v, kernel, out=m)


def transform_output(
    m: np.ndarray, transform: Transform, bias: np.ndarray | None, sink: Sink, block: Block, work: Workspace
) -> None:
    """Give A^T m A + bias to the sink; m (37, tiles * Cout), whose last row is overwritten."""
    m[36].reshape(block.rows * block.columns, -1)[...] = 0 if bias is None else bias
    out = planes(work, "d", 16, m.shape[1], m.dtype)  # the gathered inputs are no longer needed
    _apply(transform.output, m, out)
    sink.scatter(out.reshape(4, 4, block.rows, block.columns, -1), block, work)


def _apply(matrix: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """out = matrix @ x, some columns at a time."""
    whole = x.shape[1] - x.shape[1] % _COLUMNS
    if whole:
        np.matmul(matrix, _pieces(x, whole), out=_pieces(out, whole))
    if whole < x.shape[1]:
        np.matmul(matrix, x[:, whole:], out=out[:, whole:])


def _pieces(x: np.ndarray, whole: int) -> np.ndarray:
    """View of the first columns of x (n, columns) as (pieces, n, _COLUMNS)."""
    return x[:, :whole].reshape(x.shape[0], -1, _COLUMNS).swapaxes(0, 1)
