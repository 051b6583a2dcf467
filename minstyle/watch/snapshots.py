"""Intermediate pictures of a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ..images import check_image_path, save_image
from ..run.observer import Observer, Step

Save = Callable[[np.ndarray, Path], None]


def snapshots_named(path: Path, names: Iterable[str], every: int) -> list[Path]:
    """The snapshots of ``path`` that have one of these names, or would where upper and lower case are the same.

    ``every`` counts evaluations, 0 means rounds.
    """
    kind = "eval" if every else "round"
    snapshot = re.compile(rf"{re.escape(path.stem)}_{kind}(\d{{2,18}}){re.escape(path.suffix)}", re.IGNORECASE)
    digits = {found[1] for found in map(snapshot.fullmatch, names) if found}
    possible = [text for text in sorted(digits) if int(text) > 0 and int(text) % (every or 1) == 0]
    return [_place(path, _mark(kind, int(text))) for text in possible if _mark(kind, int(text)) == f"{kind}{text}"]


def _mark(kind: str, number: int) -> str:
    return f"eval{number:04d}" if kind == "eval" else f"round{number:02d}"


def _place(path: Path, mark: str) -> Path:
    return path.with_name(f"{path.stem}_{mark}{path.suffix}")


class Snapshots(Observer):
    """The best image so far, every N evaluations (``out_eval0050.png``), or after each round (``out_round03.png``)."""

    def __init__(self, path: str | Path, every: int | None = None, save: Save = save_image) -> None:
        """``path`` names the final picture; ``every`` counts evaluations, None means rounds; ``save`` writes a file."""
        self._path, self._every, self._save_image = Path(path), every, save
        check_image_path(path)

    def step(self, step: Step) -> None:
        if self._every is None and step.ends_round:
            self._save(step, _mark("round", step.round))
        elif self._every is not None and not step.ends_round and step.record.evaluation % self._every == 0:
            self._save(step, _mark("eval", step.record.evaluation))

    def _save(self, step: Step, mark: str) -> None:
        self._save_image(step.image(), _place(self._path, mark))
