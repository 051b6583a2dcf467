"""watch/bystander.py: what goes wrong with who only watches is remembered, and ends nothing."""

from __future__ import annotations

import numpy as np
import pytest

from minstyle.network.vgg import Network
from minstyle.notices import Notice
from minstyle.run.observer import Plan
from minstyle.run.state import RunState
from minstyle.watch.bystander import Bystander
from tests.support.observers import SHORT, Breaker, Watcher, run, step_at

ERRORS = [OSError(28, "disk full"), MemoryError(), AssertionError("a bug"), ValueError("closed file")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when", ["start", 3, "close"])
def test_a_failure_ends_nothing(tiny_network: Network, error: Exception, when: int | str) -> None:
    alone, last = run(tiny_network, []), Watcher()
    bystander = Bystander(Breaker(error, when))
    result = run(tiny_network, [bystander, last])
    assert result.error is None
    np.testing.assert_array_equal(result.image, alone.image)
    assert bystander.error is error
    assert last.closed == [None]


class Fragile(Watcher):
    """Fails at each step."""

    def step(self, step: object) -> None:
        raise OSError(len(self.steps), "again")

    def border(self, state: RunState) -> None:
        raise ValueError

    def notice(self, notice: Notice) -> None:
        raise ValueError


def test_the_first_failure_counts_and_the_end_is_told_all_the_same() -> None:
    fragile = Fragile()
    bystander = Bystander(fragile)
    bystander.start(Plan(SHORT, ((4, 4),), 2))
    first = bystander.error
    bystander.step(step_at(1, lambda: np.zeros((4, 4, 3))))
    told = bystander.error
    bystander.border(RunState())
    bystander.notice(Notice("a", "b"))
    bystander.close()
    assert first is None
    assert isinstance(told, OSError)
    assert bystander.error is told
    assert fragile.closed == [None]
    bystander.start(Plan(SHORT, ((4, 4),), 2))
    assert bystander.error is None, "another run"


def test_who_could_not_start_is_told_nothing_more(tiny_network: Network) -> None:
    class Unstarted(Watcher):
        def start(self, plan: Plan) -> None:
            raise OSError

    unstarted = Unstarted()
    assert run(tiny_network, [Bystander(unstarted)]).error is None
    assert unstarted.steps == unstarted.closed == []


@pytest.mark.parametrize("when", ["start", 3])
def test_an_interrupt_is_the_run_s(tiny_network: Network, when: int | str) -> None:
    bystander = Bystander(Breaker(KeyboardInterrupt(), when))
    if when == "start":
        with pytest.raises(KeyboardInterrupt):
            run(tiny_network, [bystander])
    else:
        assert isinstance(run(tiny_network, [bystander]).error, KeyboardInterrupt)
    assert bystander.error is None
