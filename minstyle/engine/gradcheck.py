"""Check an op's adjoint against finite differences. Public: for users who write ops of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import Array, array_module, to_host
from ..errors import GradientError, require
from .autodiff import Var, gradient, value_of

# By bytes per entry (float64, float32): the step relative to the argument's size, and the relative error allowed.
STEP = {8: 1e-5, 4: 1e-2}
MAX_RELATIVE_ERROR = {8: 1e-7, 4: 5e-3}


def check_vjp(
    op: Callable[..., Any],
    args: Sequence[Array],
    *,
    seed: int = 0,
    step: float | None = None,
    tolerance: float | None = None,
    **settings: Any,
) -> float:
    """Compare ``op``'s vjps at ``args`` (arrays) with central differences. Returns the largest relative error.

    For each argument x in turn, with a random cotangent v for the result, the adjoint gives a = J^T v. Along some
    direction u, <a, u> has to equal <v, op(x + h u) - op(x - h u)> / 2h. u is half random, to notice what a misses, and
    half a itself, so that <a, u> is far from 0 and an error of 0.05 % in scale shows. The op may return one array or a
    tuple of arrays. Arguments should be farther from kinks (ReLU at 0) than the step.

    Raises GradientError that names the argument and both numbers, ShapeError for arguments of another type.
    """
    require(isinstance(args, tuple | list), _name(op), "a tuple of arguments, as in check_vjp(op, (x,))",
            f"an argument alone of {type(args).__name__}")  # fmt: skip
    generator = np.random.default_rng(seed)
    for arg in args:
        require(arg.dtype in (np.float32, np.float64), _name(op), "float32 or float64 arguments", arg.dtype)
    size = min(np.dtype(arg.dtype).itemsize for arg in args)
    step = STEP[size] if step is None else step
    tolerance = MAX_RELATIVE_ERROR[size] if tolerance is None else tolerance

    values = _outputs(op(*args, **settings))
    cotangents = [generator.standard_normal(v.shape) for v in values]
    worst = 0.0
    for position, arg in enumerate(args):
        adjoint = to_host(_adjoint(op, args, position, cotangents, settings)).astype(np.float64)
        if adjoint.shape != arg.shape:
            raise GradientError(
                f"{_name(op)}: gradient of argument {position}: expected {arg.shape}, got {adjoint.shape}"
            )
        noise = generator.standard_normal(arg.shape)
        direction = noise / _norm(noise) + adjoint / _norm(adjoint)
        direction *= np.sqrt(arg.size) / _norm(direction)  # of RMS 1
        h = step * max(1.0, _norm(to_host(arg)) / np.sqrt(arg.size))

        def along(t: float, i: int = position, u: Any = direction) -> float:
            moved = list(args)
            xp = array_module(args[i])
            moved[i] = args[i] + xp.asarray(t * u, dtype=args[i].dtype)
            results = _outputs(op(*moved, **settings))
            return sum(float(np.vdot(v, r)) for v, r in zip(cotangents, results, strict=True))

        numeric = (along(h) - along(-h)) / (2 * h)
        claimed = float(np.vdot(adjoint, direction))
        error = abs(numeric - claimed) / max(abs(numeric), abs(claimed), 1e-12)
        worst = max(worst, error)
        if not error <= tolerance:
            raise GradientError(
                f"{_name(op)}: gradient of argument {position} {arg.shape}: the adjoint claims {claimed:.9g}, "
                f"finite differences give {numeric:.9g} (relative error {error:.2g}, allowed {tolerance:g})"
            )
    return worst


def _adjoint(op: Callable[..., Any], args: Sequence[Array], position: int, cotangents: Any, settings: Any) -> Array:
    """J^T v for one argument; for an op with several results, summed over them."""
    total = None
    for index, cotangent in enumerate(cotangents):
        x = Var(args[position])
        result = op(*args[:position], x, *args[position + 1 :], **settings)
        output = (result if isinstance(result, tuple) else (result,))[index]
        if not isinstance(output, Var):
            raise GradientError(f"{_name(op)} is not differentiable in argument {position}")
        xp = array_module(args[position])
        v = xp.asarray(cotangent, dtype=output.value.dtype)
        (dx,) = gradient(output, [x], cotangent=v)
        total = dx if total is None else total + dx
    return total


def _outputs(result: Any) -> list[np.ndarray]:
    results = result if isinstance(result, tuple) else (result,)
    return [to_host(value_of(r)).astype(np.float64) for r in results]


def _norm(array: Array) -> float:
    return float(np.linalg.norm(np.ravel(array))) or 1.0


def _name(op: Callable[..., Any]) -> str:
    return getattr(op, "__name__", repr(op))
