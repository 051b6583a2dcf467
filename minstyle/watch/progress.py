"""A progress bar."""

from __future__ import annotations

import sys
from collections import Counter

from ..front import shown, tell
from ..notices import Notice
from ..run.observer import Observer, Plan, Step

_BAR = "{percentage:3.0f}% of the time|{bar}| {desc}"


class Progress(Observer):
    """A bar on standard error: evaluations, loss, seconds each, time left.

    Without a terminal it is a line at the start and one each 10 %; in a notebook the notebook's own bar, where
    ipywidgets is installed. Bar and time left count evaluations by what they cost, as the plan says: at the last size
    one takes many times as long as at the first.
    """

    def start(self, plan: Plan) -> None:
        from tqdm.auto import tqdm  # here, for a quick start of the command line

        self._ahead, self._planned, self._latest = Ahead(plan), plan.evaluations, (0, 0.0)
        self._each, self._loss, self._tenth = 0.0, "", 0
        in_notebook = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)
        self._on_terminal = in_notebook or sys.stderr.isatty()
        text = f"{len(plan.history)}/{plan.evaluations} evaluations"
        self._bar = tqdm(total=1.0, desc=text, bar_format=_BAR, dynamic_ncols=True, disable=not self._on_terminal)
        if not self._on_terminal:
            tell(f"minstyle: {text} done, {_sizes(plan)}")

    def step(self, step: Step) -> None:
        (before, seconds), count = self._latest, step.record.evaluation
        left = self._ahead.seconds(step)
        if count > before:
            self._each, self._latest = (step.seconds - seconds) / (count - before), (count, step.seconds)
        self._planned = max(self._planned, count)  # scipy may spend a few more than its budget
        self._loss = f", loss={step.record.loss:.4g}"
        self._show(self._ahead.part, None if left is None else self._bar.format_interval(left))

    def notice(self, notice: Notice) -> None:
        line = shown(f"minstyle: {notice.text}")
        if self._on_terminal:
            self._bar.write(line, file=sys.stderr)
        else:
            tell(line)

    def close(self, error: BaseException | None = None) -> None:
        if error is None:
            self._planned = self._latest[0]
            self._show(1.0, "00:00")
        self._bar.close()

    def _show(self, part: float, left: str | None) -> None:
        to_go = "" if left is None else f", {left} left"
        text = f"{self._latest[0]}/{self._planned} evaluations, {self._each:.2f}s/eval{to_go}{self._loss}"
        if self._on_terminal:
            self._bar.set_description_str(text, refresh=False)
            self._bar.update(part - self._bar.n)
        elif int(10 * part) > self._tenth and left is not None:
            self._tenth = int(10 * part)
            tell(f"minstyle: {part:4.0%} of the time, {text}")


def _sizes(plan: Plan) -> str:
    """ "at 128 x 85, 256 x 170 pixels: the larger, the longer one takes" """
    sizes = list(dict.fromkeys(f"{width} x {height}" for height, width in plan.shapes))
    return f"at {', '.join(sizes)} pixels" + (": the larger, the longer one takes" if len(sizes) > 1 else "")


class Ahead:
    """How much of a run is done, and how long the rest will take.

    A round that ends early counts as done whole, and one that takes more than planned as what was planned.
    """

    def __init__(self, plan: Plan) -> None:
        self._rounds = plan.recipe.rounds
        budgets, costs = plan.budgets or (plan.evaluations,), plan.costs or (1.0,)
        self._rows = [(budget / self._rounds, cost) for budget, cost in zip(budgets, costs, strict=True)]
        self._cost = self._rounds * sum(budget * cost for budget, cost in self._rows)
        self.part = 0.0  # of the run's cost, that is done
        self._first: tuple[float, float] | None = None  # seconds at the first evaluation, and its cost
        self._before = Counter(record.stage for record in plan.history)
        self._spent, self._latest, self._round, self._in_round = 0.0, len(plan.history), 0, 0

    def seconds(self, step: Step) -> float | None:
        """The seconds left after a step; None where that is not known yet."""
        stage = min(step.record.stage, len(self._rows)) - 1
        budget, cost = self._rows[stage]
        rounds_before = step.round - 1 - stage * self._rounds
        if step.round != self._round:
            before = self._before.pop(stage + 1, 0) - rounds_before * budget
            self._round, self._in_round = step.round, max(0, round(before))
        new, self._latest = step.record.evaluation - self._latest, step.record.evaluation
        self._in_round += new
        self._spent += new * cost
        in_stage = rounds_before * budget + (budget if step.ends_round else min(self._in_round, budget))
        done = self._rounds * sum(b * c for b, c in self._rows[:stage]) + in_stage * cost
        self.part = min(max(self.part, done / self._cost if self._cost else 0.0), 1.0)
        if self._first is None:  # its seconds are with those of the targets
            self._first = step.seconds, self._spent
        seconds, spent = step.seconds - self._first[0], self._spent - self._first[1]
        return seconds / spent * (1 - self.part) * self._cost if spent > 0 else None
