"""How a weights file is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from minstyle.errors import WeightsError
from minstyle.network.weightfile import read_weights

Edit = Callable[[h5py.File], object]
TEXTS = ("network", "channel_order", "source", "source_sha256", "licence")


def refusal(path: Path) -> str:
    """The message with which ``path`` is refused: one line that begins with the file."""
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    return message
