"""``minstyle studio``: its line, its end, and what it says where it cannot start."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from minstyle.front import run
from minstyle.studio.main import command
from tests.cli.test_main import Captured


def refused(capsys: Captured, *arguments: str) -> str:
    try:
        code = run("minstyle", lambda: command(list(arguments)))
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert (code, captured.out) == (2, "")
    return line


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_it_says_where_its_page_is_and_ends_by_a_signal(
    tmp_path: Path, interruptible: None, number: signal.Signals, code: int
) -> None:
    words = ["studio", "--folder", str(tmp_path / "new"), "--port", "0", "--no-browser"]
    process = subprocess.Popen([sys.executable, "-m", "minstyle", *words], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None
    found = re.fullmatch(r"minstyle studio: (http://127\.0\.0\.1:\d+/)\n", process.stdout.readline())
    assert found
    about = requests.get(f"{found[1]}api/about", timeout=30).json()
    assert "fine" in about["recipes"]
    assert "<title>" in requests.get(found[1], timeout=30).text
    with requests.get(f"{found[1]}api/events", stream=True, timeout=30) as listening:  # which does not hold it up
        assert next(listening.iter_lines()) == b"retry: 1000"
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (code, "minstyle: interrupted\n" if number == signal.SIGINT else "")


def test_a_port_that_is_taken_is_told(capsys: Captured, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = refused(capsys, "--folder", str(tmp_path), "--port", port, "--no-browser")
    assert re.fullmatch(
        rf"minstyle: error: cannot listen on 127.0.0.1 port {port}: .*; --port 0 takes a free one", line
    )


@pytest.mark.parametrize(("words", "text"), [
    (["--port", "70000"], "expected a port from 0 to 65535, got '70000'"),
    (["--host", "999.1.1.1"], "cannot listen on 999.1.1.1 port 8420"),
    (["--token", "short"], "expected 16 or more letters, digits, - or _"),
    (["--threads", "0"], "expected a whole number of 1 or more, got '0'"),
    (["--folder", ""], "expected a folder, got ''"),
    (["photo.jpg"], "unrecognized arguments: photo.jpg"),
])  # fmt: skip
def test_a_wrong_option_is_told(capsys: Captured, words: list[str], text: str) -> None:
    assert text in refused(capsys, *words)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['uvicorn'] = None; sys.argv[1:] = ['studio']; " \
           "from minstyle.__main__ import main; sys.exit(main())"  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "minstyle: error: the studio needs uvicorn: pip install 'minstyle[studio]'\n"


def test_nothing_else_loads_any_of_it() -> None:
    names = "('fastapi', 'uvicorn', 'starlette', 'pydantic', 'sqlite3', 'asyncio')"
    code = "import sys, minstyle, minstyle.cli.main; minstyle.stylize; " \
           f"print([m for m in sys.modules if 'studio' in m or m.split('.')[0] in {names}])"  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")
