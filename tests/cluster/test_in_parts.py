"""cluster/in_parts.py: arrays that lie on workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minstyle.cluster.connection import ClusterError
from minstyle.cluster.in_parts import InParts, There
from minstyle.errors import LostError


class Gone(InParts):
    """Parts whose scheduler is gone."""

    def __init__(self) -> None:
        pass

    def fetched(self, name: str, number: int | None) -> np.ndarray:
        raise ClusterError("the scheduler is gone")


def test_what_cannot_be_fetched_is_lost() -> None:
    """So that the picture is the copy that has come back, and not lost with an error of another kind."""
    there = There(Gone(), "best", (2, 2, 3), np.dtype(np.float32))
    with pytest.raises(LostError, match="the scheduler is gone"):
        np.asarray(there)


def test_parts_that_cannot_be_begun_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = list[InParts]()

    def fail(self: InParts, *asked: Any) -> Any:
        raise ClusterError("a worker failed")

    monkeypatch.setattr(InParts, "_found", lambda self: ["tcp://one:1"])
    monkeypatch.setattr(InParts, "_asked", fail)
    monkeypatch.setattr(InParts, "end", lambda self: ended.append(self))

    class Here:
        client = None

        def parts(self, network: Any, count: int) -> list[int]:
            return [0] * count

    here: Any = Here()  # in the place of the workers, the work and the network
    with pytest.raises(ClusterError, match="a worker failed"):
        InParts(here, ("run", "network", None), here, np.zeros((4, 4, 3)), here)
    assert len(ended) == 1
