"""Checkpoints: where the run stands, in a file, so that it can go on whatever ended it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, DeviceError, FileError
from ..notices import NO_CHECKPOINT, Notice
from ..run.observer import Observer, Plan
from ..run.state import RunState
from ..run.statefile import load_state, state_bytes, write_state

SHARE = 0.02  # of the run's time that writing may take
_DISK = 1e8  # bytes a second, of what none has been written yet


def checkpoint_of(out: Path) -> Path:
    """Where the checkpoint of a run is that paints ``out``."""
    return out.with_name(f"{out.name}.checkpoint")


def generations(path: Path) -> tuple[Path, Path, Path]:
    """The latest checkpoint, the one before it, and what is being written."""
    return path, path.with_name(f"{path.name}.old"), path.with_name(f"{path.name}.new")


class Checkpoints(Observer):
    """Writes the state of the run as often as that takes 2 % of its time, and once more when it is ended early.

    A file is whole before it takes the name ``path``; the one before it stays as ``path.old``. A disk that is full ends
    no run: ``tell`` hears of it, once.
    """

    def __init__(
        self,
        path: str | Path,
        about: Mapping[str, Any],
        tell: Callable[[Notice], None] = lambda notice: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``about``, JSON, is written with the state. ``tell`` is told of what is to be said."""
        self._latest, self._older, self._new = generations(Path(path))
        self._about, self._tell, self._clock = about, tell, clock
        self._state: RunState | None = None

    def start(self, plan: Plan) -> None:
        self._began, self._spent, self._silent = self._clock(), 0.0, False
        self._took = (0, 0.0)  # bytes and seconds of the latest one
        going_on = bool(plan.history) and self._latest.exists()
        self._done = len(plan.history) if going_on else -1  # evaluations that are in the file

    def border(self, state: RunState) -> None:
        self._state = state
        size, seconds = self._took  # it grows with the optimiser's pairs, and with the picture
        expected = seconds + max(0, state_bytes(state) - size) / _DISK
        if state.done > self._done and self._spent + expected <= SHARE * (self._clock() - self._began):
            self._write(state)

    def close(self, error: BaseException | None = None) -> None:
        ended_early = isinstance(error, (Exception, KeyboardInterrupt))  # by nothing that is to end at once
        if ended_early and self._state is not None and self._state.done > self._done:
            self._write(self._state)

    def saved(self) -> RunState | None:
        with contextlib.suppress(CheckpointError):
            return load_state(self._latest) if self._done >= 0 else None
        return None

    def remove(self) -> None:
        """The files away: the picture is painted, and saved."""
        for path in generations(self._latest):
            with contextlib.suppress(OSError):
                path.unlink()

    def _write(self, state: RunState) -> None:
        began = self._clock()
        try:
            self._remove_new()  # a link that lies there is not followed
            write_state(state, self._new, self._about)
            self._take_place()
        except DeviceError:  # the run ends of it, with the checkpoint that there is
            self._remove_new()
            raise
        except (OSError, MemoryError, ValueError, RuntimeError) as error:  # it only watches
            self._remove_new()
            if not self._silent:
                reason = str(error) if isinstance(error, FileError) else f"cannot write {self._latest}: {error}"
                self._tell(
                    Notice(
                        NO_CHECKPOINT, f"{' '.join(reason.split())}; the run goes on, but its checkpoint is out of date"
                    )
                )
            self._silent = True
        else:
            self._done = state.done
        self._took = state_bytes(state), self._clock() - began
        self._spent += self._took[1]

    def _remove_new(self) -> None:
        with contextlib.suppress(OSError):
            self._new.unlink()

    def _take_place(self) -> None:
        if self._done >= 0:  # else what lies there is another run's
            with contextlib.suppress(FileNotFoundError):  # somebody has removed it
                os.replace(self._latest, self._older)
        else:
            with contextlib.suppress(FileNotFoundError):
                self._older.unlink()
        os.replace(self._new, self._latest)
