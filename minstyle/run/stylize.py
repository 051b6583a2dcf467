"""The front door of the library, and the loop: from content, styles and a recipe to a picture, size by size."""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ..backend import Array, device_errors, to_host
from ..errors import DeviceMemoryError, MinstyleError, OptimizeError, RecipeError, require
from ..images import Picture, resize, resize_values
from ..network.vgg import Network
from ..notices import Notice
from ..recipe.presets import DEFAULT_RECIPE, RECIPES
from ..recipe.recipe import FILE, Recipe
from ..style.objective import Objective, build_objective
from ..style.regions import Regions
from .estimate import Estimate
from .exact import Exactness
from .fallback import Fallback, advice
from .first_steps import FirstSteps
from .kept import Kept, image_on_host
from .minimise import Midway, minimise
from .observer import Observer, Plan, Step
from .pictures import Pictures
from .result import Record, Result
from .stages import Stage, plan_stages, planned_evaluations, relative_cost, stages_in_bands
from .state import RunState, check_state

# What ends a run early without losing the picture; anything else is a bug and is raised.
_EXPECTED = (KeyboardInterrupt, MinstyleError, OSError, MemoryError)


class Event(enum.Enum):
    """What happened in a run. A border: it can go on from its state, and nothing of it need be made again."""

    EVALUATION = enum.auto()
    END_OF_ROUND = enum.auto()
    BORDER = enum.auto()


Notify = Callable[[RunState, Event], bool]  # true ends the run
Tell = Callable[[Event], bool]


def stylize(
    content: np.ndarray | Picture,
    styles: Sequence[np.ndarray | Picture],
    recipe: Recipe = RECIPES[DEFAULT_RECIPE],
    *,
    network: Network,
    draft: Network | None = None,
    initial: np.ndarray | Picture | None = None,
    regions: Regions | None = None,
    observers: Sequence[Observer] = (),
    estimate: Estimate | None = None,
    state: RunState | None = None,
    bands: int | Sequence[int] = 0,
    on_interrupt: str = "return",
) -> Result:
    """Make the picture that has the content of ``content`` and the style of ``styles``, as ``recipe`` says.

    Images are (H, W, 3), RGB, 0..255, of any size: they are resized as the recipe says. What is transparent in the
    content's or a style's ``Picture`` does not count. ``initial`` starts the run in place of the recipe's start
    image: ``init`` of the result's recipe is then "file". ``regions`` say which parts take their style from where.
    ``draft`` is the network that a recipe's ``draft`` names, see ``plan_stages``. Observers are told of every
    evaluation; nothing is printed or written here. With ``estimate``, an ``Estimate``, their plan has the seconds
    that evaluations will take. An interrupt (Ctrl-C) or an error ends the run with the best image so far, see
    ``Result.error``; where there is none yet it is raised. ``on_interrupt="raise"`` always raises the interrupt,
    for loops over photographs that are to end with it.

    ``bands`` cuts the last size into so many bands, or each stage into its own number: less memory, see
    ``build_objective``.

    ``state`` is kept up to date: a run that was ended goes on from it, in another call with the same pictures, recipe
    and networks, as if it had not ended. ``save_state`` and ``load_state`` put it into a file.

    Raises ImageError for pictures that are no images or too small, RecipeError, LayerError, OptimizeError, DeviceError.
    """
    recipe = recipe if initial is None else dataclasses.replace(recipe, init=FILE)
    pictures = Pictures.of(content, styles, recipe, initial, regions).cropped()
    require(on_interrupt in ("return", "raise"), "on_interrupt", "return or raise", repr(on_interrupt), RecipeError)
    stages = stages_in_bands(plan_stages(pictures.content.shape, recipe, network, draft), bands)
    state, started = RunState() if state is None else state, list[Observer]()
    check_state(state, stages)
    plan, kept = _plan(stages, recipe, estimate, tuple(state.history[: state.done])), Kept(state)
    error: BaseException | None = None
    try:
        for observer in observers:
            observer.start(plan)
            started.append(observer)
        run_stages(stages, pictures, state, _notifier(pictures, observers, kept), partial(_tell, observers))
    except _EXPECTED as stop:
        error = stop
        nothing_made = state.best is None or not state.history
        if nothing_made or (isinstance(stop, KeyboardInterrupt) and on_interrupt == "raise"):
            raise
    except BaseException as bug:
        error = bug
        raise
    finally:
        error = _close(started, error)
    return _result(pictures, kept, state, recipe, error, content if isinstance(content, Picture) else None)


def _result(
    pictures: Pictures,
    kept: Kept,
    state: RunState,
    recipe: Recipe,
    error: BaseException | None,
    content: Picture | None,
) -> Result:
    image, loss = kept.best()
    return Result(pictures.finished(image), loss, tuple(state.history), state.seconds, recipe, error, content)


def _close(observers: Sequence[Observer], error: BaseException | None) -> BaseException | None:
    """What ended the run; where nothing did, what closing an observer did."""
    for observer in observers:
        try:
            observer.close(error)
        except _EXPECTED as failure:
            error = error or failure
    return error


def _plan(stages: Sequence[Stage], recipe: Recipe, estimate: Estimate | None, history: tuple[Record, ...]) -> Plan:
    shapes, budgets = tuple(stage.shape for stage in stages), planned_evaluations(stages, recipe)
    costs = tuple(map(relative_cost, stages))
    if estimate is not None and tuple(stage.shape for stage in estimate.stages) == shapes:
        costs = tuple(stage.seconds_each for stage in estimate.stages)
    return Plan(recipe, shapes, sum(budgets), budgets, costs, history)


@device_errors()
def run_stages(
    stages: Sequence[Stage],
    pictures: Pictures,
    state: RunState,
    notify: Notify,
    tell: Callable[[Notice], None] = lambda notice: None,
) -> RunState:
    """Run what ``state`` does not count as done. It is updated in place, and returned.

    However that ends, another call goes on from the state. ``tell`` hears what is given up where a device's memory is
    used up; raises ResourceError where nothing is left to give up.
    """
    began, state.stopped, fallback = time.perf_counter() - state.seconds, False, Fallback()

    def timed_notify(event: Event) -> bool:
        state.seconds = time.perf_counter() - began
        return notify(state, event)

    try:
        while state.stage < len(stages) and not state.stopped:
            stage = fallback.applied(stages[state.stage])
            last = state.stage == len(stages) - 1
            if _fits(stage, pictures, state, timed_notify, fallback.replayed, last):
                if not state.stopped:
                    state.stage, state.round, state.image = state.stage + 1, 0, None
                continue
            notice = fallback.give_up(stage, state)
            if notice is None:
                raise advice(stage, pictures)
            tell(notice)
    finally:
        state.seconds = time.perf_counter() - began
    return state


def _fits(stage: Stage, pictures: Pictures, state: RunState, notify: Tell, replayed: bool, last: bool) -> bool:
    """Run a stage; false where the device's memory does not suffice. The arrays of what failed are then gone."""
    del state.history[state.done :]  # what was evaluated beyond the state is evaluated again
    try:
        with device_errors():
            _run_stage(stage, pictures, state, notify, replayed, last)
    except DeviceMemoryError:
        return False
    return True


@np.errstate(over="ignore", invalid="ignore")  # no warnings: the optimiser raises where the loss is no number
def _run_stage(stage: Stage, pictures: Pictures, state: RunState, notify: Tell, replayed: bool, last: bool) -> None:
    """Run the rounds of a stage that ``state`` does not count as done, or up to one in which an observer says stop."""
    scaled = pictures.at(stage.shape)
    objective = build_objective(scaled.content, scaled.styles, stage.recipe, stage.network, scaled.regions,
                                bands=stage.bands, replayed=replayed)  # fmt: skip
    if state.image is None:
        if state.best is None:
            start = scaled.start(stage.network.mean_color, pictures.initial)
        else:
            start = _enlarged(image_on_host(state.best), scaled.content, stage.recipe)
        adam_state = state.adam_state and state.adam_state.resized(_resized_adam_moment, *stage.shape)
        state.image, state.adam_state = start, adam_state
        notify(Event.BORDER)
    while state.round < stage.recipe.rounds and not state.stopped:
        if _run_round(objective, stage, state, notify, last and state.round == stage.recipe.rounds - 1):
            state.stopped = True
        else:
            state.stopped = notify(Event.END_OF_ROUND)
            notify(Event.BORDER)


def _enlarged(image: np.ndarray, content: np.ndarray, recipe: Recipe) -> np.ndarray:
    """What was painted at another size, at that of ``content`` (H, W, 3), with the detail that the recipe wants added.

    An enlarged image has no fine detail, which is most of its loss at first and takes the optimiser many evaluations.
    """
    height, width, _ = content.shape
    enlarged = resize(image, height, width, recipe.resample)
    if recipe.detail == 0 or image.shape == content.shape:
        return enlarged
    coarse = resize(content, image.shape[0], image.shape[1], recipe.resample)
    sharper: np.ndarray = enlarged + recipe.detail * (content - resize(coarse, height, width, recipe.resample))
    return sharper.clip(0, 255)


def _run_round(objective: Objective, stage: Stage, state: RunState, notify: Tell, last: bool) -> bool:
    """One run of the recipe's optimiser, for L-BFGS with a fresh history, or the rest of one. ``last``: of the run.

    True when an observer asked to stop before its end.
    """
    terms: dict[str, float] = {}  # of the latest evaluation
    evaluated: Array | None = None
    whole = True  # the arrays of ``state.midway``: the optimiser works on them after an evaluation
    exact = Exactness(objective, stage, last, state.midway.evaluations if state.midway else 0)

    def evaluate(x: Array) -> tuple[float, Array, float]:
        nonlocal terms, evaluated, whole
        evaluated, whole = x, True
        evaluation = objective.evaluate(x, exact.precision)
        terms = evaluation.terms
        return evaluation.loss, evaluation.gradient, evaluation.largest

    def on_evaluation(x: Array, loss: float) -> bool:
        nonlocal whole
        record = Record(len(state.history) + 1, stage.shape, loss, terms, state.stage + 1)
        state.note(record, x, averaged=stage.recipe.averages, anew=exact.first())
        whole = notify(Event.EVALUATION)
        return whole

    def on_midway(midway: Midway) -> None:
        nonlocal whole
        state.midway, whole = midway, True
        notify(Event.BORDER)

    image = stage.network.device.asarray(state.image, stage.network.dtype)
    midway = state.midway and state.midway.on(stage.network.device)
    try:
        found = minimise(evaluate, image, stage.recipe, stage.evaluations, state.adam_state, on_evaluation, midway,
                         on_midway, exact.begins, stage.pairs)  # fmt: skip
    except OptimizeError as error:
        term = None if evaluated is None else objective.culprit(evaluated)
        raise error if term is None else OptimizeError(f"{term}: {error}") from None
    finally:
        if not whole:
            state.midway = None  # the round is begun again
    if not found.stopped:
        state.image, state.adam_state, state.midway = found.last, found.adam_state, None
        state.round, state.before = state.round + 1, len(state.history)
    return found.stopped


def _notifier(pictures: Pictures, observers: Sequence[Observer], kept: Kept) -> Notify:
    first_steps = FirstSteps(pictures.recipe)

    def notify(state: RunState, event: Event) -> bool:
        if event is Event.BORDER:
            for observer in observers:
                observer.border(state)
            return False
        kept.look()
        ends_round = event is Event.END_OF_ROUND
        # From 1 over all stages. ``state.round`` counts rounds done: at the end of one that one too, else not yet.
        number = state.stage * pictures.recipe.rounds + state.round + (not ends_round)
        step = Step(state.history[-1], number, state.seconds, ends_round,
                    lambda: pictures.finished(kept.best()[0]))  # fmt: skip
        notice = first_steps.look(step)
        if notice is not None:
            _tell(observers, notice)
        return any([observer.step(step) for observer in observers])  # a list: every observer is told

    return notify


def _tell(observers: Sequence[Observer], notice: Notice) -> None:
    for observer in observers:
        observer.notice(notice)


def _resized_adam_moment(array: Array, height: int, width: int, resample: str) -> np.ndarray:
    return resize_values(to_host(array), height, width, resample)
