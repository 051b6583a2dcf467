"""What the tests of downloads say: what is offered, that it arrives whole, that a failure leaves nothing."""

from __future__ import annotations

import hashlib
import importlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from minstyle.errors import MinstyleError, WeightsError
from minstyle.network.weightfile import read_weights
from minstyle.weights.fetch import fetch
from minstyle.weights.sources import SOURCES, Download
from tests.support.layers import assert_same_layers
from tests.support.small import random_weights

download = importlib.import_module("minstyle.weights.download")
package_fetch = importlib.import_module("minstyle.weights.fetch")

WEIGHTS = random_weights("vgg19", (2, 3, 2, 3, 2))


def source(url: str, content: bytes, name: str = "first", **changes: Any) -> Download:
    """A table's entry for ``content``, which the server may or may not deliver."""
    checksum = f"md5:{hashlib.md5(content).hexdigest()}"
    return Download(**{
        "name": name, "network": "vgg19", "url": url, "size": len(content), "checksum": checksum, "licence": "free",
    } | changes)  # fmt: skip


def offer(monkeypatch: pytest.MonkeyPatch, *sources: Download) -> None:
    monkeypatch.setitem(SOURCES, "vgg19", sources)


def arrive(folder: Path, **options: Any) -> list[str]:
    """Fetch; the installed file must be the one that was offered, and nothing else is left. Returns what was said."""
    said: list[str] = []
    path = fetch("vgg19", folder / "w", say=said.append, **options)
    assert path == folder / "w" / "vgg19.h5"
    assert_same_layers(dict(read_weights(path).layers), WEIGHTS.layers)
    assert os.listdir(folder / "w") == ["vgg19.h5"]
    assert os.listdir(folder / "tmp") == []
    return said


def failure(folder: Path, error: type[MinstyleError] = WeightsError, lines: int = 1) -> str:
    """The message with which fetching fails; nothing may be left, and an older file must stay."""
    (folder / "w").mkdir()
    (folder / "w" / "vgg19.h5").write_text("older")
    with pytest.raises(error) as caught:
        fetch("vgg19", folder / "w")
    assert (folder / "w" / "vgg19.h5").read_text() == "older"
    assert os.listdir(folder / "w") == ["vgg19.h5"]
    assert os.listdir(folder / "tmp") == []
    assert len(str(caught.value).splitlines()) == lines
    return str(caught.value)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
