"""observers.py: what is told of a run, what is written of it, and that an observer's end is never the picture's."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from minstyle.errors import FileError, ImageError, MinstyleError
from minstyle.images import load_image
from minstyle.observers import Observer, Plan, Progress, Snapshots, Step, Trace, role_of
from minstyle.presets import RECIPES
from minstyle.recipes import Recipe
from minstyle.result import Result
from minstyle.stylize import stylize
from minstyle.vgg import Network

from .conftest import picture

SHORT = dataclasses.replace(RECIPES["document"], sizes=(32,), rounds=2, evaluations=4)


def run(network: Network, observers: Sequence[Observer], recipe: Recipe = SHORT) -> Result:
    return stylize(picture(40, 50, 1), [picture(40, 40, 2)], recipe, network=network, observers=observers)


class Watcher(Observer):
    """Remembers all that it was told, and the best image as it was at each step."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.steps: list[Step] = []
        self.images: list[np.ndarray] = []
        self.closed: list[BaseException | None] = []

    def start(self, plan: Plan) -> None:
        self.plans.append(plan)

    def step(self, step: Step) -> bool | None:
        self.steps.append(step)
        self.images.append(step.image())
        return None

    def close(self, error: BaseException | None = None) -> None:
        self.closed.append(error)

    def best(self) -> np.ndarray:
        """The image of the lowest loss that was told, by the watcher's own account."""
        return self.images[int(np.argmin([step.loss for step in self.steps]))]


class Breaker(Observer):
    """Raises at one evaluation, or at the start, or at the end."""

    def __init__(self, error: BaseException, when: int | str) -> None:
        self.error, self.when = error, when

    def start(self, plan: Plan) -> None:
        self._at("start")

    def step(self, step: Step) -> None:
        self._at(step.evaluation)

    def close(self, error: BaseException | None = None) -> None:
        self._at("close")

    def _at(self, when: int | str) -> None:
        if when == self.when:
            raise self.error


class Stopper(Observer):
    """Asks for the end once: at an evaluation, or at the end of the first round."""

    def __init__(self, evaluation: int | None) -> None:
        self.evaluation = evaluation

    def step(self, step: Step) -> bool:
        return (
            step.ends_round if self.evaluation is None else not step.ends_round and step.evaluation == self.evaluation
        )


# What is told


def test_the_plan_says_what_will_come(tiny_network: Network) -> None:
    watcher = Watcher()
    recipe = dataclasses.replace(SHORT, sizes=(32, 40))
    result = run(tiny_network, [watcher], recipe)
    (plan,) = watcher.plans
    assert (plan.recipe, plan.shapes) == (recipe, ((32, 40), (40, 50)))
    assert plan.evaluations <= result.evaluations <= 1.5 * plan.evaluations, "scipy may spend a few more"


def test_steps_count_evaluations_and_rounds_over_all_sizes(tiny_network: Network) -> None:
    watcher = Watcher()
    result = run(tiny_network, [watcher], dataclasses.replace(SHORT, sizes=(32, 40)))
    evaluations = [step for step in watcher.steps if not step.ends_round]
    ends = [step for step in watcher.steps if step.ends_round]
    assert [step.evaluation for step in evaluations] == list(range(1, result.evaluations + 1))
    assert [(step.round, step.shape) for step in ends] == [(1, (32, 40)), (2, (32, 40)), (3, (40, 50)), (4, (40, 50))]
    for end in ends:
        before = watcher.steps[watcher.steps.index(end) - 1]
        assert (end.evaluation, end.loss, end.terms) == (before.evaluation, before.loss, before.terms)
    seconds = [step.seconds for step in watcher.steps]
    assert seconds == sorted(seconds)
    assert 0 < seconds[0] <= seconds[-1] <= result.seconds
    assert all(sum(step.terms.values()) == pytest.approx(step.loss) for step in watcher.steps)


def test_an_observer_that_does_nothing_changes_nothing(tiny_network: Network) -> None:
    alone, watched = run(tiny_network, []), run(tiny_network, [Observer()])
    np.testing.assert_array_equal(alone.image, watched.image)
    assert alone.history == watched.history


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_term_s_name_tells_its_role(recipe: Recipe) -> None:
    assert [role_of(term.name) for term in recipe.terms] == [term.role for term in recipe.terms]
    assert all(role_of(term.name) == term.role for term in recipe.terms)
    assert role_of("hue image") == "other"


# Trace


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a trace, which must be strict JSON, one whole line each."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_a_trace_has_one_line_an_evaluation(tiny_network: Network, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("a trace of yesterday\n")
    result = run(tiny_network, [Trace(path)])
    records = lines(path)
    assert [set(record) for record in records] == [
        {"shape", "round", "evaluation", "loss", "terms", "seconds", "stage"}
    ] * result.evaluations
    assert [(r["evaluation"], tuple(r["shape"]), r["loss"], r["terms"], r["stage"]) for r in records] == [
        dataclasses.astuple(record) for record in result.history
    ]
    assert {record["round"] for record in records} == {1, 2}
    assert os.listdir(tmp_path) == ["run.jsonl"]


def test_a_trace_can_be_followed_while_the_run_goes(tiny_network: Network, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    counts: list[tuple[int, int]] = []

    class Follower(Observer):
        def step(self, step: Step) -> None:
            counts.append((len(lines(path)), step.evaluation))

    run(tiny_network, [Trace(path), Follower()])
    assert counts
    assert all(written == evaluation for written, evaluation in counts)


@pytest.mark.parametrize(
    "make", [Trace, Snapshots, lambda path: Snapshots(path, 5)], ids=["trace", "rounds", "every 5"]
)
def test_a_place_that_cannot_be_written_is_told_before_the_run(make: Any, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=f"the folder {tmp_path / 'gone'} does not exist"):
        make(tmp_path / "gone" / "out.png")
    assert os.listdir(tmp_path) == []


def test_snapshots_of_an_unknown_format_are_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"unknown extension '\.gif'"):
        Snapshots(tmp_path / "out.gif")


@pytest.mark.parametrize("kind", ["trace", "snapshots"])
def test_a_folder_that_goes_away_ends_the_run_with_the_picture(
    tiny_network: Network, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()

    class Remover(Observer):
        def step(self, step: Step) -> None:
            if step.evaluation == 3:
                shutil.rmtree(folder)

    watcher = Watcher()
    writer = Trace(folder / "out.png") if kind == "trace" else Snapshots(folder / "out.png", 3)
    result = run(tiny_network, [watcher, Remover(), writer])
    assert isinstance(result.error, FileError)
    assert str(folder / "out") in str(result.error)
    assert result.evaluations == 3
    np.testing.assert_array_equal(result.image, watcher.best().clip(0, 255))


# Snapshots


def test_snapshots_every_n_evaluations(tiny_network: Network, tmp_path: Path) -> None:
    watcher = Watcher()
    result = run(tiny_network, [watcher, Snapshots(tmp_path / "out.png", every=2)])
    numbers = range(2, result.evaluations + 1, 2)
    assert sorted(os.listdir(tmp_path)) == [f"out_eval{number:04d}.png" for number in numbers]
    images = {s.evaluation: i for s, i in zip(watcher.steps, watcher.images, strict=True) if not s.ends_round}
    for number in numbers:
        expected = np.rint(images[number]).clip(0, 255)
        np.testing.assert_array_equal(load_image(tmp_path / f"out_eval{number:04d}.png"), expected)


def test_snapshots_after_each_round(tiny_network: Network, tmp_path: Path) -> None:
    result = run(tiny_network, [Snapshots(tmp_path / "out.PNG")])
    assert sorted(os.listdir(tmp_path)) == ["out_round01.PNG", "out_round02.PNG"]
    first, last = (load_image(tmp_path / f"out_round0{i}.PNG") for i in (1, 2))
    np.testing.assert_array_equal(last, np.rint(result.image))
    assert np.abs(first - last).max() > 0


def step_at(evaluation: int, image: Callable[[], np.ndarray]) -> Step:
    return Step((4, 4), 1, evaluation, 1.0, {}, 0.0, False, image)


def test_the_image_is_computed_only_when_it_is_saved(tmp_path: Path) -> None:
    asked: list[int] = []

    def image() -> np.ndarray:
        asked.append(evaluation)
        return np.zeros((4, 4, 3))

    snapshots = Snapshots(tmp_path / "out.png", every=3)
    for evaluation in range(1, 10):
        snapshots.step(step_at(evaluation, image))
        snapshots.step(dataclasses.replace(step_at(evaluation, image), ends_round=True))
    assert asked == [3, 6, 9]


# Progress


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


# The end


@pytest.mark.parametrize("evaluation", [1, 3, None], ids=["first", "third", "end of round"])
def test_an_observer_can_end_the_run(tiny_network: Network, evaluation: int | None) -> None:
    first, last = Watcher(), Watcher()
    result = run(tiny_network, [first, Stopper(evaluation), last])
    assert result.error is None
    assert result.evaluations == (evaluation or len({s.evaluation for s in first.steps}))
    assert first.steps[-1].round == 1
    assert last.steps[-1].evaluation == result.evaluations, "the observers behind it are told of that step too"
    np.testing.assert_array_equal(result.image, first.best().clip(0, 255))
    assert first.closed == last.closed == [None]


ENDS = [MinstyleError("no"), OSError(28, "disk full"), KeyboardInterrupt(), MemoryError()]


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("evaluation", [1, 3, 6])
def test_an_observer_that_fails_ends_the_run_with_the_best_image(
    tiny_network: Network, error: BaseException, evaluation: int
) -> None:
    first, last = Watcher(), Watcher()
    result = run(tiny_network, [first, Breaker(error, evaluation), last])
    assert result.error is error
    assert result.evaluations == evaluation
    assert result.loss == min(record.loss for record in result.history)
    np.testing.assert_array_equal(result.image, first.best().clip(0, 255))
    assert first.closed == last.closed == [error]


@pytest.mark.parametrize("when", ["start", 3])
def test_a_bug_in_an_observer_is_raised_and_the_others_are_closed(tiny_network: Network, when: int | str) -> None:
    first, last, bug = Watcher(), Watcher(), ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        run(tiny_network, [first, Breaker(bug, when), last])
    assert first.closed == [bug]
    assert last.closed == ([] if when == "start" else [bug]), "who was not started is not closed"


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_before_the_first_evaluation_there_is_nothing_to_hand_over(tiny_network: Network, error: BaseException) -> None:
    first = Watcher()
    with pytest.raises(type(error)) as caught:
        run(tiny_network, [first, Breaker(error, "start")])
    assert caught.value is error
    assert (first.closed, first.steps) == ([error], [])


def test_an_observer_that_fails_to_close_keeps_no_other_from_closing(tiny_network: Network) -> None:
    first, last = Watcher(), Watcher()
    with contextlib.suppress(FileError):
        run(tiny_network, [first, Breaker(FileError("disk full"), "close"), last])
    assert (len(first.closed), len(last.closed)) == (1, 1)
