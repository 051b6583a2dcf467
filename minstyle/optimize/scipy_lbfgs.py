"""scipy's L-BFGS-B, for arrays of any shape, on host or device.

The algorithm, its line search included, is scipy's; ``of_vector`` is what it calls.
"""

from __future__ import annotations

import math

import numpy as np

from ..backend import Array, array_module, to_host
from .minimum import Evaluations, Function, Minimum, OnEvaluation, Renewed, StopRequestedError, never


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
    renewed: Renewed = never,
) -> Minimum:
    """scipy's L-BFGS-B without bounds (Byrd, Lu, Nocedal, Zhu 1995), from ``x0`` with an empty history.

    ``history`` is the number of pairs that it remembers (scipy's m). It ends when the loss falls by less than ``factr``
    times 2.2e-16 of itself, when no entry of the gradient is larger than ``pgtol``, or after ``iterations``, or about
    ``evaluations`` (scipy's maxiter and maxfun). scipy looks at the budget of evaluations after each iteration, so that
    a few more may be spent.

    ``on_evaluation(x, loss)`` is called after each evaluation; when it returns true, the run ends with that x.
    ``renewed`` is asked at the end: where it says so, the end is evaluated anew.
    Any shape, on host or device: scipy sees a float64 vector, the objective an array like ``x0``. Raises
    OptimizeError when the loss or its gradient is no number.
    """
    from scipy.optimize import minimize  # here, since scipy costs half of the start-up of the command line

    xp, shape, dtype = array_module(x0), x0.shape, x0.dtype
    evaluate = Evaluations(objective, on_evaluation)

    def to_array(vector: np.ndarray) -> Array:
        # A copy: scipy goes on writing into its vector.
        return xp.asarray(vector.astype(dtype).reshape(shape))

    def to_vector(array: Array) -> np.ndarray:
        return to_host(array).astype(np.float64).ravel()

    def of_vector(vector: np.ndarray) -> tuple[float, np.ndarray]:
        loss, g = evaluate(to_array(vector))
        return loss, to_vector(g)

    options = dict(maxcor=history, ftol=factr * np.finfo(float).eps, gtol=pgtol)
    options.update(maxfun=evaluations, maxiter=iterations)
    try:
        found = minimize(of_vector, to_vector(x0), jac=True, method="L-BFGS-B", options=options)
    except StopRequestedError:
        return Minimum(evaluate.x, evaluate.loss, evaluate.count, 0, "stopped on request", True)
    message, x, loss = str(found.message), to_array(found.x), float(found.fun)
    try:
        if renewed(math.inf):  # scipy cannot be told before
            loss, _ = evaluate(x)
    except StopRequestedError:
        return Minimum(x, evaluate.loss, evaluate.count, int(found.nit), "stopped on request", True)
    return Minimum(x, loss, evaluate.count, int(found.nit), message, False)
