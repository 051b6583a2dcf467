"""L-BFGS for large arrays of either library: few evaluations, little memory, a state that can be saved.

Written for losses on images in float32, whose last digits are noise: the first step of the line search is nearly always
taken, and what matters is how far each goes. J. Nocedal and S. Wright, Numerical Optimization, 2006, chapters 3 and 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..backend import Array, array_module, is_cupy
from ..engine.kernels import fetched
from ..errors import OptimizeError, ShapeError, require
from .combination import add_combination, second_loop
from .lbfgs_state import RECENT, LbfgsState
from .minimum import (
    Evaluations,
    Function,
    Minimum,
    OnEvaluation,
    OnIteration,
    Renewed,
    StopRequestedError,
    never,
    nothing,
)
from .vectors import WHOLE, Vectors

_ARMIJO = 1e-4  # of the fall that the slope promises, a step must bring this much
_NOISE = 8  # roundings of the loss, in the type of x, that are taken for none
_CURVATURE = 1e-8  # a pair counts if s.y is more than this times |s| |y|
_TRIES = 10  # steps of one line search


@dataclass(frozen=True)
class Preconditioner:
    """A first guess P of the inverse Hessian, up to a factor: symmetric, positive definite.

    ``apply(v)`` gives P v and may write into v; ``squared_norm(v)`` is v . P v, a number, or where v lies on a device
    an array of one there.
    """

    apply: Callable[[Array], Array]
    squared_norm: Callable[[Array], Array]


@dataclass(frozen=True)
class LbfgsMinimum(Minimum):
    """Where L-BFGS ended, and the state from which another call goes on; None if it was stopped before it had one."""

    state: LbfgsState | None


def lbfgs(
    objective: Function,
    x0: Array,
    *,
    history: int = 10,
    preconditioner: Preconditioner | None = None,
    vectors: Vectors = WHOLE,
    first_step: float = 3.0,
    factr: float = 0.0, pgtol: float = 0.0, tolerance: float = 0.0,
    evaluations: int = 15000, iterations: int = 15000,
    state: LbfgsState | None = None,
    slots: int | None = None,
    on_evaluation: OnEvaluation = nothing,
    on_iteration: OnIteration = nothing,
    renewed: Renewed = never,
) -> LbfgsMinimum:  # fmt: skip
    """Minimise ``objective`` from ``x0``, an array of any shape, on host or device, which is not written to.

    Limited-memory BFGS (Nocedal and Wright, algorithms 7.4 and 7.5) with ``history`` pairs, a first guess gamma P of
    the inverse Hessian (P the ``preconditioner``, None: the identity; gamma = s.y / y.P y, their equation 7.20), and a
    line search that halves or interpolates a step until it brings a fall (Armijo, their equation 3.4). The first
    direction is -P g, as long as makes ``first_step`` the mean change of an entry.

    It ends after ``evaluations`` or ``iterations``, looked at after each iteration, so that a few more evaluations may
    be spent; when an iteration's loss falls by at most ``factr`` times 2.2e-16 of itself, or ten iterations' by at most
    ``tolerance`` of itself; when no entry of the gradient is larger than ``pgtol``; or when no step lowers the loss.

    ``state`` goes on from where another call ended: x0 is ignored then, the state's arrays are written into, and all is
    bit for bit as if that call had gone on. ``on_evaluation(x, loss)`` is called after each evaluation; when it returns
    true, the run ends with that x. Arrays handed out are not written into later. ``on_iteration`` is called after the
    first evaluation and after each iteration but the last. ``renewed`` is asked after each iteration: where it says
    so, x is evaluated anew, and the pairs stay. ``vectors``: where x0 is a part of the vector that is minimised, what
    finds numbers of all of it; each part then calls this function, at the same time, and does the same.

    Memory beside x0 and the objective's: 2 ``history`` + 4 arrays like x0, on a device 5; with fewer ``slots`` than
    pairs only 2 ``slots`` + 4 (5), and only so many pairs. Raises OptimizeError when the loss or its gradient is no
    number, ShapeError for a state of another shape.
    """
    require(history >= 1, "history of L-BFGS", "a number from 1", history, OptimizeError)
    evaluate, done, message = Evaluations(objective, on_evaluation), 0, ""
    try:
        if state is None:
            state = _begin(x0.copy(), evaluate, history, slots or history)
            on_iteration(state.x, state, 1, 0)
        require(state.x.shape == x0.shape, "x of the state of L-BFGS", x0.shape, state.x.shape, ShapeError)
        while not message:
            if not state.losses:
                _renew(state, evaluate, vectors)
                on_iteration(state.x, state, evaluate.count, done)
            message = _limit(state, vectors, pgtol, evaluate.count >= evaluations, done >= iterations)
            if not message:
                going = _iterate(state, evaluate, preconditioner, vectors, first_step)
                done += going
                message = state.falls_no_more(factr, tolerance) if going else state.forget()
            state.losses = [] if renewed(math.inf if message else evaluate.count) else state.losses
            if not message:  # who goes on from here does not look again whether the loss falls
                on_iteration(state.x, state, evaluate.count, done)
        if not state.losses:
            _renew(state, evaluate, vectors)
    except StopRequestedError:
        return LbfgsMinimum(evaluate.x, evaluate.loss, evaluate.count, done, "stopped on request", True, state)
    return LbfgsMinimum(state.x, state.loss, evaluate.count, done, message, False, state)


def _begin(x: Array, evaluate: Evaluations, history: int, slots: int) -> LbfgsState:
    loss, g = evaluate(x)
    rows = min(history, slots), x.size
    steps, changes = (array_module(x).zeros(rows, dtype=x.dtype) for _ in range(2))
    return LbfgsState(x, loss, g, steps, changes, np.zeros((history, history)), np.zeros(history), losses=[loss])


def _limit(state: LbfgsState, vectors: Vectors, pgtol: float, evaluated: bool, iterated: bool) -> str:
    """Why no iteration comes next, "" if one does."""
    if pgtol > 0 and float(vectors.largest_entry(state.gradient)) <= pgtol:
        return "no component of the gradient is larger than pgtol"
    if evaluated:
        return "all evaluations were made"
    return "all iterations were made" if iterated else ""


def _renew(state: LbfgsState, evaluate: Evaluations, vectors: Vectors) -> None:
    """What the objective, another one than before, gives at x."""
    state.loss, state.gradient = evaluate(state.x)
    state.losses = [state.loss]
    filled = 1 + max(state.order, default=-1)
    (state.slopes[:filled],) = fetched(vectors.row_products(state.steps[:filled], state.gradient))


def _iterate(
    state: LbfgsState,
    evaluate: Evaluations,
    preconditioner: Preconditioner | None,
    vectors: Vectors,
    first_step: float,
) -> bool:
    """A step, and the pair that it teaches; False, and all as it was, if no step along the direction brings a fall."""
    if state.order:
        direction = _direction(state, preconditioner, vectors)
    else:
        direction = _first(state, preconditioner, vectors, first_step)
    found = _search(state, direction, evaluate, preconditioner, vectors)
    if found is None:
        return False
    x, loss, g, length, ahead = found
    direction *= length
    _learn(state, direction, g, preconditioner, vectors, ahead)
    state.x, state.loss, state.gradient = x, loss, g
    state.losses = [*state.losses[-RECENT:], loss]
    return True


def _search(
    state: LbfgsState,
    direction: Array,
    evaluate: Evaluations,
    preconditioner: Preconditioner | None,
    vectors: Vectors,
) -> tuple[Array, float, Array, float, list[np.ndarray]] | None:
    """(x, its loss, its gradient, the length, ``_ahead``) of a step along ``direction`` that brings a fall, or None."""
    length, noise = 1.0, _NOISE * float(np.finfo(direction.dtype).eps)
    slopes = vectors.dots((direction, state.gradient))
    if not is_cupy(slopes) and not slopes[0] < 0:  # a device tells it after the evaluation, in one copy with that
        return None
    for _ in range(_TRIES):
        x = direction * length
        x += state.x
        asked = partial(_ahead, state, slopes, direction, length, preconditioner, vectors)
        loss, g, ((slope,), *ahead) = evaluate.and_also(x, asked)
        if not slope < 0:
            return None
        promised = length * float(slope)
        if loss <= state.loss + _ARMIJO * promised + noise * abs(state.loss):
            return x, loss, g, length, ahead
        lowest = -promised / (2 * (loss - state.loss - promised))  # of the parabola, in parts of this length
        length *= min(max(lowest, 0.1), 0.5)
    return None


def _first(state: LbfgsState, preconditioner: Preconditioner | None, vectors: Vectors, first_step: float) -> Array:
    """-P g, so long that the mean change of an entry is ``first_step``."""
    direction = _applied(preconditioner, state.gradient.copy())
    mean = vectors.mean_size(direction)
    least = first_step / float(np.finfo(direction.dtype).max)  # of a smaller mean, the factor would be infinite
    direction *= -first_step / mean if mean > least else 0.0
    return direction


def _direction(state: LbfgsState, preconditioner: Preconditioner | None, vectors: Vectors = WHOLE) -> Array:
    """-H g: the two loops of algorithm 7.4, over numbers instead of arrays.

    All products of arrays that the loops need are known from S g, which ``state`` has, and Y r: so that each walks over
    the history once.
    """
    used, products = state.order, state.products
    alpha = np.zeros(len(products))
    for n in range(len(used) - 1, -1, -1):  # newest first
        i, newer = used[n], used[n + 1 :]
        alpha[i] = (state.slopes[i] - products[i, newer] @ alpha[newer]) / products[i, i]
    r = state.gradient.copy()
    filled = 1 + max(used)
    add_combination(r, state.changes[:filled], -alpha[:filled])
    r = _applied(preconditioner, r)
    r *= state.scale
    bends = vectors.row_products(state.changes[:filled], r)
    add_combination(r, state.steps[:filled], second_loop(used, products, alpha[:filled], bends))
    r *= -1
    return r


def _ahead(
    state: LbfgsState,
    slopes: Array,
    direction: Array,
    length: float,
    preconditioner: Preconditioner | None,
    vectors: Vectors,
    g: Array,
) -> list[Array]:
    """The slope; on a device the products too that ``_learn`` needs if this step is taken. Nothing is written to."""
    if not is_cupy(slopes):
        return [slopes]
    step, change = direction if length == 1 else direction * length, g - state.gradient
    of_pair = vectors.dots((step, change), (change, change), (step, step), (step, g))
    norm = preconditioner.squared_norm(change) if preconditioner else of_pair[1:2]
    return [slopes, of_pair, norm, vectors.row_products(state.steps[: 1 + max(state.order, default=0)], g)]


def _learn(
    state: LbfgsState,
    step: Array,
    g: Array,
    preconditioner: Preconditioner | None,
    vectors: Vectors = WHOLE,
    ahead: Sequence[np.ndarray] = (),
) -> None:
    """The pair of a step and of the gradient's change to g takes the place of the oldest; of ``_ahead``, if known.

    Not if the loss bends the wrong way along it, which would make the next direction go up, or by nothing at all.
    """
    used, history = state.order, len(state.steps)
    slot = used.pop(0) if len(used) == history else min(set(range(history)) - set(used))
    change = state.changes[slot].reshape(g.shape)
    array_module(g).subtract(g, state.gradient, out=change)
    state.steps[slot] = step.reshape(-1)
    slopes = np.zeros(len(state.slopes))
    if ahead:
        of_pair, (norm,), before = ahead
        slopes[: len(before)], slopes[slot] = before, of_pair[3]
    else:
        filled = 1 + max([*used, slot])
        of_pair = vectors.dots((step, change), (change, change), (step, step))
        norm = preconditioner.squared_norm(change) if preconditioner else of_pair[1:2]
        of_pair, (norm,), slopes[:filled] = fetched(of_pair, norm, vectors.row_products(state.steps[:filled], g))
    bend, squared, length = of_pair[:3].tolist()
    state.products[:, slot] = slopes - state.slopes  # S (g - the g before)
    state.products[slot, slot] = bend
    state.slopes = slopes
    # The norm of a tiny change, squared, may be 0 in its type.
    if norm > 0 and bend > _CURVATURE * math.sqrt(length * squared):
        state.order = [*used, slot]
        state.scale = float(bend / norm)


def _applied(preconditioner: Preconditioner | None, v: Array) -> Array:
    return preconditioner.apply(v) if preconditioner else v
