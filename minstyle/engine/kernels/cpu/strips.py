"""How a Winograd convolution is cut into tasks. The cut depends on the shapes alone, never on the number of threads.

With few channels, a task is a block of tiles that goes through all steps while it is in a core's cache. With many, the
matrix products of so small a block would be thin. There a larger part of the map takes one step after another: first a
task is some tiles in a line to transform, then one of the 36 products, then tiles in a line to transform back. The
smallest maps are cut into tiles of 2x2 outputs, which need only 16 products.
"""

from __future__ import annotations

import itertools

import numpy as np

from . import products, threads, winograd
from .threads import Workspace
from .tiles import Block, Sink, Source
from .winograd import Transform

# Values in a plane of a block, inputs and outputs together: 36 such planes are about what a core's cache holds. With
# smaller blocks the threads would wait for each other between many short tasks.
_BLOCK = 16_000
_ENOUGH_TILES = 48  # of a block: with fewer the products are thin
# Up to this many entries of the kernel, blocks are faster than steps, even where BLAS packs the operands.
_MEDIUM, _MEDIUM_TILES = 160 * 160, 96
_FEWEST_TILES = 24  # of a block of a small map, which is cut into four blocks: each thread should get some
# To copy ("pack") a matrix before it multiplies costs BLAS as much as to multiply so many rows with it.
_PACKING = 20
# Values in a plane of a larger part, of which 36 planes before and 37 after the products are in memory at once.
_PLANE = 1 << 18
# Values in a plane of a piece of a line of tiles: its planes, and those they are made into, stay in a core's cache.
_LINE = 8_000
MOST_SHARED = (36 + 37) * _PLANE  # values: what the threads of one convolution share is never much larger


def convolve(source: Source, kernel: np.ndarray, turned: bool, bias: np.ndarray | None, sink: Sink) -> None:
    """Send the convolution of ``source`` with the transformed ``kernel`` (36, Cin, Cout) to ``sink``.

    ``turned``: the transformed kernel is turned by 180 degrees first.
    """
    (height, width, cin), cout = source.shape, kernel.shape[2]
    down, across = -(-height // 4), -(-width // 4)
    most = min(products.SMALL // (cin * cout), _BLOCK // (cin + cout))
    if most >= _ENOUGH_TILES or cin * cout <= _MEDIUM:
        most = most if most >= _ENOUGH_TILES else _MEDIUM_TILES
        tiles = min(max(down * across // 4, _FEWEST_TILES), most)
        transform = winograd.transform(source.dtype, 4, turned)

        def block_of(block: Block, work: Workspace) -> None:
            winograd.convolve_block(source, transform, kernel, bias, sink, block, work)

        threads.run(block_of, cut(down, across, tiles))
        return
    outputs, (down, across) = _tiling(height, width)
    transform = winograd.transform(source.dtype, outputs, turned)
    for block in cut(down, across, max(_PLANE // max(cin, cout), _ENOUGH_TILES)):
        _step_by_step(source, kernel, transform, bias, sink, block)


def _tiling(height: int, width: int) -> tuple[int, tuple[int, int]]:
    """The outputs n of an n x n tile for a map of many channels, and how many tiles cover it: (n, (down, across))."""
    two, four = ((-(-height // n), -(-width // n)) for n in (2, 4))
    cost = [(n + 2) ** 2 * (_PACKING + down * across) for n, (down, across) in ((2, two), (4, four))]
    return (2, two) if cost[0] < cost[1] else (4, four)


def cut(down: int, across: int, tiles: int) -> list[Block]:
    """Blocks of at most ``tiles`` tiles that cover a map of (down, across) tiles, as equal in size as can be."""
    columns = -(-across // -(-across // tiles))
    rows = -(-down // -(-down // max(1, tiles // columns)))
    return [
        Block(top, left, min(rows, down - top), min(columns, across - left))
        for top in range(0, down, rows)
        for left in range(0, across, columns)
    ]


def _step_by_step(
    source: Source, kernel: np.ndarray, transform: Transform, bias: np.ndarray | None, sink: Sink, block: Block
) -> None:
    (_, cin, cout), tiles = kernel.shape, block.rows * block.columns
    with threads.shared_workspace() as shared:
        count = len(transform.planes)
        v = winograd.planes(shared, "v", count, tiles * cin, source.dtype)
        m = winograd.planes(shared, "m", count + 1, tiles * cout, source.dtype)

        def transform_input(piece: Piece, work: Workspace) -> None:
            part, first, end = piece
            winograd.transform_input(source, transform, part, v[:, first * cin : end * cin], work)

        def product(i: int, work: Workspace) -> None:
            winograd.multiply(v[i].reshape(tiles, cin), kernel[transform.planes[i]], m[i].reshape(tiles, cout))

        def transform_output(piece: Piece, work: Workspace) -> None:
            part, first, end = piece
            winograd.transform_output(m[:, first * cout : end * cout], transform, bias, sink, part, work)

        threads.run(transform_input, _pieces(block, _LINE // cin))
        threads.run(product, range(count))
        threads.run(transform_output, _pieces(block, _LINE // cout))


Piece = tuple[Block, int, int]  # and its first tile and the one after its last, of those of the block that it is of


def _pieces(block: Block, tiles: int) -> list[Piece]:
    """The lines of a block, whose tiles are neighbours in memory, in pieces of at most so many, as equal as can be."""
    count = -(-block.columns // max(1, tiles))
    borders = [block.columns * i // count for i in range(count + 1)]
    return [
        (Block(block.top + i, block.left + first, 1, end - first), i * block.columns + first, i * block.columns + end)
        for i in range(block.rows)
        for first, end in itertools.pairwise(borders)
    ]
