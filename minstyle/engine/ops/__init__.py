"""Every differentiable op, its value and its adjoint side by side: the mathematics. This is the index.

An op is a function of arrays (positional) and settings (keyword) that returns ``(value, vjps)``: see ``autodiff``.
Feature maps are (H, W, C); ``g`` is the gradient of the loss with respect to the op's result. Sums to a scalar are
accumulated and returned in float64 whatever the arrays' type: a loss adds a million squares, and L-BFGS looks at its
last digits.
"""

from .arithmetic import add, matmul, mean, multiply, relu, reshape, scale, sqrt, squared_error, sum
from .convolution import conv2d, conv_relu, conv_relu_pool2
from .gradient_norm import unit_gradient
from .matrices import diagonal, matrix_sqrt, outer, trace_sqrt
from .moments import gram, raw_moment, weighted_mean
from .padding import pad
from .pooling import avg_pool2, l2_pool2, max_pool2
from .variation import (
    absolute_variation,
    nine_point_variation,
    squared_variation,
    summed_variation,
    total_variation,
)

__all__ = [
    "absolute_variation", "add", "avg_pool2", "conv2d", "conv_relu", "conv_relu_pool2", "diagonal", "gram",
    "l2_pool2", "matmul", "matrix_sqrt", "max_pool2", "mean", "multiply", "nine_point_variation",
    "outer", "pad", "raw_moment", "relu", "reshape", "scale", "sqrt", "squared_error", "squared_variation", "sum",
    "summed_variation", "total_variation", "trace_sqrt", "unit_gradient", "weighted_mean",
]  # fmt: skip
