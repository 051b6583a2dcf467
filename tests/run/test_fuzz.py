"""Files damaged at random: a few hundred of what ``tools/fuzz.py`` does by the million; and that it sees harm."""

from __future__ import annotations

import io
import random
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fuzz
from minstyle.errors import CheckpointError
from minstyle.run.statefile import load_state
from minstyle.weights.formats import FORMATS
from minstyle.weights.readers.torch_file import read_torch_zip
from tests.support.foreign_files import EACH_FORMAT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its limits are Linux's")


@pytest.mark.parametrize("name", ["checkpoint", "checkpoint's job"])
def test_damaged_checkpoints_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    row = fuzz.fuzz(name, 300, tmp_path)
    _, _, count, refused, _, wrong, *_ = (cell.strip() for cell in row.split("|"))
    assert (count, wrong) == ("300", "0"), row
    assert int(refused) > 150
    assert list(tmp_path.iterdir()) == []


def test_changes_get_past_the_checksums(tmp_path: Path) -> None:
    path = fuzz.states(tmp_path)[0]
    whole = reached = 0
    for seed in range(120):
        changed = fuzz.change_inside(path.read_bytes(), random.Random(seed))
        try:
            with zipfile.ZipFile(io.BytesIO(changed)) as archive:
                whole += archive.testzip() is None
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
            continue
        (tmp_path / "case").write_bytes(changed)
        try:
            load_state(tmp_path / "case")
        except CheckpointError as error:
            reached += "not a whole checkpoint" not in str(error)
    assert whole > 40
    assert reached > 10, "lies are told from damage"


def test_there_is_a_parser_for_each_format_of_weights() -> None:
    names = {kind.name for kind in FORMATS}
    assert {kind.format for kind in EACH_FORMAT} == names
    assert {f"weights: {name}" for name in names} <= set(fuzz.PARSERS)


def test_changes_get_into_the_records_of_weights(tmp_path: Path) -> None:
    (path,) = fuzz.foreign(tmp_path, "PyTorch zip")
    good = read_torch_zip(path)
    whole = other = 0
    for seed in range(60):
        (tmp_path / "case").write_bytes(fuzz.change_record(path.read_bytes(), random.Random(seed)))
        try:
            with zipfile.ZipFile(tmp_path / "case") as archive:
                whole += archive.testzip() is None
            found = read_torch_zip(tmp_path / "case")
            other += any(not np.array_equal(array, found.get(name)) for name, array in good.items())
        except Exception:
            other += 1
    assert whole > 30
    assert other > 30


@pytest.mark.parametrize("harm", ["raise", "die"])
def test_harm_is_seen(harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the child, by its own copy of the tool with a parser that does harm."""
    tool = Path(fuzz.__file__).read_text()
    does = "raise ZeroDivisionError" if harm == "raise" else "os.kill(os.getpid(), 11)"
    planted = f"def read_recipe(path: Path) -> Recipe:\n    if path.name.startswith('case'):\n        {does}\n"
    tool = tool.replace("def read_recipe(path: Path) -> Recipe:\n", planted)
    tool = tool.replace(
        "Path(__file__).resolve().parents[1]", f"Path({str(Path(fuzz.__file__).resolve().parents[1])!r})"
    )
    (tmp_path / "harmed.py").write_text(tool)
    monkeypatch.setenv("PYTHONPATH", str(Path(fuzz.__file__).parent))
    monkeypatch.setattr(fuzz, "__file__", str(tmp_path / "harmed.py"))
    row = fuzz.fuzz("recipe", 5, tmp_path)
    assert row.split("|")[5].strip() == "5"  # after a death too it goes on
