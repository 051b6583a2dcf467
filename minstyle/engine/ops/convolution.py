"""Convolution, alone or fused with ReLU and max pooling. Notation as in the index, ``ops/__init__``."""

from __future__ import annotations

from typing import Any

from ...backend import Array
from ...errors import require
from .. import kernels
from ..autodiff import Accumulating, ValueAndVjps, Var, Vjp, differentiable, value_of

# From an input of at most _FEW channels, a result of at least _MANY is cheaper to recompute than to keep.
_FEW, _MANY = 3, 32


@differentiable
def conv2d(x: Array, kernel: Array, bias: Array, *, valid: bool = False) -> ValueAndVjps:
    """Convolution of x (H, W, Cin) with an odd square kernel (k, k, Cin, Cout) and bias (Cout,). -> (H, W, Cout)

    Stride 1, zero padding, same size; as in every network library the kernel is not turned (a correlation). ``valid``:
    without padding, -> (H - k + 1, W - k + 1, Cout); after ``pad`` that is a convolution with padding of any kind.
    A constant kernel may be given as ``kernels.Kernel``, which keeps its transforms from call to call.
    Keeps the kernel for dx, and x only if the kernel is differentiated. Raises ShapeError.
    """
    _check_convolution(x, kernel, bias, valid)
    return kernels.convolve(x, kernel, bias, valid), _convolution_vjps(x, kernel, None, valid)


def conv_relu(
    x: Any, kernel: Any, bias: Any, *, caller_keeps: bool = False, valid: bool = False, half: bool = False
) -> Any:
    """relu(conv2d(x, kernel, bias, valid=valid)) in one pass, without the map before ReLU.

    Keeps the mask y > 0, a bit per entry (a byte on a GPU), and what ``conv2d`` keeps.
    ``caller_keeps``: y stays in memory anyway, for ``gram`` say; it then serves as its own mask, and no bits are made.
    ``half``: only a convolution reads y, see ``kernels.convolve_relu``.

    The first layer's y is large and cheap to compute. Where x has the few channels of a picture and y many, y therefore
    gets a ``recompute``, with which ``gram`` need not keep it, and bits are made whatever ``caller_keeps`` says.
    """
    array = value_of(x)
    _check_convolution(array, value_of(kernel), value_of(bias), valid)
    constant = not isinstance(kernel, Var) and not isinstance(bias, Var)
    if not isinstance(x, Var) or not constant or array.shape[2] > _FEW or kernel.shape[3] < _MANY:
        return _conv_relu(x, kernel, bias, caller_keeps=caller_keeps, valid=valid, half=half)
    y = _conv_relu(x, kernel, bias, caller_keeps=False, valid=valid, half=half)
    y.recompute = lambda rows: _rows_of_conv_relu(array, kernel, bias, rows, valid)
    return y


@differentiable
def _conv_relu(x: Array, kernel: Array, bias: Array, *, caller_keeps: bool, valid: bool, half: bool) -> ValueAndVjps:
    y, mask = kernels.convolve_relu(x, kernel, bias, caller_keeps, valid, half)
    return y, _convolution_vjps(x, kernel, mask, valid)


def _rows_of_conv_relu(x: Array, kernel: Array, bias: Array, rows: slice, valid: bool) -> Array:
    r = kernel.shape[0] // 2
    if valid:
        y, _ = kernels.convolve_relu(x[rows.start : rows.stop + 2 * r], kernel, bias, caller_keeps=True, valid=True)
        return y
    top, bottom = max(rows.start - r, 0), min(rows.stop + r, x.shape[0])  # the rows that these depend on
    y, _ = kernels.convolve_relu(x[top:bottom], kernel, bias, caller_keeps=True)
    return y[rows.start - top : rows.stop - top]


@differentiable
def conv_relu_pool2(x: Array, kernel: Array, bias: Array, *, half: bool = False) -> ValueAndVjps:
    """max_pool2(relu(conv2d(x, kernel, bias))) in one pass, without the maps in between.

    Keeps the index of each window's largest entry, or that none is > 0, a byte per output entry, and what ``conv2d``
    keeps. ``half`` as in ``conv_relu``.
    """
    _check_convolution(x, kernel, bias)
    y, argmax = kernels.convolve_relu_pool(x, kernel, bias, half)
    return y, _convolution_vjps(x, kernel, argmax)


def _convolution_vjps(x: Array, kernel: Array, mask: kernels.Mask | None, valid: bool = False) -> tuple[Vjp, ...]:
    def at_convolution(g: Array) -> Array:
        """The gradient with respect to the convolution's own result, before ReLU and pooling. -> (H, W, Cout)

        Of a valid convolution it is padded with zeros to the H, W of x.
        """
        g = g if mask is None else mask.backward(g)
        return kernels.zero_pad(g, kernel) if valid else g

    return (
        Accumulating(lambda g, into: kernels.input_gradient(g, kernel, mask, into, valid)),
        lambda g: kernels.kernel_gradient(x, at_convolution(g), kernel.shape[0]),
        lambda g: at_convolution(g).sum(axis=(0, 1)),
    )


def _check_convolution(x: Array, kernel: Array, bias: Array, valid: bool = False) -> None:
    require(x.ndim == 3 and min(x.shape) > 0, "conv2d: x", "(H, W, C)", x.shape)
    k = kernel.shape[0]
    require(kernel.ndim == 4 and k % 2 == 1 and kernel.shape[1:3] == (k, x.shape[2]),
            f"conv2d: kernel for x {x.shape}", f"(k, k, {x.shape[2]}, Cout) with odd k", kernel.shape)  # fmt: skip
    require(bias.shape == kernel.shape[3:], "conv2d: bias", kernel.shape[3:], bias.shape)
    require(not valid or min(x.shape[:2]) >= k, "valid conv2d: x", f"{k} x {k} or more", x.shape)
