"""The front door of the library: from content, styles and a recipe to a picture, with observers told of each step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np

from ..errors import MinstyleError, RecipeError, require
from ..images import Picture
from ..network.vgg import Network
from ..notices import Notice
from ..recipe.presets import DEFAULT_RECIPE, RECIPES
from ..recipe.recipe import FILE, Recipe
from ..style.objective import Spread
from ..style.regions import Regions
from ..style.targets import StyleTargets, style_targets
from .compiling import told_of_compiling
from .estimate import Estimate
from .first_steps import FirstSteps
from .kept import Kept
from .loop import Event, Notify, run_stages
from .observer import Observer, Plan, Step
from .pictures import Pictures
from .result import Record, Result
from .stages import Stage, plan_stages, planned_evaluations, relative_cost, stages_in_bands
from .state import RunState, check_state

# What ends a run early without losing the picture; anything else is a bug and is raised.
_EXPECTED = (KeyboardInterrupt, MinstyleError, OSError, MemoryError)


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
    targets_of: StyleTargets = style_targets,
    spread: Spread | None = None,
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
    and networks, as if it had not ended. ``save_state`` and ``load_state`` put it into a file. ``targets_of``, a
    ``SharedTargets`` of several runs, saves those after the first the work on the same style pictures. ``spread``: see
    ``build_objective``.

    Raises ImageError for pictures that are no images or too small, RecipeError, LayerError, OptimizeError, DeviceError.
    """
    recipe = recipe if initial is None else dataclasses.replace(recipe, init=FILE)
    pictures = Pictures.of(content, styles, recipe, initial, regions).cropped()
    stages = stages_in_bands(plan_stages(pictures.content.shape, recipe, network, draft), bands)
    state, started = _checked(state, stages, on_interrupt), list[Observer]()
    plan, kept = _plan(stages, recipe, estimate, tuple(state.history[: state.done])), Kept(state)
    error: BaseException | None = None
    try:
        for observer in observers:
            observer.start(plan)
            started.append(observer)
        notify, back = _notifier(pictures, observers, kept), partial(_go_back, state, kept, observers)
        with told_of_compiling(partial(_tell, observers)) as tell:
            run_stages(stages, pictures, state, notify, tell, targets_of, spread, back)
    except _EXPECTED as stop:
        error = stop
        if _nothing_made(state) or (isinstance(stop, KeyboardInterrupt) and on_interrupt == "raise"):
            raise
    except BaseException as bug:
        error = bug
        raise
    finally:
        error = _close(started, error)
    return _result(pictures, kept, state, recipe, error, content if isinstance(content, Picture) else None)


def _checked(state: RunState | None, stages: Sequence[Stage], on_interrupt: str) -> RunState:
    require(on_interrupt in ("return", "raise"), "on_interrupt", "return or raise", repr(on_interrupt), RecipeError)
    state = RunState() if state is None else state
    check_state(state, stages)
    return state


def _go_back(state: RunState, kept: Kept, observers: Sequence[Observer]) -> None:
    """To what is on this machine: the latest state that was saved of this round, else its beginning."""
    kept.restore()
    saved = next((found for found in (observer.saved() for observer in observers) if found is not None), None)
    if isinstance(state.midway and state.midway.x, np.ndarray):
        return  # the optimiser is here
    state.midway = None
    if saved is not None and all(getattr(saved, of) == getattr(state, of) for of in ("stage", "round", "before")):
        state.midway = saved.midway
        if saved.best is not None and saved.best_loss < state.best_loss:
            state.best, state.best_loss = saved.best, saved.best_loss


def _nothing_made(state: RunState) -> bool:
    return state.best is None or not state.history


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
