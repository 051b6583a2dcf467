"""Weights files that lie about sizes: numbers that are none, shapes beyond all memory, tables without end, bombs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.absurd_sizes import ABSURD, TINY
from tests.support.conversions import edited, refusal
from tests.support.foreign_files import FOREIGN, Foreign
from tests.support.hostile import judge


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "ours.h5"


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [kind for kind in FOREIGN if "Keras 3" not in kind.author], ids=str)
def test_kernels_that_are_no_numbers_are_refused(tmp_path: Path, target: Path, kind: Foreign, value: float) -> None:
    kernel = np.full((3, 3, 2, 2), value, "f4")
    source = kind.write(tmp_path / "weights", edited(TINY, "block3_conv2", kernel))
    assert "block3_conv2/kernel: expected finite numbers, got NaN or infinite ones" in refusal(source, target)


def test_absurd_sizes_are_refused_without_time_or_memory(tmp_path: Path) -> None:
    for i, (name, make) in enumerate(ABSURD.items()):
        content = make(tmp_path / "made")
        (tmp_path / f"{i:02} {name}").write_bytes(content)
    (tmp_path / "made").unlink()
    verdict = judge(sorted(tmp_path.iterdir()))
    assert (verdict.refused, verdict.valid) == (len(ABSURD), 0)


def many_records(count: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(count):
            archive.writestr(f"{i}", b"")
    return file.getvalue()


def test_an_archive_of_a_hundred_thousand_records_is_refused_by_its_table(tmp_path: Path, target: Path) -> None:
    (tmp_path / "weights").write_bytes(many_records(30_000))
    assert "table of contents" in refusal(tmp_path / "weights", target)
