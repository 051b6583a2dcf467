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

F(2x2, 3x3) saves less, but needs 16 planes of the kernel where F(4x4, 3x3) needs 36: on maps of a few tiles, whose
products spend their time on reading the kernel, it is the faster. Four of the six points are enough for it, and so its
planes are among the 36.
"""

from __future__ import annotations

import functools
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


_KERNEL = np.kron(G, G)  # (36, 9)
FEW = [0, 1, 2, 5]  # the points of F(2x2, 3x3): 0, 1/sqrt 2, -1/sqrt 2, infinity


class Transform(NamedTuple):
    """The two transforms of one direction for tiles of n x n outputs, P = (n + 2)^2 planes.

    M X M^T, of X as a vector, is the Kronecker product of M with itself.
    """

    outputs: int  # n, 2 or 4
    planes: list[int]  # (P,) which of the kernel's 36 planes each of v is multiplied with
    input: np.ndarray  # (P, P)
    output: np.ndarray  # (n * n, P + 1): the last column multiplies a plane that holds the bias


@functools.cache
def transform(dtype: np.dtype[Any], outputs: int, turned: bool) -> Transform:
    """For a convolution with the kernel, or with the kernel turned by 180 degrees, in tiles of 2 or 4 outputs."""
    points = FEW if outputs == 2 else list(range(6))
    a_t, _, b_t = cook_toom(tuple(POINTS[i] for i in points[:-1]), outputs)
    planes = [6 * i + j for i in points for j in points]
    on_input, on_output = np.kron(b_t, b_t), np.hstack([np.kron(a_t, a_t), np.ones((outputs**2, 1))])
    if turned:  # plane (i, j) of the turned kernel is the one that belongs to the inverse points
        planes = [6 * INVERSE[i] + INVERSE[j] for i in points for j in points]
    order = sorted(range(len(planes)), key=planes.__getitem__)  # as the planes lie in memory
    on_input, on_output = on_input[order], on_output[:, [*order, len(order)]]
    return Transform(outputs, sorted(planes), on_input.astype(dtype), on_output.astype(dtype))


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
    """Compute the outputs of the 4x4 tiles in ``block``: kernel (36, Cin, Cout), bias (Cout,) or None."""
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
    """v (P, tiles * Cin) = B^T d B of the block's tiles."""
    d, side = planes(work, "d", len(v), v.shape[1], v.dtype), transform.outputs + 2
    source.gather(block, d.reshape(side, side, block.rows, block.columns, -1), work)
    _apply(transform.input, d, v)


def multiply(v: np.ndarray, kernel: np.ndarray, m: np.ndarray) -> None:
    """m = v @ kernel: all 36 products, or one of them."""
    np.matmul(v, kernel, out=m)


def transform_output(
    m: np.ndarray, transform: Transform, bias: np.ndarray | None, sink: Sink, block: Block, work: Workspace
) -> None:
    """Give A^T m A + bias to the sink; m (P + 1, tiles * Cout), whose last row is overwritten."""
    m[-1].reshape(block.rows * block.columns, -1)[...] = 0 if bias is None else bias
    n = transform.outputs
    out = planes(work, "d", n * n, m.shape[1], m.dtype)  # the gathered inputs are no longer needed
    _apply(transform.output, m, out)
    sink.scatter(out.reshape(n, n, block.rows, block.columns, -1), block, work)


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
