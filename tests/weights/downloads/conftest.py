"""A small VGG19, a server on this machine, and a machine without proxies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.foreign_keras import write_keras
from tests.support.local_server import (
    Server,
    local_server,
)
from tests.weights.downloads.arrivals import WEIGHTS, download


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small VGG19 as Keras writes it."""
    return write_keras(tmp_path_factory.mktemp("keras") / "keras.h5", WEIGHTS).read_bytes()


@pytest.fixture
def server() -> Iterator[Server]:
    with local_server() as running:
        yield running


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies, short pauses, and a folder for temporary files, to see what stays in it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(download, "PAUSE", 0.01)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
