"""One bar for many pictures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from ..front import shown, tell
from ..notices import Notice
from ..run.observer import Observer, Plan, Step
from .progress import Ahead

_BAR = "{percentage:3.0f}%|{bar}| {desc}"


class ManyPictures:
    """How far many pictures are, on standard error: a bar, without a terminal a line each 10 %, and minutes left.

    ``costs`` are what the pictures take beside each other, in any unit. May be told of several at a time.
    """

    def __init__(self, costs: Sequence[float], quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        from tqdm import tqdm  # here, for a quick start of the command line

        self._costs, self._all, self._quiet, self._clock = costs, sum(costs) or 1.0, quiet, clock
        self._parts: dict[int, float] = {}  # of each picture that was begun
        self._done, self._tenth, self._began = 0, 0, clock()
        self._on_terminal = not quiet and sys.stderr.isatty()
        self._bar = tqdm(total=1.0, bar_format=_BAR, dynamic_ncols=True, disable=not self._on_terminal)
        self._show()

    def observer(self, number: int) -> Observer:
        """Who tells of the run that paints the picture of that number."""
        return _OfOne(self, number)

    def at(self, number: int, part: float) -> None:
        """So large a part of that picture is done."""
        self._parts[number] = max(part, self._parts.get(number, 0.0))
        self._show()

    def done(self, number: int) -> None:
        """That picture is painted, or given up."""
        self._done += 1
        self.at(number, 1.0)

    def tell(self, text: str) -> None:
        """A line of text between."""
        if self._on_terminal:
            self._bar.write(shown(f"minstyle: {text}"), file=sys.stderr)
        else:
            tell(f"minstyle: {text}")

    def close(self) -> None:
        self._bar.close()

    def _show(self) -> None:
        part = sum(self._costs[number] * done for number, done in self._parts.items()) / self._all
        seconds = self._clock() - self._began
        left = f"{_left(seconds * (1 - part) / part)} left" if part > 0 else "? left"
        text = f"{self._done}/{len(self._costs)} pictures, {left}"
        if self._on_terminal:
            self._bar.set_description_str(text, refresh=False)
            self._bar.update(part - self._bar.n)
        elif not self._quiet and int(10 * part + 1e-9) > self._tenth:
            self._tenth = int(10 * part + 1e-9)
            tell(f"minstyle: {part:4.0%}, {text}")


class _OfOne(Observer):
    def __init__(self, many: ManyPictures, number: int) -> None:
        self._many, self._number = many, number

    def start(self, plan: Plan) -> None:
        self._ahead = Ahead(plan)

    def step(self, step: Step) -> None:
        self._ahead.seconds(step)
        self._many.at(self._number, 0.999 * self._ahead.part)  # it is still to be saved

    def notice(self, notice: Notice) -> None:
        self._many.tell(notice.text)


def _left(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
