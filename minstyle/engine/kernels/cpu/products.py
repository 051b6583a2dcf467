"""Products of a tall matrix with a small one, cut into pieces that BLAS multiplies without copying.

OpenBLAS first copies ("packs") the operands into an order of its own, unless the product is small. Here packing costs
more than it saves: in pieces below that limit the product is up to twice as fast.
"""

from __future__ import annotations

import numpy as np

SMALL = 1_000_000  # multiplications; a product of more is packed
_FEWEST_ROWS = 48  # of a piece: thinner ones waste the arithmetic units


def multiply(x: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
    """out = x @ matrix for x (rows, n), matrix (n, m), out (rows, m)."""
    rows = SMALL // matrix.size
    whole = len(x) - len(x) % rows if rows >= _FEWEST_ROWS else 0
    if whole:
        pieces = x[:whole].reshape(-1, rows, x.shape[1])
        np.matmul(pieces, matrix, out=out[:whole].reshape(-1, rows, out.shape[1]))
    if whole < len(x):
        np.matmul(x[whole:], matrix, out=out[whole:])
