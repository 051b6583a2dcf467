"""The kernels' public functions, the dispatch: arrays in, arrays out, no differentiation.

Which code computes it is decided here. That in ``cpu`` takes NumPy arrays (its ``masks`` CuPy's too), that in ``gpu``
CuPy's, the files beside this one both.
"""

from __future__ import annotations

import numpy as np

from ...backend import Array, array_module, is_cupy
from . import direct, gpu
from .bands import by_rows, dots, fetched, largest_entry, row_products
from .constant import Kernel
from .cpu import few_channels, grams, masks, sorting, strips, tiles
from .cpu.masks import ArgMax, BitReluMask, MapReluMask, ReluMask, max_pool, window_corners
from .cpu.strips import MOST_SHARED
from .cpu.threads import Arena, thread_count, use_threads
from .gpu import Replay, check_precision, free_memory, on_compiling, peak_memory, rounded, use_precision
from .halving import add_enlarged, shrunk, shrunk_norm
from .roots import trace_sqrt
from .variation import apart_with_gradient, total_variation, total_variation_gradient, variation_with_gradient

__all__ = [
    "MOST_SHARED", "Arena", "ArgMax", "BitReluMask", "Kernel", "Mask", "Replay", "add_enlarged", "add_product",
    "apart_with_gradient", "by_rows", "check_precision", "convolve", "convolve_relu", "convolve_relu_pool", "dots",
    "fetched", "free_memory", "gram", "input_gradient", "kernel_gradient", "largest_entry", "matmul", "max_pool",
    "on_compiling", "peak_memory", "plus_transpose", "rounded", "rounds", "row_products", "shrunk", "shrunk_norm",
    "sort_columns", "thread_count", "total_variation", "total_variation_gradient", "trace_sqrt", "unsort_columns",
    "use_precision", "use_threads", "variation_with_gradient", "weighted_sum", "window_corners", "zero_pad",
]  # fmt: skip

# Below this many channels the transforms of Winograd's method cost more than it saves.
_FEWEST_CHANNELS = 16

Mask = ReluMask | ArgMax | gpu.WordReluMask


def convolve(x: Array, kernel: Array | Kernel, bias: Array | None, valid: bool = False) -> Array:
    """y[i, j] = bias + sum over (di, dj) of x[i + di - r, j + dj - r] @ kernel[di, dj], zeros outside. -> (H, W, Cout)

    x (H, W, Cin), kernel (2r+1, 2r+1, Cin, Cout), bias (Cout,) or None. ``valid``: only where all of the neighbourhood
    is inside, (H - 2r, W - 2r, Cout).
    """
    x, kernel = _prepared(x, kernel)
    if valid:
        if _suits_few_channels(x, kernel):
            return few_channels.convolve_few_to_many(x, kernel.array, bias, relu=False, valid=True)
        if gpu.suits_few(x, kernel):
            return gpu.few_to_many(x, kernel.array, bias, relu=False, bits=False, valid=True)[0]
        return _inside(convolve(x, kernel, bias), kernel)
    if _suits_winograd(x, kernel):
        y = np.empty((*x.shape[:2], kernel.shape[3]), dtype=x.dtype)
        _forward(x, kernel, bias, tiles.Store(y))
        return y
    if gpu.suits(x, kernel):
        return gpu.convolve(x, kernel.packed[0], bias)
    if gpu.suits_few(x, kernel):
        return gpu.few_to_many(x, kernel.array, bias, relu=False, bits=False, valid=False)[0]
    if _suits_product(x, kernel):
        y = add_product(x, kernel.array[0, 0], None)
        if bias is not None:
            y += bias
        return y
    if _suits_few_channels(x, kernel):
        return few_channels.convolve_few_to_many(x, kernel.array, bias, relu=False)
    return direct.convolve(x, kernel.array, bias)


def convolve_relu(
    x: Array,
    kernel: Array | Kernel,
    bias: Array | None,
    caller_keeps: bool = False,
    valid: bool = False,
    half: bool = False,
) -> tuple[Array, ReluMask | gpu.WordReluMask]:
    """(max(y, 0), its mask y > 0) for y = ``convolve(...)``, in one pass.

    ``caller_keeps``: the result stays in memory anyway, so the mask refers to it instead of storing bits. ``half``:
    only a convolution reads the result, which may then be a map in half precision, see ``gpu/half.py``.
    """
    x, kernel = _prepared(x, kernel)
    if gpu.suits_few(x, kernel) or (gpu.suits(x, kernel) and not valid):
        return _convolve_relu_on_device(x, kernel, bias, not caller_keeps, valid, half)
    r = kernel.shape[0] // 2 if valid else 0
    shape = (x.shape[0] - 2 * r, x.shape[1] - 2 * r, kernel.shape[3])
    mask = BitReluMask(shape) if _on_host(x, kernel) and not caller_keeps else None
    if _suits_winograd(x, kernel) and not valid:
        y = np.empty(shape, dtype=x.dtype)
        _forward(x, kernel, bias, tiles.Rectify(y, mask))
    elif _suits_few_channels(x, kernel):
        y = few_channels.convolve_few_to_many(x, kernel.array, bias, True, mask, valid)
    else:
        y = convolve(x, kernel, bias, valid)
        y = y.clip(0, None, out=y)
        mask = None if caller_keeps else BitReluMask.of(y)
    return y, MapReluMask(y) if mask is None else mask


def _convolve_relu_on_device(
    x: Array, kernel: Kernel, bias: Array | None, bits: bool, valid: bool, half: bool
) -> tuple[Array, ReluMask | gpu.WordReluMask]:
    if gpu.suits(x, kernel):
        y, words = gpu.convolve_relu(x, kernel.packed[0], bias, bits, half)
    else:
        y, words = gpu.few_to_many(x, kernel.array, bias, True, bits, valid, half)
    return y, MapReluMask(y) if words is None else words


def convolve_relu_pool(
    x: Array, kernel: Array | Kernel, bias: Array | None, half: bool = False
) -> tuple[Array, ArgMax]:
    """``max_pool`` of ``convolve_relu``'s result, in one pass; a window without an entry above zero has index NONE.

    ``half`` as there.
    """
    x, kernel = _prepared(x, kernel)
    shape = (*x.shape[:2], kernel.shape[3])
    if _suits_winograd(x, kernel):
        pooled = (shape[0] // 2, shape[1] // 2, shape[2])
        y, argmax = np.empty(pooled, dtype=x.dtype), ArgMax(shape, np.empty(pooled, dtype=np.uint8))
        _forward(x, kernel, bias, tiles.RectifyAndPool(y, argmax))
        return y, argmax
    if gpu.suits(x, kernel):
        return gpu.convolve_relu_pool(x, kernel.packed[0], bias, half)
    y, argmax = max_pool(convolve_relu(x, kernel, bias, caller_keeps=True)[0])
    argmax.index = array_module(y).where(y > 0, argmax.index, np.uint8(masks.NONE))  # a mask as an index would wait
    return y, argmax


def input_gradient(
    g: Array, kernel: Array | Kernel, mask: Mask | None = None, into: Array | None = None, valid: bool = False
) -> Array:
    """Gradient of ``convolve`` with respect to x, given g (H, W, Cout). -> (H, W, Cin)

    It is itself a convolution: of g with the kernel turned by 180 degrees and its channel axes swapped. ``mask``: what
    ``convolve_relu`` or ``convolve_relu_pool`` returned, if g is the gradient with respect to their result. ``into``:
    an array that the result is added to in place; it is returned. ``valid``: of the valid convolution, g
    (H - 2r, W - 2r, Cout).
    """
    g, kernel = _prepared(g, kernel)
    if valid and not (_suits_few_channels(g, kernel) or gpu.suits_few(g, kernel)):
        g, mask = zero_pad(g if mask is None else mask.backward(g), kernel), None
    if _suits_winograd(g, kernel):
        shape = g.shape[:2] if mask is None else mask.shape[:2]
        dx = np.empty((*shape, kernel.shape[2]), dtype=g.dtype) if into is None else into
        sink = tiles.Store(dx) if into is None else tiles.Add(dx)
        strips.convolve(_source(g, mask), kernel.transformed[1], True, None, sink)
        return dx
    if gpu.suits(g, kernel):
        return gpu.input_gradient(g, kernel.packed[1], mask, into)
    if gpu.suits_few(g, kernel):
        words = mask if isinstance(mask, gpu.WordReluMask) else None
        g = g if mask is None or words is not None else gpu.adjoint(g, mask)
        return gpu.many_to_few(g, kernel.array, words, into, valid)
    if _suits_product(g, kernel):
        back = array_module(g).ascontiguousarray(kernel.array[0, 0].T)  # BLAS is slow with the transposed view
        return add_product(g if mask is None else mask.backward(g), back, into)
    turned = kernel.array[::-1, ::-1].swapaxes(2, 3)
    if _suits_few_channels(g, kernel):
        read = mask if isinstance(mask, ReluMask) else None
        g = g if mask is None or read is not None else mask.backward(g)
        dx = few_channels.convolve_many_to_few(g, read, turned, full=valid)
    else:
        dx = direct.convolve(g if mask is None else mask.backward(g), turned, None)
    if into is None:
        return dx
    into += dx
    return into


def zero_pad(g: Array, kernel: Array | Kernel) -> Array:
    """g (H, W, C) in a frame of r zeros, for a kernel (2r+1, 2r+1, ...): the adjoint of cutting that frame off."""
    r = kernel.shape[0] // 2
    return array_module(g).pad(g, ((r, r), (r, r), (0, 0)))


def _inside(y: Array, kernel: Kernel) -> Array:
    """The pixels of y whose whole neighbourhood was inside the picture: y without a frame of r pixels."""
    r = kernel.shape[0] // 2
    return array_module(y).ascontiguousarray(y[r : y.shape[0] - r, r : y.shape[1] - r])


def kernel_gradient(x: Array, g: Array, size: int) -> Array:
    """Gradient of ``convolve`` with respect to a size x size kernel. -> (size, size, Cin, Cout)"""
    return direct.kernel_gradient(x, g, size)


def gram(flat: Array, weights: Array | None = None) -> Array:
    """F^T diag(weights) F of F (M, C), weights (M,) of non-negative numbers (None: ones). -> (C, C)"""
    if not is_cupy(flat):
        return grams.gram(flat, weights)
    if gpu.suits_map(flat):
        return gpu.gram(flat, weights)
    return flat.T @ (flat if weights is None else flat * weights[:, None])


def plus_transpose(g: Array) -> Array:
    """g + g^T of a matrix g (C, C)."""
    return g + g.T if is_cupy(g) else grams.plus_transpose(g)


def weighted_sum(flat: Array, weights: Array) -> Array:
    """The sum of the rows of F (M, C), each times its weight (M,). -> (C,) in float64"""
    if not is_cupy(flat):
        return grams.weighted_sum(flat, weights)
    if gpu.suits_map(flat, 1) and gpu.suits_map(weights, 1):
        return gpu.weighted_sum(flat, weights)
    return (weights @ flat).astype("float64")


def matmul(a: Array, b: Array) -> Array:
    """a (N, K) @ b (K, M) or (K,), of small matrices. -> (N, M) or (N,)"""
    if not (gpu.suits_map(a, 1) and gpu.suits_map(b, 1)):
        return a @ b
    return gpu.matmul(a, b) if b.ndim == 2 else gpu.matmul(a, b[:, None])[:, 0]


def add_product(f: Array, matrix: Array, into: Array | None, weights: Array | None = None) -> Array:
    """f @ S at every pixel of a map f (H, W, C), S (C, K), added to ``into`` (H, W, K) in place if that is given.

    ``weights`` (H, W): the product is multiplied by them first.
    """
    if not is_cupy(f):
        return grams.add_product(f, matrix, into, weights)
    if gpu.suits(f, matrix[None, None]):
        return gpu.convolve(f, gpu.Packed(matrix[None, None], False, lasting=False), None, into, weights)
    # One product, not one a row of the map, which is what CuPy would make of it; of one channel none at all.
    flat = f.reshape(-1, f.shape[2])
    product = (flat * matrix if f.shape[2] == 1 else flat @ matrix).reshape(*f.shape[:2], -1)
    if weights is not None:
        product *= weights[:, :, None]
    if into is None:
        return product
    into += product
    return into


def rounds() -> bool:
    """Whether the current GPU, at the current precision, rounds the factors of products of float32."""
    return gpu.product() > 0


def sort_columns(flat: Array) -> tuple[Array, Array]:
    """(each column of F (M, C) in ascending order (M, C), the index of each entry in its column (C, M), int32)."""
    if not is_cupy(flat):
        return sorting.sort_columns(flat)
    xp = array_module(flat)
    order = xp.argsort(flat.T, axis=1).astype(xp.int32)
    return xp.take_along_axis(flat.T, order, axis=1).T, order


def unsort_columns(g: Array, order: Array) -> Array:
    """The inverse of ``sort_columns``: the entries of g (M, C) back where ``order`` says they came from. -> (M, C)"""
    if not is_cupy(g):
        return sorting.unsort_columns(g, order)
    xp = array_module(g)
    planes = xp.empty(order.shape, dtype=g.dtype)
    planes[xp.arange(len(order))[:, None], order] = g.T
    return xp.ascontiguousarray(planes.T)


def _prepared(x: Array, kernel: Array | Kernel) -> tuple[Array, Kernel]:
    if not isinstance(kernel, Kernel):
        return x, Kernel(kernel, lasting=False)  # kept by nobody: what is made of it waits for nobody
    if gpu.is_half(x):
        return x if gpu.suits(x, kernel) else gpu.widened(x), kernel
    return x.astype(kernel.dtype, copy=False), kernel


def _forward(x: np.ndarray, kernel: Kernel, bias: np.ndarray | None, sink: tiles.Sink) -> None:
    strips.convolve(tiles.Map(x), kernel.transformed[0], False, bias, sink)


def _source(g: np.ndarray, mask: Mask | None) -> tiles.Source:
    if isinstance(mask, ArgMax):
        return tiles.Unpooled(g, mask)
    return tiles.Masked(g, mask) if isinstance(mask, ReluMask) else tiles.Map(g)


def _suits_winograd(x: Array, kernel: Kernel) -> bool:
    return _on_host(x, kernel) and kernel.shape[:2] == (3, 3) and min(kernel.shape[2:]) >= _FEWEST_CHANNELS


def _suits_product(x: Array, kernel: Kernel) -> bool:
    return kernel.shape[:2] == (1, 1) and is_cupy(x) == kernel.on_device and x.dtype == kernel.dtype


def _suits_few_channels(x: Array, kernel: Kernel) -> bool:
    return _on_host(x, kernel) and kernel.shape[2] <= few_channels.MOST_CHANNELS


def _on_host(x: Array, kernel: Kernel) -> bool:
    """Both are NumPy arrays of one floating type."""
    return not is_cupy(x) and not kernel.on_device and x.dtype == kernel.dtype and x.dtype in (np.float32, np.float64)
