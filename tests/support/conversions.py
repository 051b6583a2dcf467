"""Conversions that are refused, and weights changed so that they are."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from minstyle.errors import WeightsError
from minstyle.network.weightfile import Weights
from minstyle.weights.convert import convert


def refusal(source: Path, target: Path, **options: Any) -> str:
    """The one line with which ``source`` is refused; nothing may be written, and an older file must stay."""
    target.write_text("older")
    with pytest.raises(WeightsError) as caught:
        convert(source, target, **options)
    assert target.read_text() == "older"
    target.unlink()
    with pytest.raises(WeightsError):
        convert(source, target, **options)
    assert os.listdir(target.parent) == []
    message = str(caught.value)
    assert message.startswith(str(source))
    assert len(message.splitlines()) == 1
    return message


def edited(weights: Weights, layer: str, kernel: Any = None, bias: Any = None) -> Weights:
    """``weights`` with a layer's arrays replaced, unchecked."""
    old = weights.layers[layer]
    layers = {**weights.layers, layer: (old[0] if kernel is None else kernel, old[1] if bias is None else bias)}
    copy = dataclasses.replace(weights)
    object.__setattr__(copy, "layers", layers)
    return copy
