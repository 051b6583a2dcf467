"""job/checkpoint.py: the places of a checkpoint belong to runs, and to this one only what it has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.errors import RecipeError
from minstyle.job.checkpoint import Checkpoint, has_written
from minstyle.painting import _recipe
from minstyle.recipe.presets import RECIPES
from minstyle.run.observer import Plan
from minstyle.run.state import RunState
from minstyle.run.statefile import write_state
from minstyle.watch.checkpoints import Checkpoints, generations
from tests.support.studio import Captured, Studio, told_in_one_line

ABOUT = {"recipe": {"sizes": (64,)}, "sha256": {"content": "a"}, "dtype": "float32", "precision": None}


@pytest.fixture
def writer(tmp_path: Path) -> Checkpoints:
    """Of a run that has begun."""
    observer = Checkpoints(tmp_path / "g", ABOUT)
    observer.start(Plan(RECIPES["fine"], ((48, 64),), 3, (3,), (1.0,)))
    return observer


@pytest.mark.parametrize("ending", ["", ".old", ".new"])
def test_a_file_of_the_users_is_in_no_place_of_a_checkpoint(studio: Studio, capsys: Captured, ending: str) -> None:
    mine = studio.folder / f"g{ending}"
    mine.write_text("words")
    assert studio.run("--checkpoint", studio.folder / "g", "--quiet") == 2
    assert str(mine) in told_in_one_line(capsys)
    assert mine.read_text() == "words"


def test_what_an_interrupted_run_left_is_written_over(studio: Studio) -> None:
    latest, older, new = generations(studio.folder / "g")
    for path in (latest, older):
        write_state(RunState(), path, ABOUT)
    new.write_bytes(latest.read_bytes()[:30])
    assert studio.run("--checkpoint", latest, "--quiet") == 0
    assert not any(path.exists() for path in (latest, older, new))


def test_checkpoints_go_on_where_one_is_removed(writer: Checkpoints, tmp_path: Path) -> None:
    writer._write(RunState())
    (tmp_path / "g").unlink()
    writer._write(RunState())
    assert (tmp_path / "g").exists()


def test_a_link_that_lies_where_one_is_written_is_not_followed(writer: Checkpoints, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("words")
    (tmp_path / "g.new").symlink_to(tmp_path / "mine")
    writer._write(RunState())
    assert (tmp_path / "mine").read_text() == "words"
    assert not (tmp_path / "g").is_symlink()


@pytest.mark.parametrize(("other", "same"), [({}, True), ({"threads": 2}, True), ({"sha256": {"content": "b"}}, False)])
def test_only_a_checkpoint_of_this_job_is_told_of(tmp_path: Path, other: dict[str, Any], same: bool) -> None:
    write_state(RunState(), tmp_path / "g", ABOUT | other)
    assert has_written(Checkpoint(tmp_path / "g", ABOUT)) == same
    assert not has_written(Checkpoint(tmp_path / "none", ABOUT))


def test_numbers_of_numpy_and_lists_are_settings_too() -> None:
    given = {"size": np.int64(64), "style_weight": np.float32(5), "blend": np.array([3.0, 7.0])}
    recipe = _recipe("fine", given, Path("photo.jpg"), False)
    assert (recipe.sizes, recipe.style_weight, recipe.blend) == ((64,), 5.0, (3.0, 7.0))
    assert _recipe("fine", {"size": [64, 80]}, Path("photo.jpg"), False).sizes == (64, 80)
    with pytest.raises(RecipeError, match="size"):
        _recipe("fine", {"size": [np.float32(1.5)]}, Path("photo.jpg"), False)
