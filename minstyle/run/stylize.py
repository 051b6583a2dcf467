"""The front door of the library: from content, styles and a recipe to a picture, size by size."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..backend import Array, to_host
from ..errors import ImageError, MinstyleError, require
from ..images import resize, resize_values
from ..network.vgg import Network
from ..optimize.adam import AdamState
from ..recipe.presets import RECIPES
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, Shape, of_size, shapes_of
from ..recipe.terms import IMAGE
from ..style.objective import Evaluation, Objective, build_objective
from ..style.regions import Regions
from ..weights.locate import load_network
from .minimise import Round, minimise
from .observer import Observer, Plan, Step
from .pictures import Pictures, Working
from .result import Record, Result

# What ends a run early without losing the picture; anything else is a bug and is raised.
_EXPECTED = (KeyboardInterrupt, MinstyleError, OSError, MemoryError)


def stylize(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    recipe: Recipe = RECIPES["document"],
    *,
    network: Network,
    initial: np.ndarray | None = None,
    regions: Regions | None = None,
    observers: Sequence[Observer] = (),
) -> Result:
    """Make the picture that has the content of ``content`` and the style of ``styles``, as ``recipe`` says.

    Images are (H, W, 3), RGB, 0..255, of any size: they are resized as the recipe says. ``initial`` starts the run in
    place of the recipe's start image; ``regions`` say which parts take their style from where. Observers are told of
    every evaluation; nothing is printed or written here. An interrupt (Ctrl-C) or an error ends the run with the best
    image so far, see ``Result.error``; where there is none yet it is raised.

    Raises ImageError for pictures that are no images or too small, LayerError, OptimizeError.
    """
    pictures = Pictures(content, tuple(styles), recipe, initial, regions).cropped()
    return _Run(pictures, network, observers).go()


@dataclass(frozen=True)
class _Stage:
    """(height, width), the network, the evaluations of each round, and the recipe as it is there."""

    shape: Shape
    network: Network
    evaluations: int
    recipe: Recipe


class _Run:
    """The state of one call of ``stylize``."""

    def __init__(self, pictures: Pictures, network: Network, observers: Sequence[Observer]) -> None:
        self.pictures, self.recipe, self.network, self.observers = pictures, pictures.recipe, network, observers
        self.history: list[Record] = []
        self.stage = self.round = 0
        self.next: Working | None = None  # of the stage that runs
        self.working: Working | None = None  # of the stage that the best image is of
        self.state: AdamState | None = None
        self.best: Array = np.empty(0)
        self.best_loss = np.inf
        self.began = time.perf_counter()

    def go(self) -> Result:
        stages = self._plan()
        started: list[Observer] = []
        error: BaseException | None = None
        try:
            for observer in self.observers:
                started.append(observer)
                observer.start(Plan(self.recipe, tuple(stage.shape for stage in stages), self._budget(stages)))
            for stage in stages:
                self.stage += 1
                if self._minimise_at(stage):
                    break
        except _EXPECTED as stop:
            error = stop
            if not self.history:
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
        seconds = time.perf_counter() - self.began
        return Result(self._picture(), self.best_loss, tuple(self.history), seconds, self.recipe, error)

    def _plan(self) -> list[_Stage]:
        """The stages, once recipe, pictures and networks are known to go together."""
        shapes = shapes_of(self.pictures.content.shape, self.recipe)
        stages = []
        for scale, shape in enumerate(shapes):
            recipe = self.recipe if scale == len(shapes) - 1 else self.recipe.while_coarse()
            stages.append(_Stage(shape, self.network, of_size(recipe.evaluations, scale), recipe))
        if self.recipe.draft != "none" and not self.network.small:
            device, dtype = self.network.device.name, self.network.dtype
            draft = load_network(self.recipe.draft, device=device, dtype=dtype)
            stages = [*(dataclasses.replace(stage, network=draft) for stage in stages), stages[-1]]
        for network in {id(stage.network): stage.network for stage in stages}.values():
            for term in self.recipe.terms:
                if term.layer != IMAGE and self.recipe.effective_weight(term) > 0:
                    network.check_loss_layer(term.layer)
        for shape in shapes:
            require(min(shape) >= SMALLEST, f"content at size {shape}",
                    f"at least {SMALLEST} pixels on the shorter side", min(shape), ImageError)  # fmt: skip
        return stages

    def _budget(self, stages: Sequence[_Stage]) -> int:
        """About how many evaluations the run will take: scipy looks at its budget only after an iteration."""
        most = self.recipe.iterations
        if self.recipe.optimizer == "adam":
            per_round = [min(stage.evaluations, most) for stage in stages]
        else:
            per_round = [min(stage.evaluations + 1, 2 * most + 1) for stage in stages]
        return self.recipe.rounds * sum(per_round)

    @np.errstate(over="ignore", invalid="ignore")  # the optimiser refuses what comes of it
    def _minimise_at(self, stage: _Stage) -> bool:
        """All rounds of a stage, from the best image of the stage before. True when an observer asked to stop."""
        start = self._best_image() if self.history else None
        working = self.pictures.at(stage.shape)
        objective = build_objective(working.content, working.styles, stage.recipe, stage.network, working.regions)
        if start is None:
            start = working.start(stage.network.mean_color, self.pictures.initial)
        else:
            start = resize(start, *stage.shape, self.recipe.resample)
        self.next = working
        x = stage.network.device.asarray(start, stage.network.dtype)
        self.state = None if self.state is None else self.state.resized(_resized_moment, *stage.shape)
        for _ in range(self.recipe.rounds):
            self.round += 1
            found = self._minimise_round(objective, x, stage.evaluations)
            x = found.last
            self.state = found.state
            if self._tell(objective, ends_round=True) or found.stopped:
                return True
        return False

    def _minimise_round(self, objective: Objective, x: Array, evaluations: int) -> Round:
        """One run of the recipe's optimiser, for L-BFGS with a fresh history."""

        def evaluate(x: Array) -> tuple[float, Array]:
            evaluation = objective.evaluate(x)
            self._record(objective, x, evaluation)
            return evaluation.loss, evaluation.gradient

        def on_evaluation(x: Array, loss: float) -> bool:
            if self.recipe.averaging > 0 and self.recipe.optimizer == "adam":
                self.best, self.best_loss = x.copy(), loss  # the mean of the images so far
            return self._tell(objective, ends_round=False)

        return minimise(evaluate, x, self.recipe, evaluations, self.state, on_evaluation)

    def _record(self, objective: Objective, x: Array, evaluation: Evaluation) -> None:
        if not np.isfinite(evaluation.loss):
            return  # the optimiser refuses it
        first = not self.history or self.history[-1].stage < self.stage
        number, shape = len(self.history) + 1, objective.shape[:2]
        self.history.append(Record(number, shape, evaluation.loss, evaluation.terms, self.stage))
        # Losses of different stages do not compare: the first evaluation of a stage is its best so far.
        if first or evaluation.loss < self.best_loss:
            self.best, self.best_loss, self.working = x.copy(), evaluation.loss, self.next

    def _tell(self, objective: Objective, ends_round: bool) -> bool:
        last = self.history[-1]
        step = Step(
            objective.shape[:2],
            self.round,
            last.evaluation,
            last.loss,
            last.terms,
            time.perf_counter() - self.began,
            ends_round,
            self._picture,
            self.stage,
        )
        return any([observer.step(step) for observer in self.observers])  # a list: every observer is told

    def _best_image(self) -> np.ndarray:
        return to_host(self.best).astype(np.float32).clip(0, 255)

    def _picture(self) -> np.ndarray:
        """The best image so far in the colours that the recipe wants."""
        assert self.working is not None
        return self.working.finished(self._best_image())


def _resized_moment(array: Array, height: int, width: int, resample: str) -> np.ndarray:
    return resize_values(to_host(array), height, width, resample)
