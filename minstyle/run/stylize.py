"""The front door of the library, and the loop: from content, styles and a recipe to a picture, size by size."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from ..backend import Array, Device, to_host
from ..errors import MinstyleError, OptimizeError
from ..images import Picture, resize, resize_values
from ..network.vgg import Network
from ..recipe.presets import RECIPES
from ..recipe.recipe import Recipe
from ..style.objective import Objective, build_objective
from ..style.regions import Regions
from .estimate import Estimate
from .first_steps import FirstSteps
from .minimise import minimise
from .observer import Observer, Plan, Step
from .pictures import Pictures
from .result import Record, Result
from .stages import Stage, plan_stages, planned_evaluations, relative_cost
from .state import RunState

# What ends a run early without losing the picture; anything else is a bug and is raised.
_EXPECTED = (KeyboardInterrupt, MinstyleError, OSError, MemoryError)

# (state, ends_round): called after each evaluation and at the end of each round; true ends the run.
Notify = Callable[[RunState, bool], bool]


def stylize(
    content: np.ndarray | Picture,
    styles: Sequence[np.ndarray | Picture],
    recipe: Recipe = RECIPES["document"],
    *,
    network: Network,
    draft: Network | None = None,
    initial: np.ndarray | Picture | None = None,
    regions: Regions | None = None,
    observers: Sequence[Observer] = (),
    estimate: Estimate | None = None,
) -> Result:
    """Make the picture that has the content of ``content`` and the style of ``styles``, as ``recipe`` says.

    Without a recipe it is ``document``, where the command line takes ``fine``: ``RECIPES["fine"]``.

    Images are (H, W, 3), RGB, 0..255, of any size: they are resized as the recipe says. What is transparent in the
    content's or a style's ``Picture`` does not count. ``initial`` starts the run in place of the recipe's start image;
    ``regions`` say which parts take their style from where. ``draft`` is the network that a recipe's ``draft`` names,
    see ``plan_stages``. Observers are told of every evaluation; nothing is printed or written here. With ``estimate``,
    an ``Estimate``, their plan has the seconds that evaluations will take. An interrupt (Ctrl-C) or an error ends the
    run with the best image so far, see ``Result.error``; where there is none yet it is raised.

    Raises ImageError for pictures that are no images or too small, RecipeError, LayerError, OptimizeError.
    """
    pictures = Pictures.of(content, styles, recipe, initial, regions).cropped()
    stages = plan_stages(pictures.content.shape, recipe, network, draft)
    plan = _plan(stages, recipe, estimate)
    state, started = RunState(), list[Observer]()
    error: BaseException | None = None
    try:
        for observer in observers:
            started.append(observer)
            observer.start(plan)
        run_stages(stages, pictures, state, _notifier(pictures, observers))
    except _EXPECTED as stop:
        error = stop
        if state.best is None or not state.history:
            raise  # nothing was made yet that could be handed over
    except BaseException as bug:
        error = bug
        raise
    finally:
        for observer in started:
            try:
                observer.close(error)
            except _EXPECTED as failure:
                error = error or failure
    image = pictures.finished(_on_host(state.best))
    return Result(image, state.best_loss, tuple(state.history), state.seconds, recipe, error)


def _plan(stages: Sequence[Stage], recipe: Recipe, estimate: Estimate | None) -> Plan:
    shapes, budgets = tuple(stage.shape for stage in stages), planned_evaluations(stages, recipe)
    costs = tuple(map(relative_cost, stages))
    if estimate is not None and tuple(stage.shape for stage in estimate.stages) == shapes:
        costs = tuple(stage.seconds_each for stage in estimate.stages)
    return Plan(recipe, shapes, sum(budgets), budgets, costs)


def run_stages(stages: Sequence[Stage], pictures: Pictures, state: RunState, notify: Notify) -> RunState:
    """Run the stages and rounds that ``state`` does not count as done. It is updated in place, and returned."""
    began, state.stopped = time.perf_counter() - state.seconds, False

    def timed_notify(ends_round: bool) -> bool:
        state.seconds = time.perf_counter() - began
        return notify(state, ends_round)

    try:
        for stage in stages[state.stage :]:
            _run_stage(stage, pictures, state, timed_notify)
            if state.stopped:
                break
            state.stage, state.round, state.image = state.stage + 1, 0, None
    finally:
        state.seconds = time.perf_counter() - began
    return state


@np.errstate(over="ignore", invalid="ignore")  # no warnings: the optimiser raises where the loss is no number
def _run_stage(stage: Stage, pictures: Pictures, state: RunState, notify: Callable[[bool], bool]) -> None:
    """Run the rounds of a stage that ``state`` does not count as done, or up to one in which an observer says stop."""
    scaled = pictures.at(stage.shape)
    objective = build_objective(scaled.content, scaled.styles, stage.recipe, stage.network, scaled.regions)
    if state.image is None:
        if state.best is None:
            start = scaled.start(stage.network.mean_color, pictures.initial)
        else:
            start = _enlarged(_on_host(state.best), scaled.content, stage.recipe)
        if state.adam_state is not None:
            state.adam_state = state.adam_state.resized(_resized_adam_moment, *stage.shape)
        state.image = start
    while state.round < stage.recipe.rounds and not state.stopped:
        stopped = _run_round(objective, stage, state, notify)
        state.round += 1
        state.stopped = notify(True) or stopped


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


def _run_round(objective: Objective, stage: Stage, state: RunState, notify: Callable[[bool], bool]) -> bool:
    """One run of the recipe's optimiser, for L-BFGS with a fresh history. True when an observer asked to stop."""
    terms: dict[str, float] = {}  # of the latest evaluation
    evaluated: Array | None = None

    def evaluate(x: Array) -> tuple[float, Array]:
        nonlocal terms, evaluated
        evaluated = x
        evaluation = objective.evaluate(x)
        terms = evaluation.terms
        return evaluation.loss, evaluation.gradient

    def on_evaluation(x: Array, loss: float) -> bool:
        record = Record(len(state.history) + 1, stage.shape, loss, terms, state.stage + 1)
        state.note(record, x, averaged=stage.recipe.averages)
        return notify(False)

    device: Device = stage.network.device
    image = device.asarray(state.image, stage.network.dtype)
    try:
        found = minimise(evaluate, image, stage.recipe, stage.evaluations, state.adam_state, on_evaluation)
    except OptimizeError as error:
        term = None if evaluated is None else objective.culprit(evaluated)
        raise error if term is None else OptimizeError(f"{term}: {error}") from None
    state.image, state.adam_state = found.last, found.adam_state
    return found.stopped


def _notifier(pictures: Pictures, observers: Sequence[Observer]) -> Notify:
    first_steps = FirstSteps(pictures.recipe)

    def notify(state: RunState, ends_round: bool) -> bool:
        # From 1 over all stages. ``state.round`` counts rounds done: at the end of one that one too, else not yet.
        number = state.stage * pictures.recipe.rounds + state.round + (not ends_round)
        step = Step(state.history[-1], number, state.seconds, ends_round,
                    lambda: pictures.finished(_on_host(state.best)))  # fmt: skip
        notice = first_steps.look(step)
        if notice is not None:
            for observer in observers:
                observer.notice(notice)
        return any([observer.step(step) for observer in observers])  # a list: every observer is told

    return notify


def _on_host(best: Array) -> np.ndarray:
    """The best image so far (H, W, 3), float32, clipped to 0..255."""
    image: np.ndarray = to_host(best).astype(np.float32).clip(0, 255)
    return image


def _resized_adam_moment(array: Array, height: int, width: int, resample: str) -> np.ndarray:
    return resize_values(to_host(array), height, width, resample)
