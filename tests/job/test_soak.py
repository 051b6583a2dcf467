"""Many runs in one process leave nothing behind: a few of those that ``tools/soak.py`` makes by the hundred."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from minstyle.network.weightfile import write_weights
from soak import Held, soak
from tests.support.small import random_weights


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
@pytest.mark.parametrize("threads", [1, 4])
def test_runs_leave_no_file_open_no_thread_and_no_temporary_file(tmp_path: Path, threads: int) -> None:
    write_weights(tmp_path / "net.h5", random_weights("vgg19", (2, 3, 3, 4, 4)))
    first, last = soak(10, threads, str(tmp_path / "net.h5"))
    assert (last.files, last.threads, last.temporary) == (first.files, first.threads, 3)


def test_what_is_left_is_seen(tmp_path: Path) -> None:
    before = Held.now(tmp_path)
    with open(tmp_path / "left", "w"):
        after = Held.now(tmp_path)
    assert (after.files, after.temporary) == (before.files + 1, before.temporary + 1)
