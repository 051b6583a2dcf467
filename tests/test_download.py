"""weights/download.py: whatever a server does, the file arrives whole or the next source is asked; nothing is left."""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minstyle.errors import FileError, MinstyleError, WeightsError
from minstyle.weightfile import Weights, read_weights
from minstyle.weights.fetch import fetch
from minstyle.weights.sources import SOURCES, Download

from .conftest import random_weights
from .local_server import (
    Answer,
    Server,
    cut,
    declared,
    endless,
    local_server,
    redirect,
    silent,
    slow,
    status,
    whole,
)
from .test_keras_h5 import assert_same_layers, write_keras

download = importlib.import_module("minstyle.weights.download")
package_fetch = importlib.import_module("minstyle.weights.fetch")

WEIGHTS = random_weights("vgg19", (2, 3, 2, 3, 2))


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small VGG19 as Keras writes it."""
    return write_keras(tmp_path_factory.mktemp("keras") / "keras.h5", WEIGHTS).read_bytes()


@pytest.fixture
def server() -> Iterator[Server]:
    with local_server() as running:
        yield running


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies, short pauses, and a folder for temporary files, to see what stays in it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(download, "PAUSE", 0.01)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


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


# ---------------------------------------------------------------- servers that deliver


def test_an_honest_server_is_asked_once(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = source(server.url("/vgg.h5", whole(content)), content)
    offer(monkeypatch, first, source(server.url("/other", whole(content)), content, "second"))
    assert arrive(tmp_path) == []
    assert server.requests == ["/vgg.h5"]
    weights = read_weights(tmp_path / "w" / "vgg19.h5")
    assert f"first: {first.url}" in weights.source
    assert (weights.licence, weights.source_sha256) == ("free", hashlib.sha256(content).hexdigest())


def test_a_slow_server_is_waited_for_and_the_bar_shows_speed_and_time_left(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "_CHUNK", 1024)
    offer(monkeypatch, source(server.url("/a", slow(content, 1.2)), content))
    assert arrive(tmp_path, bar=True) == []
    out, err = capfd.readouterr()
    assert out == ""
    states = [state for state in err.replace("\n", "\r").split("\r") if state.strip()]
    assert len(states) > 3
    assert all(state.startswith("first: ") and "B/s]" in state for state in states)
    assert any("<00:0" in state and "?" not in state for state in states), "time left"
    assert "100%" in states[-1]


def test_without_a_bar_nothing_is_written_on_the_way(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    offer(monkeypatch, source(server.url("/a", slow(content, 0.4)), content))
    assert arrive(tmp_path) == []
    assert capfd.readouterr() == ("", "")


def test_a_redirect_is_followed(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.url("/there", whole(content))
    offer(monkeypatch, source(server.url("/here", redirect("/there")), content))
    assert arrive(tmp_path) == []
    assert server.requests == ["/here", "/there"]


@pytest.mark.parametrize("bad", ["cut", "503", "500", "429", "too short", "no number", "longer", "compressed"])
def test_a_fault_that_passes_is_tried_again(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    answers: dict[str, Answer] = {
        "cut": cut(content), "503": status(503), "500": status(500), "429": status(429),
        "too short": declared(content, len(content) - 1000), "no number": declared(content, "many"),
        "longer": declared(content + b"!", len(content) + 1), "compressed": compressed_wrongly,
    }  # fmt: skip
    offer(monkeypatch, source(server.url("/a", answers[bad], whole(content)), content))
    (line,) = arrive(tmp_path)
    assert line.startswith("first: ")
    assert line.endswith("; trying again in 0.01 s")
    assert server.requests == ["/a", "/a"]


def compressed_wrongly(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    handler.wfile.write(b"this is no gzip stream at all")


def test_the_pauses_grow_and_the_tries_end(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(download, "PAUSE", 1.0)
    monkeypatch.setattr(time, "sleep", pauses.append)
    offer(monkeypatch, source(server.url("/a", status(503)), content))
    assert f"first: {server.host} answers 503 Service Unavailable" in failure(tmp_path)
    assert pauses == [1.0, 2.0]
    assert server.requests == ["/a"] * 3


# ---------------------------------------------------------------- servers that do not


@pytest.mark.parametrize(("bad", "requests", "reason"), [
    ("cut", 3, "broke off"), ("wrong file", 1, "expected MD5"), ("404", 1, "answers 404 Not Found"),
    ("403", 1, "answers 403 Forbidden"), ("silent", 3, "no answer from"), ("too short", 3, "wrong length"),
    ("endless", 3, "wrong length"), ("loop", 31, "redirects"), ("nobody", 0, "Connection refused"),
    ("to nobody", 3, "Connection refused"), ("other format", 1, "unknown format"),
])  # fmt: skip
def test_the_next_source_is_asked_when_one_fails(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch, bad: str, requests: int,
    reason: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(download, "TIMEOUT", (0.2, 0.2))
    nobody = f"http://127.0.0.1:{unused_port()}/a"
    text = bytes(len(content))
    answers: dict[str, Answer] = {
        "cut": cut(content), "wrong file": whole(content[:-1] + b"?"), "404": status(404), "403": status(403),
        "silent": silent, "too short": declared(content, 1000), "endless": endless, "loop": redirect("/a"),
        "nobody": status(404), "to nobody": redirect(nobody), "other format": whole(text),
    }  # fmt: skip
    url = server.url("/a", answers[bad])
    first = source(nobody if bad == "nobody" else url, text if bad == "other format" else content)
    offer(monkeypatch, first, source(server.url("/b", whole(content)), content, "second"))
    started = time.monotonic()
    said = arrive(tmp_path)
    assert time.monotonic() - started < 10, "nobody is waited for without end"
    assert reason in said[-1]
    assert said[-1].startswith("first: ")
    assert said[-1].endswith("; trying second next (0.1 MB)")
    assert str(tmp_path) not in said[-1], "a name that is gone by then"
    assert all(len(line.splitlines()) == 1 for line in said)
    assert server.requests == ["/a"] * requests + ["/b"]


def test_a_wrong_file_is_not_read(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_fetch, "convert", lambda *_, **__: pytest.fail("read before it was checked"))
    wrong = content[:-1] + b"?"
    offer(monkeypatch, source(server.url("/vgg.h5", whole(wrong)), content))
    expected, actual = (hashlib.md5(data).hexdigest() for data in (content, wrong))
    assert f"first: vgg.h5: expected MD5 {expected}, got {actual}; not used" in failure(tmp_path)


def test_an_endless_answer_does_not_fill_the_disk(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST", 1_000_000)
    offer(monkeypatch, source(server.url("/a", endless), content, size=None))
    assert "wrong length: expected 1000000 bytes, got more" in failure(tmp_path)


def test_all_failures_are_told_at_the_end(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = source(server.url("/a", status(404)), content)
    offer(monkeypatch, first, source(server.url("/b", cut(content)), content, "b"))
    message = failure(tmp_path)
    for part in ("no source of vgg19 delivered", "first: ", "404", "b: ", "broke off", "fetch vgg19 --from FILE"):
        assert part in message


def test_without_a_network_three_lines_say_what_to_do(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [f"http://127.0.0.1:{unused_port()}/{name}" for name in "ab"]
    offer(monkeypatch, source(urls[0], content, size=80_100_000), source(urls[1], content, "second", size=None))
    what, where, then = failure(tmp_path, lines=3).splitlines()
    assert "no source of vgg19 can be reached" in what
    assert "Connection refused" in what
    assert where == f"{urls[0]} (80.1 MB) or {urls[1]} (size not known)"
    assert then.endswith("run: python -m minstyle.weights fetch vgg19 --from FILE")


def test_one_source_that_answers_is_no_missing_network(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = source(f"http://127.0.0.1:{unused_port()}/a", content)
    offer(monkeypatch, first, source(server.url("/b", status(404)), content, "second"))
    message = failure(tmp_path, lines=1)
    assert "first: no answer from" in message
    assert "second: " in message


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:99999/a", "ftp://127.0.0.1/a"])
def test_an_address_that_is_none_is_an_error_like_others(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    offer(monkeypatch, source(url, content))
    assert "vgg19" in failure(tmp_path)


# ---------------------------------------------------------------- which source


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


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, server: Server, content: bytes) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "vgg19.h5").write_text("older")
    child = start(tmp_path, source(server.url("/a", slow(content, 60)), content))
    deadline = time.monotonic() + 30
    while not any((tmp_path / "tmp").glob("minstyle-*/a")) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (130, "minstyle.weights: interrupted; nothing was changed\n")
    assert (tmp_path / "w" / "vgg19.h5").read_text() == "older"
    assert os.listdir(tmp_path / "w") == ["vgg19.h5"]
    assert os.listdir(tmp_path / "tmp") == []
