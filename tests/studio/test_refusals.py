"""What the server refuses: each in one line, with a status that says of what kind it is, and nothing kept of it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from minstyle.studio.parts import Limits
from tests.support.studio_server import Server, png

UNKNOWN = "0123456789abcdef"
TOKEN = "a-token-of-16-letters-or-more"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("strict"), Limits(100_000, 10_000, 2))
    yield server
    server.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with a token, as for other machines."""
    server = Server(tmp_path_factory.mktemp("shared"), token=TOKEN)
    yield server
    server.close()


def told(answer: requests.Response, status: int, text: str) -> None:
    assert (answer.status_code, list(answer.json())) == (status, ["detail"])
    assert re.search(text, answer.json()["detail"])
    assert "\n" not in answer.json()["detail"]


def huge_png() -> bytes:
    """200,000 x 200,000 pixels, says its header."""
    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk


@pytest.mark.parametrize(("data", "status", "text"), [
    (b"", 422, "x.png: expected a picture file as the body, got an empty body"),
    (b"garbage" * 100, 422, "x.png: not a picture"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "x.png: not a picture"),
    (png(1)[:600], 422, "x.png: "),
    (huge_png(), 422, "x.png: "),
    (png(1, 20, 20), 422, r"x.png: expected at least 32 x 32 pixels, got 20 x 20"),
    (png(1, 101, 100), 422, r"x.png: expected at most 0.01 million pixels, got 100 x 101"),
    (b"\0" * 100_001, 413, "expected at most 100,000 bytes, got 100001"),
])  # fmt: skip
def test_an_upload_is_refused(strict: Server, data: bytes, status: int, text: str) -> None:
    told(strict.post("/api/pictures", data=data, params={"name": "x.png"}), status, text)
    assert list((strict.studio.folder.path / "picks").iterdir()) == []


def test_a_body_that_does_not_tell_its_length_is_cut_off(strict: Server) -> None:
    blocks = (b"\0" * 30_000 for _ in range(10))
    told(strict.post("/api/pictures", data=blocks), 413, "expected at most 100,000 bytes, got more")


def test_a_full_disk_is_told_in_one_line(strict: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "move", full)
    told(strict.post("/api/pictures", data=png(99)), 507, "No space left on device")
    monkeypatch.undo()
    assert strict.upload(png(99))


@pytest.mark.parametrize(("change", "status", "text"), [
    ({"content": UNKNOWN}, 404, f"picture {UNKNOWN}: there is none with that id; upload it first"),
    ({"content": "../../etc/passwd"}, 422, "content: String should match pattern"),
    ({"content": "0123456789abcde\n"}, 422, "content: String should match pattern"),
    ({"styles": []}, 422, "styles: List should have at least 1 item"),
    ({"styles": [{"picture": UNKNOWN}] * 9}, 422, "styles: List should have at most 8 items"),
    ({"content_mask": UNKNOWN}, 404, "there is none with that id"),
    ({"start": UNKNOWN}, 404, "it has no picture to start from"),
    ({"recipe": "nothing"}, 422, "unknown recipe 'nothing': known are fine"),
    ({"recipe": "/etc/passwd"}, 422, "unknown recipe"),
    ({"size": 31}, 422, "size: Input should be greater than or equal to 32"),
    ({"size": 33}, 422, "photo.png at size .*: expected at least 32 pixels on the shorter side"),
    ({"strength": "NaN"}, 422, "strength: Input should be a finite number"),
    ({"strength": 0}, 422, "strength: Input should be greater"),
    ({"settings": {"nothing": 1}}, 422, "unknown setting 'nothing': known are"),
    ({"settings": {"sizes": [4000]}}, 422, "unknown setting 'sizes'"),
    ({"settings": {"color": ["a"]}}, 422, "color: expected style or auto"),
    ({"settings": {"tv_weight": -1}}, 422, "tv_weight: expected a number from 0"),
    ({"settings": {"tv_weight": {"a": 1}}}, 422, "tv_weight: expected a number from 0"),
    ({"settings": {"style_weight": [[[[1]]]]}}, 422, "settings: expected lists nested at most two deep"),
    ({"out": "/tmp/x.png"}, 422, "out: Extra inputs are not permitted"),
])  # fmt: skip
def test_a_job_is_refused(server: Server, change: dict[str, Any], status: int, text: str) -> None:
    request = server.request() | change
    for path in ("/api/jobs", "/api/estimates"):
        told(server.post(path, json=request), status, text)
    told(server.post("/api/picks", json={"cells": [request]}), status, text if status == 404 else "")
    assert server.get("/api/jobs").json() == []
    assert list((server.studio.folder.path / "jobs").iterdir()) == []


@pytest.mark.parametrize("path", [
    f"/api/jobs/{UNKNOWN}", f"/api/jobs/{UNKNOWN}/view", f"/api/jobs/{UNKNOWN}/file", f"/api/jobs/{UNKNOWN}/recipe",
    f"/api/jobs/{UNKNOWN}/losses", f"/api/jobs/{UNKNOWN}/events", f"/api/pictures/{UNKNOWN}",
    f"/api/pictures/{UNKNOWN}/view", f"/api/picks/{UNKNOWN}", f"/api/picks/{UNKNOWN}/3",
])  # fmt: skip
def test_what_is_not_there_is_told(server: Server, path: str) -> None:
    told(server.get(path), 404, f"there is none with the id {UNKNOWN}")
    told(server.get(path.replace(UNKNOWN, "nope")), 404, "there is none with the id nope")


@pytest.mark.parametrize("path", [
    "/api/jobs/..%2f..%2findex.sqlite/file", "/api/jobs/%2e%2e/file", "/static/..%2f..%2fapp.py",
    "/static/%2e%2e/app.py", "/api/pictures/..%2foriginal/view", "/../../etc/passwd", "/static//etc/passwd",
])  # fmt: skip
def test_no_path_leads_out(server: Server, path: str) -> None:
    request = requests.Request("GET", server.address).prepare()
    request.url = server.address + path  # as it stands
    assert server.session.send(request, timeout=30).status_code in (404, 422)


def test_the_queue_has_an_end(strict: Server) -> None:
    jobs = [strict.job(seed=seed, effort=20.0) for seed in (1, 2)]
    told(strict.post("/api/jobs", json=strict.request()), 429, "the queue is full: 2 jobs wait; try again")
    for job in jobs:
        strict.ask("DELETE", f"/api/jobs/{job}")


def test_a_crop_is_refused(server: Server) -> None:
    key = server.upload(png(3))
    corners = {"left": 0.5, "top": 0.0, "right": 0.5, "bottom": 1.0}
    told(server.post(f"/api/pictures/{key}/crop", json=corners), 422, "crop: expected left < right")
    told(server.post(f"/api/pictures/{key}/crop", json=corners | {"left": 0.3}), 422, "at least 32 x 32 pixels, got 10")


@pytest.mark.parametrize(("method", "path", "headers", "status"), [
    ("GET", "/api/jobs", {"Host": "evil.example"}, 421),
    ("GET", "/", {"Host": "evil.example:8420"}, 421),
    ("GET", "/api/jobs", {"Host": "10.1.2.3"}, 421),
    ("GET", "/api/jobs", {"Host": "localhost:1"}, 200),
    ("GET", "/api/jobs", {"Host": "[::1]:8420"}, 200),
    ("GET", "/api/jobs", {"Sec-Fetch-Site": "cross-site"}, 403),
    ("GET", "/api/jobs", {"Sec-Fetch-Site": "same-site"}, 403),
    ("GET", "/api/jobs", {"Sec-Fetch-Site": "same-origin"}, 200),
    ("GET", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, 200),
    ("GET", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403),
    ("POST", "/api/pictures", {"Origin": "http://evil.example"}, 403),
    ("POST", "/api/pictures", {"Origin": "null"}, 403),
    ("POST", "/api/pictures", {"Origin": "http://127.0.0.1:1"}, 403),
    ("POST", "/api/pictures", {"Content-Length": "9999999999999", "Connection": "close"}, 413),
])  # fmt: skip
def test_only_its_own_page_may_ask(
    server: Server, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert server.ask(method, path, headers=headers).status_code == status


def test_its_own_page_may_post(server: Server) -> None:
    headers = {"Origin": server.address, "Sec-Fetch-Site": "same-origin"}
    assert server.post("/api/pictures", data=png(4), headers=headers).status_code == 201


def test_answers_let_no_other_site_in(server: Server) -> None:
    headers = server.get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_the_token_opens_the_server(shared: Server) -> None:
    told(shared.get("/api/jobs"), 401, "the token is missing or wrong")
    told(shared.get("/"), 401, "the token is missing")
    told(shared.get("/?token=wrong"), 401, "the token is missing")
    told(shared.get("/api/jobs", headers={"Authorization": "Bearer wrong"}), 401, "the token")
    told(shared.get("/api/jobs", headers={"Cookie": "minstyle_token=wrong"}), 401, "the token")
    assert shared.get("/api/jobs", headers={"Authorization": f"Bearer {TOKEN}"}).json() == []
    told(shared.get("/api/jobs", headers={"Host": "evil.example", "Authorization": f"Bearer {TOKEN}"}), 421, "Host")
    assert shared.get("/api/jobs", headers={"Host": "10.1.2.3", "Authorization": f"Bearer {TOKEN}"}).status_code == 200
    first = shared.get(f"/?token={TOKEN}", allow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=strict"} <= set(first.headers["set-cookie"].split("; "))
    assert shared.get("/").status_code == 200  # by the cookie, which the session now has
    assert shared.get("/api/jobs").json() == []
