"""Pictures on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ..images import check_image_path, save_image
from ..run.observer import Observer, Step

Save = Callable[[np.ndarray, Path], None]


def snapshots_named(path: Path, names: Iterable[str]) -> list[Path]:
    """The snapshots of ``path`` that have one of these names, or would where upper and lower case are the same."""
    snapshot = re.compile(re.escape(path.stem) + r"_(eval\d{4,}|round\d{2,})" + re.escape(path.suffix), re.IGNORECASE)
    marks = {found[1].lower() for found in map(snapshot.fullmatch, names) if found}
    return [_place(path, mark) for mark in sorted(marks)]


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
            self._save(step, f"round{step.round:02d}")
        elif self._every is not None and not step.ends_round and step.record.evaluation % self._every == 0:
            self._save(step, f"eval{step.record.evaluation:04d}")

    def _save(self, step: Step, mark: str) -> None:
        self._save_image(step.image(), _place(self._path, mark))
