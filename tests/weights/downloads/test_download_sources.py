"""Which source is asked, and what is made of what it gives."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from minstyle.errors import WeightsError
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.fetch import fetch
from tests.support.foreign_keras import write_keras
from tests.support.local_server import (
    Server,
    status,
    whole,
)
from tests.support.small import random_weights
from tests.weights.downloads.arrivals import arrive, failure, offer, source

package_fetch = importlib.import_module("minstyle.weights.fetch")


def test_a_source_can_be_named(tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, *(source(server.url(f"/{name}", whole(content)), content, name) for name in "abc"))
    assert arrive(tmp_path, source="b") == []
    assert server.requests == ["/b"]
    with pytest.raises(WeightsError, match="unknown source 'd' of vgg19: known are a, b, c"):
        fetch("vgg19", tmp_path / "w", source="d")


def test_a_source_that_is_named_is_the_only_one(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, *(source(server.url(f"/{name}", status(404)), content, name) for name in "ab"))
    with pytest.raises(WeightsError, match=r"no source of vgg19 delivered \(b: .* 404"):
        fetch("vgg19", tmp_path / "w", source="b")
    assert server.requests == ["/b"]


def test_half_precision_is_half_the_size(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, source(server.url("/a", whole(content)), content))
    path = fetch("vgg19", tmp_path, dtype="float16")
    assert {kernel.dtype.name for kernel, _ in read_weights(path).layers.values()} == {"float16"}


def test_a_source_without_a_checksum_is_used_when_its_content_is_right(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, source(server.url("/vgg.h5", whole(content)), content, checksum=None, size=None))
    assert arrive(tmp_path) == ["first: no checksum of vgg.h5 is known; its content is checked all the same"]


def small(network: str, folder: Path) -> bytes:
    weights: Weights = random_weights(network, (2, 3, 2, 3, 2))
    return write_keras(folder / "other.h5", weights).read_bytes()


def test_another_network_is_refused_whoever_vouches_for_it(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = small("vgg16", tmp_path)
    (tmp_path / "other.h5").unlink()
    offer(monkeypatch, source(server.url("/a.h5", whole(other)), other, checksum=None))
    assert "a.h5: expected vgg19, got vgg16; not used" in failure(tmp_path)
