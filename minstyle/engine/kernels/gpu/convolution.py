"""Convolution 3x3 and products at every pixel on a device, by the kernels of ``sources/convolution.cu``."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from ....backend import Array, array_module, is_cupy
from ..cpu.masks import ArgMax
from .compiled import (
    Narrow,
    blocks,
    check,
    common_memory,
    contiguous,
    kernel,
    launch,
    most_shared,
    multiprocessors,
    product,
)
from .half import HALF, TF32, is_half, multiplies_narrow, to_half
from .masks import AS_IT_IS, BFLOAT, OF_TF32, Mask, WordReluMask, adjoint
from .memory import keep

# Tiles: (channels of the result, patches of 8 rows one above the other), and the ring's stages: see convolution.cu.
_STAGES = {(64, 1): 4, (64, 2): 3, (128, 1): 4}
_SHALLOW = "-DSHALLOW=1"  # of two stages, where shared memory is short
_COLUMNS, _ROW = 16, 128
Tile = tuple[int, int]


class Packed:
    """A kernel (k, k, Cin, Cout), k = 1 or 3, in the order in which the kernels of a device read it.

    ``turned``: by 180 degrees, with its channel axes swapped, for the gradient. ``lasting``: it is constant, and kept
    from call to call. Packed once a tile, and kept for one precision at a time.
    """

    def __init__(self, array: Array, turned: bool, lasting: bool) -> None:
        self.array, self.turned, self.lasting = contiguous(array), turned, lasting
        self.taps = array.shape[0] ** 2
        self.inner, self.outer = array.shape[:1:-1] if turned else array.shape[2:]
        self._packed: dict[tuple[int, bool, Narrow], Array] = {}

    def tiles(self, width: int, rounded: bool, narrow: Narrow = Narrow.NONE) -> Array:
        """The tiles of ``width`` channels of the result, flat; ``rounded`` to TF32, or ``narrow``."""
        kind = (width, rounded, narrow)
        packed = self._packed.get(kind)
        if packed is None:
            with common_memory() if self.lasting else contextlib.nullcontext():
                packed = self._pack(*kind)
            others = {other: tiles for other, tiles in self._packed.items() if other[1:] == kind[1:]}
            self._packed = {**others, kind: packed}  # ready by now: another thread may read it
        if self.lasting:
            keep(packed)
        return packed

    def _pack(self, width: int, rounded: bool, narrow: Narrow) -> Array:
        xp, (cin, cout) = array_module(self.array), self.array.shape[2:]
        source = xp.ascontiguousarray(self.array[::-1, ::-1]) if self.turned else self.array
        steps = (cin * cout, 1, cout) if self.turned else (cin * cout, cout, 1)
        deep, dtype = (64, np.uint16) if narrow else (32, source.dtype)
        chunks, rows = blocks(self.inner, deep), blocks(self.outer, width) * width
        out = xp.empty(self.taps * chunks * deep * rows, dtype=dtype)
        arguments = [source, out, width, self.taps, self.inner, self.outer, *steps, rounded]
        pack = kernel("convolution.cu", "pack", narrow=narrow)
        launch(pack, (chunks, self.taps, rows // 32), 256, arguments, 32 * 33 * 4)
        return out


def convolve(
    x: Array, packed: Packed, bias: Array | None, into: Array | None = None, weights: Array | None = None
) -> Array:
    """``kernels.convolve`` or, with a kernel 1x1, ``kernels.add_product``: added to ``into`` if that is given.

    x float32 (H, W, Cin). ``weights`` (H, W): the result is multiplied by them before it is added. -> (H, W, Cout)
    """
    y = array_module(x).empty((*x.shape[:2], packed.outer), dtype=np.float32) if into is None else into
    target = contiguous(y)
    arguments: dict[str, Any] = {"scale": weights, "y": target, "add": into is not None}
    _start("product" if packed.taps == 1 else "convolve", x, packed, bias, **arguments)
    if target is not y:
        y[...] = target
    return y


def convolve_relu(
    x: Array, packed: Packed, bias: Array | None, bits: bool, half: bool = False
) -> tuple[Array, WordReluMask | None]:
    """``kernels.convolve_relu``; the mask only if ``bits``. In TF32 the result is rounded to it.

    ``half``: the result is a map in half precision, where convolutions now take that.
    """
    y = _result(x, (*x.shape[:2], packed.outer), half)
    mask = WordReluMask.empty(y.shape, x) if bits else None
    _start("convolve_relu", x, packed, bias, y=y, mask=mask and mask.words, rounded=True)
    return y, mask


def convolve_relu_pool(x: Array, packed: Packed, bias: Array | None, half: bool = False) -> tuple[Array, ArgMax]:
    """``kernels.convolve_relu_pool``; ``half`` as in ``convolve_relu``."""
    height, width = x.shape[:2]
    y = _result(x, (height // 2, width // 2, packed.outer), half)
    index = array_module(x).empty(y.shape, dtype=np.uint8)
    _start("convolve_relu_pool", x, packed, bias, y=y, index=index, rounded=True)
    return y, ArgMax((height, width, packed.outer), index)


def input_gradient(g: Array, packed: Packed, mask: Mask | None, into: Array | None) -> Array:
    """``kernels.input_gradient``, ``packed`` turned: of g where ``mask`` lets it through. -> (H, W, Cin)"""
    if multiplies_narrow(packed.inner, packed.taps):
        return convolve(adjoint(g, mask, BFLOAT), packed, None, into)
    if mask is not None or product() > 0:
        g = adjoint(g, mask, OF_TF32 if product() > 0 else AS_IT_IS)
    return convolve(g, packed, None, into)


def rounded(y: Array) -> Array:
    """A map on a device that none of our kernels made, as they store theirs; anything else as it is.

    Of its digits a convolution in TF32 would cut some off, which makes all results smaller.
    """
    a_map = is_cupy(y) and y.ndim == 3 and y.dtype == np.float32 and y.shape[2] % 4 == 0
    fit = a_map and product() > 0 and not multiplies_narrow(y.shape[2])
    return adjoint(y, None, OF_TF32) if fit else y


def _result(x: Array, shape: tuple[int, ...], half: bool) -> Array:
    return array_module(x).empty(shape, dtype=np.uint16 if half and multiplies_narrow(shape[2]) else np.float32)


def _start(
    name: str, x: Array, packed: Packed, bias: Array | None, *, y: Array, scale: Array | None = None,
    mask: Array | None = None, index: Array | None = None, add: bool = False, rounded: bool = False,
) -> None:  # fmt: skip
    height, width, inner = x.shape
    if height * width == 0:
        return
    pooled = (height // 2, width // 2) if index is not None else (height, width)
    check("x", x, (height, width, packed.inner), x.dtype)
    check("bias", bias, (packed.outer,))
    check("weights", scale, (height, width))
    check("result", y, (*pooled, packed.outer), y.dtype if is_half(y) and not add else np.float32)
    tile = _tile(height, width, packed)
    n, up = tile
    shallow = not _has_room(tile, packed.taps, False)
    shared, threads = shared_memory(tile, packed.taps, shallow), 256 + 32 * (product() == 2)
    grid = blocks(packed.outer, n) * blocks(height, 8 * up) * blocks(width, _COLUMNS)
    bias, scale = (None if array is None else contiguous(array) for array in (bias, scale))
    x, narrow = _factors(x, packed)
    rounding = HALF if is_half(y) else TF32 if rounded and product() > 0 else 0
    arguments = [
        x, packed.tiles(n, product() > 0, narrow), bias, scale, *((None, y) if is_half(y) else (y, None)), mask, index,
        height, width, inner, packed.outer, add, rounding,
    ]  # fmt: skip
    chosen = kernel("convolution.cu", f"{name}_{n}_{up}", shared, narrow, (_SHALLOW,) if shallow else ())
    launch(chosen, (grid,), threads, arguments, shared)


def _factors(x: Array, packed: Packed) -> tuple[Array, Narrow]:
    """(x as the kernel reads it, of what kind its factors are): gradients come in bfloat16 already."""
    if packed.turned and is_half(x):
        return x, Narrow.BFLOAT
    if packed.turned or not multiplies_narrow(packed.inner, packed.taps):
        return contiguous(x), Narrow.NONE
    return x if is_half(x) else to_half(x), Narrow.HALF


def _tile(height: int, width: int, packed: Packed) -> Tile:
    """The largest tile that fits and gives every multiprocessor work; of 64 channels where there are no more."""
    across, outer = blocks(width, _COLUMNS), packed.outer
    wanted: Tile = (64, 1)
    if outer > 64 and blocks(height, 8) * across * blocks(outer, 128) > multiprocessors() // 2:
        wanted = (128, 1)
    elif outer <= 64 and packed.taps == 9 and blocks(height, 16) * across >= multiprocessors():
        wanted = (64, 2)
    return wanted if _has_room(wanted, packed.taps, True) else (64, 1)


def fits() -> bool:
    """Whether the smallest tile finds room in the shared memory of the current card, as on all since 2018."""
    return all(_has_room((64, 1), taps, True) for taps in (1, 9))


def _has_room(tile: Tile, taps: int, shallow: bool) -> bool:
    return shared_memory(tile, taps, shallow) <= most_shared()


def shared_memory(tile: Tile, taps: int, shallow: bool = False) -> int:
    """Bytes of shared memory: patches, the ring with its barriers, and what aligning them to 1024 may take."""
    n, up = tile
    places = 2 if taps == 9 or shallow else 3
    frame = 2 * (taps == 9)
    patch = blocks((8 * up + frame) * (_COLUMNS + frame) * _ROW, 1024) * 1024
    stages = 2 if shallow else 3 if (tile, taps) == ((128, 1), 1) else _STAGES[tile]
    return 1024 + places * patch + stages * (n * _ROW + 16)
