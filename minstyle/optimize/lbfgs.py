"""Minimise a function of an array. Knows no images, no files, no recipes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import Array, array_module, to_host
from ..errors import OptimizeError

Function = Callable[[Array], tuple[float, Array]]
OnEvaluation = Callable[[Array, float], Any]  # (x, loss) -> true to stop


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended: ``x`` as the method returns it, ``stopped`` if it was asked to stop."""

    x: Array
    loss: float
    evaluations: int
    iterations: int
    message: str
    stopped: bool


def no_number(loss: float, evaluation: int) -> OptimizeError:
    """The error of a run that cannot go on."""
    return OptimizeError(
        f"the loss ({loss}) or its gradient is no number at evaluation {evaluation}: "
        "try smaller weights, or --dtype float64"
    )


class _StopError(Exception):
    """Carries a request to stop out through scipy."""


def scipy_lbfgs(
    objective: Function,
    x0: Array,
    *,
    history: int = 10,
    factr: float = 1e7,
    pgtol: float = 1e-5,
    evaluations: int = 15000,
    iterations: int = 15000,
    on_evaluation: OnEvaluation = lambda x, loss: None,
) -> Minimum:
    """scipy's L-BFGS-B without bounds (Byrd, Lu, Nocedal, Zhu 1995), from ``x0`` with an empty history.

    ``history``, ``factr``, ``pgtol``, ``evaluations`` and ``iterations`` are scipy's m, factr, pgtol, maxfun and
    maxiter. scipy looks at the budget of evaluations after each iteration, so that a few more may be spent.
    ``on_evaluation(x, loss)`` is called after each evaluation; when it returns true, the best x so far is returned.
    Any shape, on host or device: scipy sees a float64 vector, the objective an array like ``x0``. Raises
    OptimizeError when the loss or its gradient is no number.
    """
    from scipy.optimize import minimize  # here, since scipy costs half of the start-up of the command line

    xp, shape, dtype = array_module(x0), x0.shape, x0.dtype
    count, best, best_loss = 0, x0, math.inf

    def to_array(vector: np.ndarray) -> Array:
        # A copy: scipy goes on writing into its vector.
        return xp.asarray(vector.astype(dtype).reshape(shape))

    def to_vector(array: Array) -> np.ndarray:
        return to_host(array).astype(np.float64).ravel()

    def evaluate(vector: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count, best, best_loss
        x = to_array(vector)
        loss, g = objective(x)
        slope = to_vector(g)
        count += 1
        if not (math.isfinite(loss) and np.isfinite(slope).all()):
            raise no_number(loss, count)
        if loss < best_loss:
            best, best_loss = x, loss
        if on_evaluation(x, loss):
            raise _StopError
        return loss, slope

    options = dict(maxcor=history, ftol=factr * np.finfo(float).eps, gtol=pgtol)
    options.update(maxfun=evaluations, maxiter=iterations)
    try:
        found = minimize(evaluate, to_vector(x0), jac=True, method="L-BFGS-B", options=options)
    except _StopError:
        return Minimum(best, best_loss, count, 0, "stopped on request", True)
    message = str(found.message)
    return Minimum(to_array(found.x), float(found.fun), count, int(found.nit), message, False)
