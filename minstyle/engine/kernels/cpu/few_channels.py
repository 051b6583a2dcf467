"""Convolutions with few channels on one side, such as a picture's three: the first layer and its gradient, on threads.

Winograd's method does not pay here. From few channels to many, a strip of rows is laid out as k*k*C planes, each the
whole strip shifted by one tap, which are long runs of memory; one matrix product makes the many channels of them. From
many channels to few, each row is multiplied into k*k*C planes, a product small enough that BLAS does not copy its
operands, and the planes are added with their shifts.
"""

from __future__ import annotations

import numpy as np

from . import products, threads
from .masks import BitReluMask, ReluMask
from .threads import Workspace
from .tiles import rectify

MOST_CHANNELS = 8
_STRIP = 8192  # pixels: with their planes about what a core's cache holds
_FEWEST_PIXELS = 1024  # of a strip of a small picture, which is cut into four: each thread should get some

Strip = tuple[int, int]  # first row, and the one after the last


def convolve_few_to_many(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    relu: bool,
    mask: BitReluMask | None = None,
    valid: bool = False,
) -> np.ndarray:
    """Convolution of x (H, W, few) with kernel (k, k, few, Cout), with ReLU if asked for. -> (H, W, Cout)

    ``mask``, if given, is filled with where the result is above zero. ``valid``: without padding, so that
    (H - k + 1, W - k + 1, Cout) is left.
    """
    size, _, cin, cout = kernel.shape
    r, taps = 0 if valid else size // 2, size * size * cin
    padded = np.zeros((cin, x.shape[0] + 2 * r, x.shape[1] + 2 * r), dtype=x.dtype)
    padded[:, r : r + x.shape[0], r : r + x.shape[1]] = x.transpose(2, 0, 1)
    height, width = padded.shape[1] - size + 1, padded.shape[2] - size + 1
    # The bias is the weight of one more plane, which is 1 everywhere.
    matrix = np.empty((taps + 1, cout), dtype=x.dtype)
    matrix[:taps] = kernel.reshape(taps, cout)
    matrix[taps] = 0 if bias is None else bias
    y = np.empty((height, width, cout), dtype=x.dtype)

    def strip_of(strip: Strip, work: Workspace) -> None:
        top, bottom = strip
        planes = work.array("planes", (taps + 1, bottom - top, width), x.dtype)
        plane, down, along = padded.strides
        shape = (size, size, cin, bottom - top, width)
        # NumPy's as_strided takes ten times as long, and holds up the other threads meanwhile.
        shifted = np.ndarray(shape, x.dtype, padded, top * down, (down, along, plane, down, along))
        planes[:taps].reshape(shape)[...] = shifted
        planes[taps] = 1
        out = y[top:bottom].reshape(-1, cout)
        products.multiply(planes.reshape(taps + 1, -1).T, matrix, out)
        if relu:
            rectify(out[None], work)
        if mask is not None:
            mask.put(slice(top, bottom), slice(0, width), y[top:bottom] > 0)

    threads.run(strip_of, _strips(height, width))
    return y


def convolve_many_to_few(x: np.ndarray, mask: ReluMask | None, kernel: np.ndarray, full: bool = False) -> np.ndarray:
    """Convolution of x (H, W, Cin) times ``mask`` (None: 1) with kernel (k, k, Cin, few). -> (H, W, few)

    ``full``: also at the k // 2 pixels around x that its edge reaches, -> (H + k - 1, W + k - 1, few).
    """
    size, _, cin, cout = kernel.shape
    height, width, _ = x.shape
    r = size // 2
    frame = r if full else 0
    matrix = np.ascontiguousarray(kernel.transpose(0, 1, 3, 2)).reshape(-1, cin)  # (k*k*Cout, Cin)
    y = np.empty((height + 2 * frame, width + 2 * frame, cout), dtype=kernel.dtype)

    def strip_of(strip: Strip, work: Workspace) -> None:
        top, bottom = strip[0] - frame, strip[1] - frame  # rows as x counts them
        first, last = max(top - r, 0), min(bottom + r, height)  # rows that the strip sees
        seen = slice(first, last)
        rows = x[seen]
        if mask is not None:
            rows = np.multiply(rows, mask.get(seen, slice(None)), out=work.array("masked", rows.shape, y.dtype))
        planes = work.array("planes", (last - first, len(matrix), width), y.dtype)
        np.matmul(matrix, rows.swapaxes(1, 2), out=planes)  # row by row: products that BLAS does not copy
        total = work.array("total", (cout, bottom - top + 4 * r, width + 2 * r), y.dtype)
        total.fill(0)
        start = first - (top - r)
        for tap, (i, j) in enumerate(np.ndindex(size, size)):
            # What each seen pixel gives to the output (i - r) rows above it and (j - r) columns before it.
            given = planes[:, tap * cout : (tap + 1) * cout].swapaxes(0, 1)
            down, along = start + 2 * r - i, 2 * r - j
            total[:, down : down + given.shape[1], along : along + width] += given
        part = total[:, 2 * r : 2 * r + bottom - top, r - frame : r + width + frame]
        y[slice(*strip)] = part.transpose(1, 2, 0)

    threads.run(strip_of, _strips(*y.shape[:2]))
    return y


def _strips(height: int, width: int) -> list[Strip]:
    rows = max(1, min(_STRIP, max(height * width // 4, _FEWEST_PIXELS)) // width)
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]
