"""A run that was killed is resumed to the same picture: a few kills of the kinds that ``tools/kills.py`` counts."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from kills import MOMENT, RUNS, WRITING, Case
from minstyle.network.weightfile import write_weights
from tests.support.small import random_weights


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(("name", "how"), list(zip(RUNS, (WRITING, MOMENT, WRITING), strict=True)))
def test_a_killed_run_goes_on_to_the_same_picture(name: str, how: str, tmp_path: Path) -> None:
    network, folder = tmp_path / "net.h5", tmp_path / "run"
    folder.mkdir()
    write_weights(network, random_weights("vgg19", (4, 6, 8, 10, 10)))
    case, generator = Case(folder, RUNS[name], str(network)), random.Random(7)
    case.kill(how, generator)
    assert case.resumed()


def test_a_run_that_is_not_resumed_from_its_checkpoint_is_noticed(tmp_path: Path) -> None:
    """The tool's own test: another picture is not the same, and what is left is seen."""
    case = Case(tmp_path, RUNS["Adam, averaged"])
    case.kill(WRITING, random.Random(1))
    whole, case.whole = case.whole, case.whole + b"x"
    assert not case.resumed()
    case.whole = whole
    assert subprocess.run([*case._child("1000")], stdout=subprocess.DEVNULL, check=False).returncode == -9
    assert not case.resumed(), "killed in its first checkpoint, there is none to go on from"
