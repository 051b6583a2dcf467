"""Adam, with an average of the iterates and bounds: first-order steps in the array's own type, in place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..backend import Array, array_module
from ..engine.kernels import by_rows
from ..errors import OptimizeError, ShapeError, require
from .minimum import Function, Minimum, OnEvaluation, OnIteration, Renewed, checked, never

Resize = Callable[[Array, int, int, str], Array]  # (array (H, W, C), height, width, "bicubic" or "bilinear")


@dataclass(frozen=True)
class AdamState:
    """What Adam knows beside x: estimates of the gradient's mean (``first``) and of its square's (``second``), like x.

    ``steps`` counts the steps made since they were 0. ``average`` is the average of ``averaged`` iterates, None where
    there is none yet.
    """

    first: Array
    second: Array
    steps: int
    average: Array | None = None
    averaged: int = 0

    def resized(self, resize: Resize, height: int, width: int) -> AdamState:
        """The state for images (height, width, C), to go on there from a resized image.

        As K. Crowson's style-transfer-pytorch does it: ``first`` bicubic, ``second`` bilinear and not below 0, the
        steps as they were; the average begins anew with the image from which the next call starts. ``resize(array,
        height, width, resample)`` must not clip: the moments are no pixels.
        """
        xp, dtype = array_module(self.first), self.first.dtype
        first = xp.asarray(resize(self.first, height, width, "bicubic"), dtype=dtype)
        second = xp.asarray(resize(self.second, height, width, "bilinear"), dtype=dtype)
        return AdamState(first, xp.maximum(second, 0), self.steps)


@dataclass(frozen=True)
class AdamMinimum(Minimum):
    """Where Adam ended. ``last`` and ``state``, given to another call as x0 and state, go on as if it had not ended.

    ``x`` is ``last``, the latest iterate, or with averaging the average of the iterates, whose own loss nobody
    computed: ``loss`` is that of the last iterate evaluated.
    """

    last: Array
    state: AdamState


def adam(
    objective: Function,
    x0: Array,
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    averaging: float = 0.0,
    bounds: tuple[float, float] | None = None,
    iterations: int,
    state: AdamState | None = None,
    on_evaluation: OnEvaluation = lambda x, loss: None,
    on_iteration: OnIteration = lambda x, state, evaluations, iterations: None,
    renewed: Renewed = never,
) -> AdamMinimum:
    """Adam (Kingma and Ba 2015, algorithm 1) from ``x0``: an evaluation, then a step, ``iterations`` times.

    A step moves an entry by ``learning_rate`` where its gradient keeps its sign, by less where it does not.
    x0 is an array of any shape, on host or device, and is not written to. ``bounds``, a pair, clamps x0 and each
    iterate. ``averaging`` above 0 is the decay of an exponential average of the iterates, x0 the first, corrected for
    its short memory at the start: sum of d^(n-i) x_i over sum of d^(n-i), as K. Crowson's style-transfer-pytorch has it
    with d = 0.99. ``state`` goes on from an earlier call; its arrays are copied.

    ``on_evaluation(x, loss)`` is called after each evaluation with the iterate or, with averaging, the average up to
    it; when it returns true no further step is made. ``on_iteration`` is called after each step but the last. Copy what
    you keep: arrays handed out are written into later.

    Raises OptimizeError when the loss or its gradient is no number, or for settings out of range; ShapeError for a
    state of another shape.
    """
    settings = _Settings(learning_rate, betas, epsilon, averaging, bounds, iterations)
    iterates = _Iterates(settings, x0, state)
    limit = math.sqrt(float(iterates.xp.finfo(x0.dtype).max))  # Adam squares the gradient
    for i in range(iterations):
        loss, g, _ = checked(objective(iterates.x), i + 1, limit)
        if on_evaluation(iterates.shown, loss):
            return iterates.minimum(loss, i + 1, "stopped on request", True)
        iterates.step(g)
        renewed(i + 1)  # it compares no losses
        if i + 1 < iterations:
            on_iteration(iterates.x, iterates.state(), i + 1, i + 1)
    return iterates.minimum(loss, iterations, "all iterations were made", False)


@dataclass(frozen=True)
class _Settings:
    learning_rate: float
    betas: tuple[float, float]
    epsilon: float
    averaging: float
    bounds: tuple[float, float] | None
    iterations: int

    def __post_init__(self) -> None:
        def check(good: bool, name: str, expected: str, value: object) -> None:
            require(good, f"{name} of Adam", expected, value, OptimizeError)

        check(0 < self.learning_rate < math.inf, "learning rate", "a number above 0", self.learning_rate)
        check(all(0 <= beta < 1 for beta in self.betas), "betas", "numbers from 0 to below 1", self.betas)
        check(0 < self.epsilon < math.inf, "epsilon", "a number above 0", self.epsilon)
        check(0 <= self.averaging < 1, "averaging", "a number from 0 to below 1", self.averaging)
        check(self.bounds is None or self.bounds[0] < self.bounds[1], "bounds", "a lower and a higher one", self.bounds)
        check(self.iterations >= 1, "iterations", "a number from 1", self.iterations)


class _Iterates:
    """The arrays of one call, all of x's type: x, the two moments, the average. A step is made in place."""

    def __init__(self, settings: _Settings, x0: Array, state: AdamState | None) -> None:
        self.settings, self.xp = settings, array_module(x0)
        self.x = x0.copy() if settings.bounds is None else x0.clip(*settings.bounds)
        self.first, self.second, self.steps = self.xp.zeros_like(self.x), self.xp.zeros_like(self.x), 0
        self.average: Array | None = self.x.copy() if settings.averaging else None
        self.averaged = 1 if settings.averaging else 0
        if state is not None:
            self._take(state)

    def _take(self, state: AdamState) -> None:
        for name, array in (("first", state.first), ("second", state.second), ("average", state.average)):
            if array is not None:
                require(array.shape == self.x.shape, f"{name} of Adam's state", self.x.shape, array.shape, ShapeError)
        dtype = self.x.dtype
        self.first, self.second, self.steps = state.first.astype(dtype), state.second.astype(dtype), state.steps
        if self.settings.averaging and state.average is not None:
            self.average, self.averaged = state.average.astype(dtype), state.averaged

    @property
    def shown(self) -> Array:
        return self.x if self.average is None else self.average

    def step(self, g: Array) -> None:
        """Both moments, x, and the average, in one walk over bands that stay in a core's cache."""
        self.steps += 1
        (b1, b2), decay, xp = self.settings.betas, self.settings.averaging, self.xp
        size = self.settings.learning_rate / (1 - b1**self.steps)
        correction = math.sqrt(1 - b2**self.steps)
        share = (1 - decay) / (1 - decay ** (self.averaged + 1))  # of the newest iterate in the average

        def band(rows: slice) -> None:
            x, m, v, gradient = (a[rows] for a in (self.x, self.first, self.second, g))
            work = gradient - m
            work *= 1 - b1
            m += work
            xp.multiply(gradient, gradient, out=work)
            work *= 1 - b2
            v *= b2
            v += work
            xp.sqrt(v, out=work)
            work /= correction
            work += self.settings.epsilon
            xp.divide(m, work, out=work)
            work *= size
            x -= work
            if self.settings.bounds is not None:
                xp.clip(x, *self.settings.bounds, out=x)
            if self.average is not None:
                xp.subtract(x, self.average[rows], out=work)
                work *= share
                self.average[rows] += work

        by_rows(band, self.x)
        self.averaged += self.average is not None

    def minimum(self, loss: float, evaluations: int, message: str, stopped: bool) -> AdamMinimum:
        return AdamMinimum(self.shown, loss, evaluations, evaluations - stopped, message, stopped, self.x, self.state())

    def state(self) -> AdamState:
        return AdamState(self.first, self.second, self.steps, self.average, self.averaged)
