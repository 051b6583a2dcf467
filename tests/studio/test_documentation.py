"""What docs/howto/server.md says that programs do: its code runs, with small paintings."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.images import load_image
from tests.support.studio_server import Server

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "server.md").read_text()


def code(language: str, server: Server) -> str:
    """The page's first block of a language, for this server, of paintings that take a second."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    text = found[1].replace("http://127.0.0.1:8420", server.address)
    text = text.replace("minstyle studio --no-browser &\n", "sleep 60 &\n")  # what `kill %1` ends
    for quote in ('"', '\\"'):
        small = '"size": 64, "network": "mini", "effort": 0.05'.replace('"', quote)
        text = text.replace('"size": 256'.replace('"', quote), small)
    assert "64" in text
    return text


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python(server: Server, folder: Path) -> None:
    space: dict[str, Any] = {}
    exec(compile(code("python", server), "server.md", "exec"), space)
    painted = load_image(folder / "cat.png")
    assert max(painted.shape) == 64
    assert np.ptp(painted) > 50


def test_curl(server: Server, folder: Path) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("curl or bash is not installed")
    done = subprocess.run(
        ["bash", "-euc", code("sh", server)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert '"done"' in done.stdout
    assert max(load_image(folder / "cat.png").shape) == 64
