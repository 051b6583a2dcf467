"""watch/progress.py: the bar on standard error, and the lines in its place where that is no terminal."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

from minstyle.network.vgg import Network
from minstyle.notices import Notice
from minstyle.run.observer import Plan, Step
from minstyle.run.result import Record
from minstyle.watch.progress import Ahead, Progress
from tests.support.observers import SHORT, Breaker, Watcher, run, step_at


@pytest.fixture
def terminal(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: True)


def last_frame(capfd: pytest.CaptureFixture[str]) -> str:
    """What the bar showed at last; it must not have touched standard output."""
    captured = capfd.readouterr()
    assert captured.out == ""
    return captured.err.strip().split("\r")[-1]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("changes", [{}, {"pgtol": 1e30}, {"iterations": 2}], ids=["whole", "ends early", "iterations"])
def test_the_bar_is_on_standard_error_and_finishes(
    tiny_network: Network, capfd: pytest.CaptureFixture[str], changes: dict[str, float]
) -> None:
    result = run(tiny_network, [Progress()], dataclasses.replace(SHORT, **changes))
    frame = last_frame(capfd)
    assert frame.startswith("100%")
    assert f" {result.evaluations}/{result.evaluations} " in frame
    assert f"loss={result.history[-1].loss:.4g}" in frame


@pytest.mark.usefixtures("terminal")
def test_the_bar_of_an_interrupted_run_stays_where_it_was(
    tiny_network: Network, capfd: pytest.CaptureFixture[str]
) -> None:
    result = run(tiny_network, [Progress(), Breaker(KeyboardInterrupt(), 3)])
    frame = last_frame(capfd)
    assert result.evaluations == 3
    assert f" 3/{2 * 5} " in frame
    assert "100%" not in frame


@pytest.mark.usefixtures("terminal")
def test_the_bar_grows_with_a_run_that_spends_more_than_planned(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.start(Plan(SHORT, ((32, 40),), evaluations=2))
    for evaluation in range(1, 5):
        progress.step(step_at(evaluation, lambda: np.zeros((4, 4, 3))))
    progress.close(KeyboardInterrupt())
    assert " 4/4 " in last_frame(capfd)


@pytest.mark.usefixtures("terminal")
def test_the_bar_of_a_run_that_ends_before_any_evaluation(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.start(Plan(SHORT, ((32, 40),), evaluations=2))
    progress.close(None)
    assert " 0/0 evaluations" in last_frame(capfd)


def test_without_a_terminal_a_line_is_written_every_tenth(capfd: pytest.CaptureFixture[str]) -> None:
    each, budgets = (0.5, 0.5), (100, 60)
    progress = Progress()
    progress.start(Plan(STAGED, ((4, 4),) * 2, 160, budgets, each))
    for step in steps_of(each, budgets):
        progress.step(step)
    progress.notice(Notice("odd", "odd\x1b[2J\nminstyle: error: odd"))
    progress.close()
    captured = capfd.readouterr()
    first, *lines, notice = captured.err.splitlines()
    assert captured.out == ""
    assert [line[:27] for line in lines] == [f"minstyle: {10 * tenth:3}% of the time," for tenth in range(1, 11)]
    assert first == "minstyle: 0/160 evaluations done, at 4 x 4 pixels"
    assert lines[4] == "minstyle:  50% of the time, 80/160 evaluations, 0.50s/eval, 00:40 left, loss=1"
    assert notice == "minstyle: odd\\x1b[2J\\nminstyle: error: odd"


def test_a_run_that_goes_on_says_from_where_and_waits_until_it_knows_the_time_left(
    capfd: pytest.CaptureFixture[str],
) -> None:
    each, budgets = (0.5, 0.5), (100, 60)
    steps = steps_of(each, budgets)
    history = tuple(step.record for step in steps if not step.ends_round)[:90]
    progress = Progress()
    progress.start(Plan(STAGED, ((40, 50), (80, 100)), 160, budgets, each, history))
    for step in steps[92:]:
        progress.step(step)
    progress.close()
    first, second, *_ = capfd.readouterr().err.splitlines()
    assert first == "minstyle: 90/160 evaluations done, at 50 x 40, 100 x 80 pixels: the larger, the longer one takes"
    assert second.startswith("minstyle:  58% of the time, 93/160 evaluations, 0.50s/eval, ")
    assert " 00:33 left" in second


# The time left


STAGED = dataclasses.replace(SHORT, rounds=2, evaluations=(4, 3))


def steps_of(each: tuple[float, ...], budgets: tuple[int, ...], preparing: float = 0.0) -> list[Step]:
    """The steps of a run whose stages take ``each`` seconds an evaluation; targets take ``preparing`` at first."""
    steps, seconds, count = [], preparing, 0
    for stage, (cost, budget) in enumerate(zip(each, budgets, strict=True)):
        for half in range(2):
            for _ in range(budget // 2):
                seconds, count = seconds + cost, count + 1
                record = Record(count, (4, 4), 1.0, {}, stage + 1)
                steps.append(Step(record, 2 * stage + half + 1, seconds, False, lambda: np.zeros((4, 4, 3))))
            steps.append(dataclasses.replace(steps[-1], ends_round=True))
    return steps


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_the_time_left_is_true_from_the_second_evaluation_on(unit: float) -> None:
    each, budgets = (0.01, 0.5, 3.0), (40, 20, 10)
    plan = Plan(STAGED, ((4, 4),) * 3, sum(budgets), budgets, tuple(unit * cost for cost in each))
    ahead, steps = Ahead(plan), steps_of(each, budgets, preparing=5.0)
    whole = steps[-1].seconds
    assert ahead.seconds(steps[0]) is None
    for step in steps[1:]:
        assert ahead.seconds(step) == pytest.approx(whole - step.seconds, abs=1e-6)
    assert ahead.part == pytest.approx(1)


def test_costs_that_are_a_third_off_are_made_up_for() -> None:
    each, budgets = (0.1, 1.0), (40, 40)
    ahead = Ahead(Plan(STAGED, ((4, 4),) * 2, 80, budgets, (0.13, 1.0)))
    steps = steps_of(each, budgets)
    left = [(ahead.seconds(step), steps[-1].seconds - step.seconds) for step in steps]
    for shown, true in left[2:]:
        assert shown == pytest.approx(true, rel=0.3)
    assert left[-8][0] == pytest.approx(left[-8][1], rel=0.1)


def test_a_round_that_ends_early_takes_its_rest_off_the_time_left() -> None:
    ahead = Ahead(Plan(STAGED, ((4, 4),), 20, (20,), (1.0,)))
    steps = steps_of((1.0,), (20,))
    short = [*steps[:3], dataclasses.replace(steps[2], ends_round=True)]
    assert [ahead.seconds(step) for step in short][2:] == pytest.approx([17, 10])


def test_a_plan_without_costs_counts_evaluations() -> None:
    ahead = Ahead(Plan(STAGED, ((4, 4),), 20))
    assert [ahead.seconds(step) for step in steps_of((1.0,), (20,))][4] == pytest.approx(15)


def test_the_plan_of_a_run_has_costs_by_pixels_and_network(tiny_network: Network) -> None:
    watcher = Watcher()
    run(tiny_network, [watcher], dataclasses.replace(SHORT, sizes=(32, 64)))
    (plan,) = watcher.plans
    assert sum(plan.budgets) == plan.evaluations
    assert plan.costs[1] / plan.costs[0] == pytest.approx((64 * 80 + 8000) / (32 * 40 + 8000))


@pytest.mark.parametrize("done", [1, 15, 40, 45, 69])
def test_the_bar_of_a_run_that_goes_on_begins_where_it_was(done: int) -> None:
    each, budgets = (0.01, 0.5, 3.0), (40, 20, 10)
    steps = steps_of(each, budgets)
    evaluations = [step for step in steps if not step.ends_round]
    history = tuple(step.record for step in evaluations[:done])
    ahead = Ahead(Plan(STAGED, ((4, 4),) * 3, sum(budgets), budgets, each, history))
    rest = steps[steps.index(evaluations[done]) :]
    for step in rest:
        left = ahead.seconds(step)
        assert ahead.part == pytest.approx(step.seconds / steps[-1].seconds)
        assert left is None or left == pytest.approx(steps[-1].seconds - step.seconds, abs=1e-6)
