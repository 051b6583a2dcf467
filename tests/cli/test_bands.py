"""The command line's --bands: a run in bands says so, and goes on in bands."""

from __future__ import annotations

from pathlib import Path

import pytest

from minstyle.cli.main import main
from minstyle.images import load_image, save_image
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
