"""weights/download.py: whatever a server does, the file arrives whole or the next source is asked; nothing is left."""

from __future__ import annotations

import hashlib
import importlib
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from minstyle.network.weightfile import read_weights
from tests.support.local_server import (
    Answer,
    Server,
    cut,
    declared,
    dripping,
    endless,
    never_done,
    redirect,
    silent,
    slow,
    status,
    whole,
)
from tests.weights.downloads.arrivals import arrive, download, failure, offer, source, unused_port

patience = importlib.import_module("minstyle.weights.patience")
package_fetch = importlib.import_module("minstyle.weights.fetch")


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
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: True)
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

DRIPS: dict[str, Answer] = {
    "a body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    "a body without a length": dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
    "headers": dripping(b"HTTP/1.1 200 OK\r\nX-Long: "),
    "the first line": dripping(b"HTTP/1.1 200 "),
    "100 Continue": never_done,
}


@pytest.mark.parametrize("size", [None, 100_000])
@pytest.mark.parametrize("what", DRIPS)
def test_a_server_that_drips_is_left_within_the_limit_of_the_whole(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch, what: str, size: int | None
) -> None:
    """It never meets the timeout of a socket, which begins anew with each byte."""
    monkeypatch.setattr(patience, "PERIOD", 0.15)
    threads = threading.active_count()
    offer(monkeypatch, source(server.url("/a", DRIPS[what]), content, size=size),
          source(server.url("/b", whole(content)), content, "second"))  # fmt: skip
    started = time.monotonic()
    said = arrive(tmp_path)
    assert time.monotonic() - started < 5
    slow = f"first: {server.host} is too slow, with less than 60,000 bytes in a minute"
    assert [line.split("; ")[0] for line in said] == [slow] * 3
    assert server.requests == ["/a"] * 3 + ["/b"]
    assert threading.active_count() <= threads + 4  # the server's own, which end with it


def test_a_line_that_is_slow_but_moves_is_waited_for(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In eight times the period, which is a limit of what stands still, not of the whole."""
    monkeypatch.setattr(patience, "PERIOD", 0.2)
    monkeypatch.setattr(patience, "LEAST", 4000)
    monkeypatch.setattr(download, "_CHUNK", 1024)
    offer(monkeypatch, source(server.url("/a", slow(content, 1.6, pieces=40)), content))
    assert arrive(tmp_path) == []


def test_a_line_that_moves_but_takes_too_long_is_left_at_once(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would bring the file, but in 20 seconds; no second try would be faster."""
    monkeypatch.setattr(patience, "PERIOD", 0.1)
    monkeypatch.setattr(patience, "LEAST", 1)
    monkeypatch.setattr(download, "PATIENCE", 0.5)
    monkeypatch.setattr(download, "SLOWEST", 1e12)
    monkeypatch.setattr(download, "_CHUNK", 16)
    offer(monkeypatch, source(server.url("/a", slow(content, 20, pieces=400)), content),
          source(server.url("/b", whole(content)), content, "second"))  # fmt: skip
    started = time.monotonic()
    (line,) = arrive(tmp_path)
    assert time.monotonic() - started < 5
    assert line.startswith(f"first: {server.host} is too slow: not done in 0 minutes")
    assert server.requests == ["/a", "/b"]


def test_headers_that_drip_after_a_redirect(
    tmp_path: Path, server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PERIOD", 0.15)
    server.url("/there", DRIPS["headers"])
    offer(monkeypatch, source(server.url("/here", redirect("/there")), content))
    assert "is too slow" in failure(tmp_path)


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
