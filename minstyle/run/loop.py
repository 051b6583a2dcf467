"""The loop: size by size, round by round, from the start image to the last size's, with a state to go on from."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ..backend import CPU, Array, device_errors, is_cupy, to_host
from ..errors import DeviceError, DeviceMemoryError, LostError, OptimizeError
from ..images import resize, resize_values
from ..notices import Notice
from ..optimize.minimum import Pending
from ..recipe.recipe import Recipe
from ..style.objective import Objective, Spread, build_objective
from ..style.targets import StyleTargets, style_targets
from .exact import Exactness
from .fallback import Fallback, advice
from .kept import image_on_host
from .minimise import Midway, minimise
from .pictures import Pictures
from .result import Record
from .stages import Stage
from .state import RunState


class Event(enum.Enum):
    """What happened in a run. A border: it can go on from its state, and nothing of it need be made again."""

    EVALUATION = enum.auto()
    END_OF_ROUND = enum.auto()
    BORDER = enum.auto()


Notify = Callable[[RunState, Event], bool]  # true ends the run
Tell = Callable[[Event], bool]


@device_errors()
def run_stages(
    stages: Sequence[Stage],
    pictures: Pictures,
    state: RunState,
    notify: Notify,
    tell: Callable[[Notice], None] = lambda notice: None,
    targets_of: StyleTargets = style_targets,
    spread: Spread | None = None,
    go_back: Callable[[], None] = lambda: None,
) -> RunState:
    """Run what ``state`` does not count as done. It is updated in place, and returned.

    However that ends, another call goes on from the state. ``tell`` hears what is given up where a device's memory is
    used up; raises ResourceError where nothing is left to give up. ``spread``: see ``build_objective``; where it loses
    a worker, ``go_back`` brings the state to one that is here, and the run goes on from there.
    """
    began, state.stopped, fallback = time.perf_counter() - state.seconds, False, Fallback()
    build = partial(build_objective, targets_of=targets_of, spread=spread)

    def timed_notify(event: Event) -> bool:
        state.seconds = time.perf_counter() - began
        return notify(state, event)

    try:
        while state.stage < len(stages) and not state.stopped:
            stage = fallback.applied(stages[state.stage])
            last = state.stage == len(stages) - 1
            try:
                if _fits(partial(_run_stage, stage, pictures, state, timed_notify, fallback, last, build)):
                    if not state.stopped:
                        state.stage, state.round, state.image = state.stage + 1, 0, None
                    continue
                notice = fallback.give_up(stage, state)
            except LostError as error:
                go_back()
                notice = fallback.lost(state, error)
            if notice is None:
                raise advice(stage, pictures)
            tell(notice)
    finally:
        state.seconds = time.perf_counter() - began
    return state


def _fits(run: Callable[[], None]) -> bool:
    """Run a stage by ``run``; false where the device's memory does not suffice. What it made is then gone."""
    try:
        with device_errors():
            run()
    except DeviceMemoryError:
        return False
    return True


@np.errstate(over="ignore", invalid="ignore")  # no warnings: the optimiser raises where the loss is no number
def _run_stage(
    stage: Stage,
    pictures: Pictures,
    state: RunState,
    notify: Tell,
    fallback: Fallback,
    last: bool,
    build: Callable[..., Objective],
) -> None:
    """Run the rounds of a stage that ``state`` does not count as done, or up to one in which an observer says stop."""
    begins, fallback.recorded = state.image is None, False
    objective = _ready(stage, pictures, state, partial(build, replayed=fallback.replayed))
    if begins:
        notify(Event.BORDER)
    while state.round < stage.recipe.rounds and not state.stopped:
        try:
            stopped = _run_round(objective, stage, state, notify, last and state.round == stage.recipe.rounds - 1)
        finally:
            fallback.recorded = objective.replays
        if stopped:
            state.stopped = True
        else:
            state.stopped = notify(Event.END_OF_ROUND)
            notify(Event.BORDER)


def _ready(stage: Stage, pictures: Pictures, state: RunState, build: Callable[..., Objective]) -> Objective:
    """The objective of a stage; ``state`` gets the image that it begins with, unless it has one.

    Of the pictures at this size nothing is kept: their targets are all that is needed.
    """
    scaled = pictures.at(stage.shape)
    objective = build(scaled.content, scaled.styles, stage.recipe, stage.network, scaled.regions, bands=stage.bands)
    if state.image is None:
        if state.best is None:
            start = scaled.start(stage.network.mean_color, pictures.initial)
        else:
            start = _enlarged(image_on_host(state.best), scaled.content, stage.recipe)
        adam_state = state.adam_state and state.adam_state.resized(_resized_adam_moment, *stage.shape)
        state.image, state.adam_state = start, adam_state
    return objective


def _enlarged(image: np.ndarray, content: np.ndarray, recipe: Recipe) -> np.ndarray:
    """What was painted at another size, at that of ``content`` (H, W, 3), with the detail that the recipe wants added.

    An enlarged image has no fine detail, which is most of its loss at first and takes the optimiser many evaluations.
    """
    height, width, _ = content.shape
    enlarged = resize(image, height, width, recipe.resample)
    if recipe.detail == 0 or image.shape == content.shape:
        return enlarged
    coarse = resize(content, image.shape[0], image.shape[1], recipe.resample)
    detail = content - resize(coarse, height, width, recipe.resample)
    detail *= recipe.detail
    detail += enlarged
    sharper: np.ndarray = detail.clip(0, 255, out=detail)
    return sharper


def _run_round(objective: Objective, stage: Stage, state: RunState, notify: Tell, last: bool) -> bool:
    """One run of the recipe's optimiser, for L-BFGS with a fresh history, or the rest of one. ``last``: of the run.

    True when an observer asked to stop before its end.
    """
    del state.history[state.done :]  # what was evaluated beyond the state is evaluated again
    exact = Exactness(objective, stage, last, state.midway.evaluations if state.midway else 0)
    watched = _Watched(objective, stage, state, notify, exact)
    image = stage.network.device.asarray(state.image, stage.network.dtype)
    try:
        run = partial(minimise, watched.evaluate, vectors=objective.vectors)
        midway = state.midway and state.midway.on(stage.network.device if objective.minimise is None else CPU)
        if objective.minimise is not None:
            run = partial(objective.minimise, watched.noted)
        found = run(image, stage.recipe, stage.evaluations, state.adam_state, watched.on_evaluation, midway,
                    watched.on_midway, exact.begins, stage.pairs)  # fmt: skip
    except OptimizeError as error:
        raise _explained(error, objective, watched.evaluated) from None
    finally:
        if not watched.whole:
            state.midway = None  # the round is begun again
        with contextlib.suppress(DeviceError):  # workers keep it no longer
            state.best = state.best if is_cupy(state.best) or state.best is None else to_host(state.best)
    if not found.stopped:
        state.image, state.adam_state, state.midway = found.last, found.adam_state, None
        state.round, state.before = state.round + 1, len(state.history)
    return bool(found.stopped)


class _Watched:
    """What an optimiser calls in a round, and what is known of the latest evaluation."""

    def __init__(self, objective: Objective, stage: Stage, state: RunState, notify: Tell, exact: Exactness) -> None:
        self._objective, self._stage, self._state, self._notify, self._exact = objective, stage, state, notify, exact
        self._terms: Callable[[], dict[str, float]] = dict
        self.evaluated: Array | None = None
        self.whole = True  # the arrays of ``state.midway``: the optimiser works on them after an evaluation

    def evaluate(self, x: Array) -> Pending:
        self.evaluated, self.whole = x, True
        evaluation = self._objective.evaluate(x, self._exact.precision)
        self._terms = lambda: evaluation.terms
        return Pending(evaluation.gradient, evaluation.numbers, evaluation.tell)

    def noted(self, terms: dict[str, float]) -> None:
        """Evaluated elsewhere."""
        self._terms, self.whole = lambda: terms, True

    def on_evaluation(self, x: Array, loss: float) -> bool:
        state, stage = self._state, self._stage
        record = Record(len(state.history) + 1, stage.shape, loss, self._terms(), state.stage + 1)
        self._terms = dict  # an evaluation has its gradient: no reason to keep that during the next one
        state.note(record, x, averaged=stage.recipe.averages, anew=self._exact.first())
        self.whole = self._notify(Event.EVALUATION)
        return self.whole

    def on_midway(self, midway: Midway) -> None:
        self._state.midway, self.whole = midway, True
        self._notify(Event.BORDER)


def _explained(error: OptimizeError, objective: Objective, evaluated: Array | None) -> OptimizeError:
    """The error with the term that is no number at ``evaluated``, and what else may help."""
    term = None if evaluated is None else objective.culprit(evaluated)
    advice = "; half precision ends at 1e6, try --precision tf32 first" if objective.halves else ""
    return OptimizeError(f"{term}: {error}{advice}" if term else f"{error}{advice}")


def _resized_adam_moment(array: Array, height: int, width: int, resample: str) -> np.ndarray:
    return resize_values(to_host(array), height, width, resample)
