"""A progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..run.observer import Observer, Plan, Step

if TYPE_CHECKING:
    from tqdm import tqdm

_BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} evaluations, {rate_inv_fmt}, {remaining} left{postfix}"


class Progress(Observer):
    """A bar on standard error: evaluations, loss, time for an evaluation, time left."""

    _bar: tqdm[Any] | None = None

    def start(self, plan: Plan) -> None:
        from tqdm import tqdm  # here, for a quick start of the command line

        self._bar = tqdm(total=plan.evaluations, unit="eval", bar_format=_BAR, dynamic_ncols=True)

    def step(self, step: Step) -> None:
        bar = self._bar
        assert bar is not None
        bar.total = max(bar.total, step.record.evaluation)  # scipy may spend a few more than its budget
        bar.set_postfix(loss=f"{step.record.loss:.4g}", refresh=False)
        bar.update(step.record.evaluation - bar.n)

    def close(self, error: BaseException | None = None) -> None:
        if self._bar is None:  # interrupted while it started
            return
        if error is None:
            self._bar.total = self._bar.n
        self._bar.close()
