"""run/compiling.py: that a GPU's kernels are compiled is among a run's notices, once."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from minstyle import stylize
from minstyle.engine.kernels.gpu import compiled
from minstyle.network.vgg import Network
from minstyle.notices import COMPILING, Notice
from minstyle.recipe.presets import RECIPES
from minstyle.run.observer import Observer
from minstyle.style.objective import Objective
from tests.support.small import picture


def test_it_is_told_once_in_a_run(tiny_network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    class Watcher(Observer):
        def __init__(self) -> None:
            self.notices: list[Notice] = []

        def notice(self, notice: Notice) -> None:
            self.notices.append(notice)

    evaluate, watcher = Objective._evaluate, Watcher()

    def compiles(self: Objective, array: Any) -> Any:
        compiled._on_compiling.get()()  # as ``compiled.kernel`` does on a card
        return evaluate(self, array)

    monkeypatch.setattr(Objective, "_evaluate", compiles)
    recipe = dataclasses.replace(RECIPES["document"], sizes=(32,), rounds=1, evaluations=2)
    stylize(picture(32, 32, 1), [picture(32, 32, 2)], recipe, network=tiny_network, observers=[watcher])
    (notice,) = watcher.notices
    assert notice.kind == COMPILING
    assert "\n" not in notice.text
    compiled._on_compiling.get()()
    assert len(watcher.notices) == 1, "nor is anyone told after it"
