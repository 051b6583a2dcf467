"""The command line's --bands: a run in bands says so, and goes on in bands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from minstyle.cli.main import main
from minstyle.images import load_image, save_image
from minstyle.style.objective import Evaluation, Objective
from tests.support.small import picture


@pytest.fixture
def job(tmp_path: Path) -> list[str]:
    for name, shape in (("photo.png", (96, 64)), ("painting.png", (70, 80))):
        save_image(picture(*shape), tmp_path / name)
    files = [str(tmp_path / name) for name in ("photo.png", "painting.png", "out.png")]
    return [*files, "--network", "mini", "--size", "96", "--scales", "1", "--steps", "2", "--draft", "none"]


def test_a_run_in_bands(job: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*job, "--quiet"]) == 0
    whole = load_image(job[2])
    assert main([*job, "--bands", "3", "--verbose"]) == 0
    assert "in 3 bands" in capsys.readouterr().err
    assert abs(load_image(job[2]) - whole).max() <= 1
    assert main([*job, "--bands", "3", "--estimate"]) == 0
    assert "3 bands" in capsys.readouterr().out


@pytest.mark.parametrize("bands", ["0", "-1", "many"])
def test_no_number_of_bands(bands: str, job: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*job, "--bands", bands])
    assert ended.value.code == 2
    assert bands in capsys.readouterr().err


def test_memory_that_is_too_small_for_the_whole(job: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """By the estimate alone: nothing so large is painted."""
    large = [*job[:-6], "--size", "3000", "--scales", "1", "--history", "5", "--draft", "none"]
    assert main([*large, "--estimate"]) == 0
    took = float(capsys.readouterr().out.splitlines()[-1].split()[-2])
    assert main([*large, "--estimate", "--memory", f"{0.9 * took:.3g}G"]) == 0
    told = capsys.readouterr()
    (bands,) = re.findall(r"painted in (\d+) bands", told.err)
    assert f"2000 x 3000 in {bands} bands" in told.out


def test_an_interrupted_run_goes_on_in_bands(job: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    job[job.index("2")] = "4"
    assert main([*job, "--bands", "3", "--quiet"]) == 0
    expected, evaluate = load_image(job[2]), Objective.evaluate
    cut: list[int] = []

    def interrupted(objective: Objective, image: np.ndarray, precision: str | None = None) -> Evaluation:
        if objective._banded:  # else it is tried, for the estimate
            cut.append(objective._banded._rows)
            if len(cut) == 3:
                raise KeyboardInterrupt
        return evaluate(objective, image, precision)

    monkeypatch.setattr(Objective, "evaluate", interrupted)
    assert main([*job, "--bands", "3", "--quiet", "--checkpoint", f"{job[2]}.state"]) == 130
    assert main(["--resume", f"{job[2]}.state", "--quiet"]) == 0
    assert cut == [32] * len(cut)
    assert len(cut) >= 5
    assert np.array_equal(load_image(job[2]), expected)
