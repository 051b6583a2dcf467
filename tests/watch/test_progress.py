"""watch/progress.py: the bar on standard error."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minstyle.network.vgg import Network
from minstyle.run.observer import Plan
from minstyle.watch.progress import Progress
from tests.support.observers import SHORT, Breaker, run, step_at


def last_frame(capfd: pytest.CaptureFixture[str]) -> str:
    """What the bar showed at last; it must not have touched standard output."""
    captured = capfd.readouterr()
    assert captured.out == ""
    return captured.err.strip().split("\r")[-1]


@pytest.mark.parametrize("changes", [{}, {"pgtol": 1e30}, {"iterations": 2}], ids=["whole", "ends early", "iterations"])
def test_the_bar_is_on_standard_error_and_finishes(
    tiny_network: Network, capfd: pytest.CaptureFixture[str], changes: dict[str, float]
) -> None:
    result = run(tiny_network, [Progress()], dataclasses.replace(SHORT, **changes))
    frame = last_frame(capfd)
    assert frame.startswith("100%")
    assert f" {result.evaluations}/{result.evaluations} " in frame
    assert f"loss={result.history[-1].loss:.4g}" in frame


def test_the_bar_of_an_interrupted_run_stays_where_it_was(
    tiny_network: Network, capfd: pytest.CaptureFixture[str]
) -> None:
    result = run(tiny_network, [Progress(), Breaker(KeyboardInterrupt(), 3)])
    frame = last_frame(capfd)
    assert result.evaluations == 3
    assert f" 3/{2 * 5} " in frame
    assert "100%" not in frame


def test_the_bar_grows_with_a_run_that_spends_more_than_planned(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.start(Plan(SHORT, ((32, 40),), evaluations=2))
    for evaluation in range(1, 5):
        progress.step(step_at(evaluation, lambda: np.zeros((4, 4, 3))))
    progress.close(KeyboardInterrupt())
    assert " 4/4 " in last_frame(capfd)
