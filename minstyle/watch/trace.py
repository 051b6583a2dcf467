"""The losses of a run as a file of JSON lines."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from pathlib import Path

from ..errors import FileError
from ..files import check_open
from ..run.observer import Observer, Plan, Step


class Trace(Observer):
    """A file of JSON lines, one an evaluation: size, round, evaluation, loss, terms, seconds.

    It is written as the run goes, line by line, so that it can be followed and survives a crash. A run that goes on
    adds its lines to those of the evaluations made before.
    Raises FileError when the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        check_open(path)

    def start(self, plan: Plan) -> None:
        done = self._written = len(plan.history)
        self._write("w", "".join(self._lines()[:done]) if done else "")

    def step(self, step: Step) -> None:
        if step.ends_round:
            return
        if step.record.evaluation <= self._written:  # made again, from an earlier state
            self._write("w", "".join(self._lines()[: step.record.evaluation - 1]))
        record = {**dataclasses.asdict(step.record), "round": step.round, "seconds": step.seconds}
        self._write("a", json.dumps(record) + "\n")
        self._written = step.record.evaluation

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise FileError(f"cannot go on with {self._path}: {error}") from error

    def _write(self, mode: str, text: str) -> None:
        whole = None
        try:
            with open(self._path, mode, encoding="utf-8") as file:
                whole = file.tell() if file.seekable() else None
                file.write(text)
        except OSError as error:
            if whole is not None:  # no half line stays, to which the next would be added
                with contextlib.suppress(OSError):
                    os.truncate(self._path, whole)
            raise FileError(f"cannot write {self._path}: {error.strerror or error}") from error
