"""run/observer.py: what is told of a run, and that an observer's end is never the picture's."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest

from minstyle.errors import FileError, MinstyleError
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.observer import Observer, Step, role_of
from tests.support.observers import SHORT, Breaker, Watcher, run


class Stopper(Observer):
    """Asks for the end once: at an evaluation, or at the end of the first round."""

    def __init__(self, evaluation: int | None) -> None:
        self.evaluation = evaluation

    def step(self, step: Step) -> bool:
        if self.evaluation is None:
            return step.ends_round
        return not step.ends_round and step.record.evaluation == self.evaluation


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
    assert [step.record.evaluation for step in evaluations] == list(range(1, result.evaluations + 1))
    assert [step.round for step in ends] == [1, 2, 3, 4]
    assert [step.record.shape for step in ends] == [(32, 40), (32, 40), (40, 50), (40, 50)]
    for end in ends:
        before = watcher.steps[watcher.steps.index(end) - 1]
        assert end.record == before.record
    seconds = [step.seconds for step in watcher.steps]
    assert seconds == sorted(seconds)
    assert 0 < seconds[0] <= seconds[-1] <= result.seconds
    assert all(sum(step.record.terms.values()) == pytest.approx(step.record.loss) for step in watcher.steps)


def test_an_observer_that_does_nothing_changes_nothing(tiny_network: Network) -> None:
    alone, watched = run(tiny_network, []), run(tiny_network, [Observer()])
    np.testing.assert_array_equal(alone.image, watched.image)
    assert alone.history == watched.history


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_term_s_name_tells_its_role(recipe: Recipe) -> None:
    assert [role_of(term.name) for term in recipe.terms] == [term.role for term in recipe.terms]
    assert all(role_of(term.name) == term.role for term in recipe.terms)
    assert role_of("hue image") == "other"


# The end


@pytest.mark.parametrize("evaluation", [1, 3, None], ids=["first", "third", "end of round"])
def test_an_observer_can_end_the_run(tiny_network: Network, evaluation: int | None) -> None:
    first, last = Watcher(), Watcher()
    result = run(tiny_network, [first, Stopper(evaluation), last])
    assert result.error is None
    assert result.evaluations == (evaluation or len({s.record.evaluation for s in first.steps}))
    assert first.steps[-1].round == 1
    assert last.steps[-1].record.evaluation == result.evaluations, "the observers behind it are told of that step too"
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
    first, broken = Watcher(), Breaker(error, "start")
    with pytest.raises(type(error)) as caught:
        run(tiny_network, [first, broken])
    assert caught.value is error
    assert (first.closed, first.steps) == ([error], [])
    assert broken.told == ["start"], "who did not start is not closed"


def test_an_observer_that_fails_to_close_keeps_no_other_from_closing(tiny_network: Network) -> None:
    first, last = Watcher(), Watcher()
    with contextlib.suppress(FileError):
        run(tiny_network, [first, Breaker(FileError("disk full"), "close"), last])
    assert (len(first.closed), len(last.closed)) == (1, 1)
