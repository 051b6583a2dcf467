"""The front door of the library: from content, styles and a recipe to a picture, size by size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backend import Array, to_host
from .errors import ImageError, MinstyleError, require
from .images import resize
from .objective import Evaluation, Objective, build_objective
from .observers import Observer, Plan, Step
from .optimize import Minimum, scipy_lbfgs
from .recipes import IMAGE, RECIPES, Recipe
from .vgg import Network
from .weights.locate import load_network

SMALLEST = 32  # pixels on the shorter side: block 5 sees one sixteenth of them

# What ends a run early without losing the picture; anything else is a bug and is raised.
_EXPECTED = (KeyboardInterrupt, MinstyleError, OSError, MemoryError)


@dataclass(frozen=True)
class Record:
    """One evaluation: its number from 1, (height, width), total loss, and each term's share of it by name.

    ``stage``, from 1, is a size with a network; losses of different stages do not compare.
    """

    evaluation: int
    shape: tuple[int, int]
    loss: float
    terms: dict[str, float]
    stage: int = 1


@dataclass(frozen=True)
class Result:
    """What ``stylize`` made.

    ``image`` (H, W, 3) float32, RGB, clipped to 0..255; ``loss`` that of the image before it was clipped; ``history``
    one Record an evaluation; ``error`` is None, or what ended the run early (an interrupt, a MinstyleError, an OSError
    in an observer, lack of memory): the image is then the best so far.
    """

    image: np.ndarray
    loss: float
    history: tuple[Record, ...]
    seconds: float
    recipe: Recipe
    error: BaseException | None = None

    @property
    def evaluations(self) -> int:
        return len(self.history)

    @property
    def first_loss(self) -> float:
        """The loss of the first evaluation of the last stage."""
        return next(record.loss for record in self.history if record.stage == self.history[-1].stage)


def stylize(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    recipe: Recipe = RECIPES["document"],
    *,
    network: Network,
    initial: np.ndarray | None = None,
    observers: Sequence[Observer] = (),
) -> Result:
    """Make the picture that has the content of ``content`` and the style of ``styles``, as ``recipe`` says.

    Images are (H, W, 3), RGB, 0..255, of any size: they are resized as the recipe says. ``initial`` starts the run in
    place of the recipe's start image. Observers are told of every evaluation; nothing is printed or written here.
    An interrupt (Ctrl-C) or an error ends the run with the best image so far, see ``Result.error``; where there is none
    yet it is raised.

    Raises ImageError for pictures that are no images or too small, LayerError, OptimizeError.
    """
    for name, image in (("content", content), *(("style", style) for style in styles)):
        _check_image(name, image)
    if initial is not None:
        _check_image("initial", initial)
    return _Run(content, styles, recipe, network, initial, observers).go()


class _Run:
    """The state of one call of ``stylize``."""

    def __init__(
        self,
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        recipe: Recipe,
        network: Network,
        initial: np.ndarray | None,
        observers: Sequence[Observer],
    ) -> None:
        self.content, self.styles, self.recipe, self.network = content, styles, recipe, network
        self.initial, self.observers = initial, observers
        self.history: list[Record] = []
        self.stage = self.round = 0
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
                observer.start(Plan(self.recipe, tuple(shape for shape, _ in stages), self._budget(len(stages))))
            for shape, network in stages:
                self.stage += 1
                if self._minimise_at(shape, network):
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
        return Result(self._best_image(), self.best_loss, tuple(self.history), seconds, self.recipe, error)

    def _plan(self) -> list[tuple[tuple[int, int], Network]]:
        """(height, width) and network of each stage, once recipe, pictures and networks are known to go together."""
        shapes = [working_shape(self.content.shape, size, self.recipe) for size in self.recipe.sizes]
        stages = [(shape, self.network) for shape in shapes]
        if self.recipe.draft != "none" and not self.network.small:
            device, dtype = self.network.device.name, self.network.dtype
            draft = load_network(self.recipe.draft, device=device, dtype=dtype)
            stages = [*((shape, draft) for shape in shapes), stages[-1]]
        for network in {id(network): network for _, network in stages}.values():
            for term in self.recipe.terms:
                if term.layer != IMAGE and self.recipe.effective_weight(term) > 0:
                    network.check_loss_layer(term.layer)
        for shape in shapes:
            require(min(shape) >= SMALLEST, f"content at size {shape}",
                    f"at least {SMALLEST} pixels on the shorter side", min(shape), ImageError)  # fmt: skip
        return stages

    def _budget(self, stages: int) -> int:
        """About how many evaluations the run will take: scipy looks at its budget only after an iteration."""
        round_ = min(self.recipe.evaluations + 1, 2 * self.recipe.iterations + 1)
        return stages * self.recipe.rounds * round_

    @np.errstate(over="ignore", invalid="ignore")  # the optimiser refuses what comes of it
    def _minimise_at(self, shape: tuple[int, int], network: Network) -> bool:
        """All rounds of a stage, from the best image of the stage before. True when an observer asked to stop."""
        recipe = self.recipe
        content = resize(self.content, *shape, recipe.resample)
        styles = [resize(style, *fitted_shape(style.shape, shape, recipe), recipe.resample) for style in self.styles]
        objective = build_objective(content, styles, recipe, network)
        x = network.device.asarray(self._start_image(content), network.dtype)
        for _ in range(recipe.rounds):
            self.round += 1
            found = self._minimise_round(objective, x)
            x = found.x
            if self._tell(objective, ends_round=True) or found.stopped:
                return True
        return False

    def _minimise_round(self, objective: Objective, x: Array) -> Minimum:
        """One run of L-BFGS with a fresh history."""

        def evaluate(x: Array) -> tuple[float, Array]:
            evaluation = objective.evaluate(x)
            self._record(objective, x, evaluation)
            return evaluation.loss, evaluation.gradient

        recipe = self.recipe
        return scipy_lbfgs(
            evaluate,
            x,
            history=recipe.history,
            factr=recipe.factr,
            pgtol=recipe.pgtol,
            evaluations=recipe.evaluations,
            iterations=recipe.iterations,
            on_evaluation=lambda x, loss: self._tell(objective, ends_round=False),
        )

    def _record(self, objective: Objective, x: Array, evaluation: Evaluation) -> None:
        if not np.isfinite(evaluation.loss):
            return  # the optimiser refuses it
        first = not self.history or self.history[-1].stage < self.stage
        number, shape = len(self.history) + 1, objective.shape[:2]
        self.history.append(Record(number, shape, evaluation.loss, evaluation.terms, self.stage))
        # Losses of different stages do not compare: the first evaluation of a stage is its best so far.
        if first or evaluation.loss < self.best_loss:
            self.best, self.best_loss = x, evaluation.loss

    def _tell(self, objective: Objective, ends_round: bool) -> bool:
        last = self.history[-1]
        seconds = time.perf_counter() - self.began
        step = Step(
            objective.shape[:2],
            self.round,
            last.evaluation,
            last.loss,
            last.terms,
            seconds,
            ends_round,
            self._best_image,
            self.stage,
        )
        return any([observer.step(step) for observer in self.observers])  # a list: every observer is told

    def _best_image(self) -> np.ndarray:
        return to_host(self.best).astype(np.float32).clip(0, 255)

    def _start_image(self, content: np.ndarray) -> np.ndarray:
        height, width, _ = content.shape
        if self.history:
            return resize(self._best_image(), height, width)
        if self.initial is not None:
            return resize(self.initial, height, width)
        if self.recipe.init == "content":
            return content
        return np.random.default_rng(self.recipe.seed).uniform(0, 255, content.shape)


def working_shape(shape: tuple[int, ...], size: int, recipe: Recipe) -> tuple[int, int]:
    """(height, width) of the content at a size of the recipe; its aspect is kept, fractions of a pixel are cut off."""
    height, width = shape[:2]
    if recipe.size_of == "height":
        return size, int(width * size / height)
    longer = max(height, width)
    return int(height * size / longer), int(width * size / longer)


def fitted_shape(style: tuple[int, ...], content: tuple[int, int], recipe: Recipe) -> tuple[int, int]:
    """(height, width) of a style picture beside a content of that shape."""
    if recipe.style_fit == "stretch":
        return content
    longer = max(style[:2])
    height, width = (max(SMALLEST, round(n * max(content) / longer)) for n in style[:2])
    return height, width


def _check_image(name: str, image: Any) -> None:
    good = isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3
    require(good, name, "an image (H, W, 3)", getattr(image, "shape", type(image)), ImageError)
    require(min(image.shape[:2]) >= SMALLEST, name, f"at least {SMALLEST} x {SMALLEST} pixels",
            f"{image.shape[1]} x {image.shape[0]}", ImageError)  # fmt: skip
    require(bool(np.isfinite(image).all()), name, "finite pixels", "NaN or infinite ones", ImageError)
