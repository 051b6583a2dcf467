"""Damaged files of every format: cut at every 64th, and 2,000 times with bits flipped. hostile.py says what is asked.

Half of the flips are anywhere, half in the first or last 512 bytes, where formats keep their tables.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.foreign_files import EACH_FORMAT, Foreign
from tests.support.hostile import FLIPS, Verdict, cuts, flips, judge
from tests.support.small import random_weights


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Future[Verdict]]]:
    """All files at once, on as many processes as there are cores."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        running = {}
        for kind in EACH_FORMAT:
            for how in ("cuts", "flips"):
                path = kind.write(tmp_path_factory.mktemp("kind") / "w.bin", random_weights("vgg16", (2, 2, 2, 2, 2)))
                running[str(kind), how] = pool.submit(judge, path, how, FLIPS)
        yield running


@pytest.mark.parametrize("kind", EACH_FORMAT, ids=str)
def test_a_file_cut_anywhere_is_refused(kind: Foreign, verdicts: dict[tuple[str, str], Future[Verdict]]) -> None:
    verdict = verdicts[str(kind), "cuts"].result()
    assert (verdict.refused, verdict.valid) == (64, 0)


@pytest.mark.parametrize("kind", EACH_FORMAT, ids=str)
def test_flipped_bits_are_refused_or_leave_a_valid_file(
    kind: Foreign, verdicts: dict[tuple[str, str], Future[Verdict]]
) -> None:
    verdict = verdicts[str(kind), "flips"].result()
    assert verdict.refused + verdict.valid == FLIPS
    assert verdict.refused > FLIPS / 10


def test_the_cases_are_what_they_say() -> None:
    data = bytes(range(256)) * 8
    cases = list(flips(data, range(200)))
    assert len(set(cases)) > 190
    assert all(len(case) == len(data) and case != data for case in cases)
    assert [len(case) for case in cuts(data)] == [32 * k for k in range(64)]


def test_what_does_harm_is_seen(tmp_path: Path) -> None:
    """The judge itself: a file that is no weights file is judged, one that cannot be named is not passed over."""
    (tmp_path / "text").write_text("no weights")
    assert judge([tmp_path / "text"]).refused == 1
    with pytest.raises(AssertionError, match="not found"):
        judge([tmp_path / "missing" / "text"])
    with pytest.raises(AssertionError, match="died with -14"):
        judge([tmp_path / "text"], "sleep")
    with pytest.raises(AssertionError, match="raised MemoryError"):
        judge([tmp_path / "text"], "swell")
