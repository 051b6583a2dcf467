"""The index of the differentiable ops: each is one function that holds the value and its adjoint, side by side.

An op is a function of arrays (positional) and settings (keyword) that returns ``(value, vjps)``: see ``autodiff``.
Notation in all files here: feature maps x or f are (H, W, C); y is the result; ``g`` is the gradient of the loss with
respect to y, of y's shape, and dx that with respect to x. "Keeps" says what the vjps hold for the backward pass.
A sum to a scalar is accumulated and returned in float64 whatever the arrays' type: a loss adds a million squares, and
L-BFGS looks at its last digits.
"""

from .arithmetic import (
    add,
    matmul,
    multiply,
    reduce_mean,
    reduce_sum,
    relu,
    reshape,
    scale,
    sqrt,
    squared_error,
    squared_excess,
)
from .convolution import conv2d, conv_relu, conv_relu_pool2
from .gradient_norm import normalize_gradient
from .matrices import diagonal, matrix_sqrt, outer, trace_sqrt
from .moments import gram, raw_moment, weighted_mean
from .operators import install_operators
from .padding import PADDINGS, pad
from .pooling import avg_pool2, l2_pool2, max_pool2
from .variation import (
    absolute_variation,
    mean_variation,
    nine_point_variation,
    summed_variation,
    total_variation,
)

__all__ = [
    "PADDINGS", "absolute_variation", "add", "avg_pool2", "conv2d", "conv_relu", "conv_relu_pool2", "diagonal", "gram",
    "l2_pool2", "matmul", "matrix_sqrt", "max_pool2", "mean_variation", "multiply", "nine_point_variation",
    "normalize_gradient", "outer", "pad", "raw_moment", "reduce_mean", "reduce_sum", "relu", "reshape", "scale", "sqrt",
    "squared_error", "squared_excess", "summed_variation", "total_variation", "trace_sqrt", "weighted_mean",
]  # fmt: skip

install_operators()
