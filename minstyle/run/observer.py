"""Who watches a run: a progress bar, a trace, snapshots. The run itself prints nothing and writes nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FileError
from ..files import check_writable
from ..images import check_image_path, save_image
from ..recipe.recipe import Recipe
from ..recipe.terms import ROLES

if TYPE_CHECKING:
    from tqdm import tqdm


@dataclass(frozen=True)
class Plan:
    """What a run is going to do: the (height, width) of each size, and about how many evaluations in all."""

    recipe: Recipe
    shapes: tuple[tuple[int, int], ...]
    evaluations: int


@dataclass(frozen=True)
class Step:
    """The state after an evaluation, or, with ``ends_round``, after the last one of a round (told once more)."""

    shape: tuple[int, int]
    round: int  # from 1, over all sizes
    evaluation: int  # from 1, over all sizes
    loss: float
    terms: dict[str, float]
    seconds: float  # since the start of the run
    ends_round: bool
    image: Callable[[], np.ndarray]  # the best image so far, on the host; computed only if asked for
    stage: int = 1  # a size with a network; losses of different stages do not compare


def role_of(name: str) -> str:
    """What a term of ``Step.terms`` serves, by its name: content, style or tv."""
    return ROLES.get(name.split(" ")[0], "other")


class Observer:
    """Watches a run. Override what you need; the methods given here do nothing.

    An observer may raise: the run then ends and its result holds the best image so far and the error.
    """

    def start(self, plan: Plan) -> None:
        """Called once, before the first evaluation."""

    def step(self, step: Step) -> bool | None:
        """Called after each evaluation and at the end of each round. Return True to end the run here."""
        return None

    def close(self, error: BaseException | None = None) -> None:
        """Called once, at the end; ``error`` is what ended the run early."""


Save = Callable[[np.ndarray, Path], None]
_BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} evaluations, {rate_inv_fmt}, {remaining} left{postfix}"


class Progress(Observer):
    """A bar on standard error: evaluations, loss, time for an evaluation, time left."""

    _bar: tqdm[Any]

    def start(self, plan: Plan) -> None:
        from tqdm import tqdm  # here, for a quick start of the command line

        self._bar = tqdm(total=plan.evaluations, unit="eval", bar_format=_BAR, dynamic_ncols=True)

    def step(self, step: Step) -> None:
        bar = self._bar
        bar.total = max(bar.total, step.evaluation)  # scipy may spend a few more than its budget
        bar.set_postfix(loss=f"{step.loss:.4g}", refresh=False)
        bar.update(step.evaluation - bar.n)

    def close(self, error: BaseException | None = None) -> None:
        if error is None:
            self._bar.total = self._bar.n
        self._bar.close()


class Trace(Observer):
    """A file of JSON lines, one an evaluation: size, round, evaluation, loss, terms, seconds.

    It is written as the run goes, line by line, so that it can be followed and survives a crash.
    Raises FileError when the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        check_writable(path)

    def start(self, plan: Plan) -> None:
        self._write("w", "")

    def step(self, step: Step) -> None:
        if step.ends_round:
            return
        record = {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}
        del record["image"], record["ends_round"]
        self._write("a", json.dumps(record) + "\n")

    def _write(self, mode: str, text: str) -> None:
        try:
            with open(self._path, mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise FileError(f"cannot write {self._path}: {error.strerror or error}") from error


class Snapshots(Observer):
    """The best image so far, every N evaluations (``out_eval0050.png``), or after each round (``out_round03.png``)."""

    def __init__(self, path: str | Path, every: int | None = None, save: Save = save_image) -> None:
        """``path`` names the final picture; ``every`` counts evaluations, None means rounds; ``save`` writes a file."""
        self._path, self._every, self._save_image = Path(path), every, save
        check_image_path(path)

    def step(self, step: Step) -> None:
        if self._every is None and step.ends_round:
            self._save(step, f"round{step.round:02d}")
        elif self._every is not None and not step.ends_round and step.evaluation % self._every == 0:
            self._save(step, f"eval{step.evaluation:04d}")

    def _save(self, step: Step, mark: str) -> None:
        self._save_image(step.image(), self._path.with_name(f"{self._path.stem}_{mark}{self._path.suffix}"))
