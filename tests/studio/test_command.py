"""``minstyle studio``: its line, its end, and what it says where it cannot start."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from minstyle.front import run
from minstyle.recipe.presets import RECIPES
from minstyle.studio import tasks
from minstyle.studio.main import command
from tests.cli.test_main import Captured
from tests.support.studio_server import png


def refused(capsys: Captured, *arguments: str) -> str:
    try:
        code = run("minstyle", lambda: command(list(arguments)))
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert (code, captured.out) == (2, "")
    return line


def started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The studio's process, and its address."""
    words = ["studio", "--folder", str(folder), "--port", "0", "--no-browser", "--threads", "1"]
    process = subprocess.Popen([sys.executable, "-m", "minstyle", *words], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None
    found = re.fullmatch(r"minstyle studio: (http://127\.0\.0\.1:\d+/)\n", process.stdout.readline())
    assert found
    return process, found[1]


def painting(address: str) -> None:
    """Have it paint for long."""
    pictures = [requests.post(f"{address}api/pictures", data=png(seed), timeout=30).json()["id"] for seed in (1, 2)]
    request = {
        "content": pictures[0],
        "styles": [{"picture": pictures[1]}],
        "size": 48,
        "network": "mini",
        "effort": 20,
    }
    job = requests.post(f"{address}api/jobs", json=request, timeout=30).json()["id"]
    with requests.get(f"{address}api/jobs/{job}/events", stream=True, timeout=60) as events:
        next(line for line in events.iter_lines() if line == b"event: progress")


def running_children(pid: int) -> list[Path]:
    """Of a process: their folders in /proc, which are there as long as they are."""
    return [status.parent for status in Path("/proc").glob("[0-9]*/status") if f"PPid:\t{pid}\n" in status.read_text()]


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are listed in /proc")


@on_linux
@pytest.mark.parametrize("way", ["killed", "interrupted twice"])
def test_no_worker_is_left_behind(tmp_path: Path, interruptible: None, way: str) -> None:
    process, address = started(tmp_path)
    painting(address)
    (worker,) = running_children(process.pid)
    if way == "killed":
        process.kill()
    else:
        os.kill(int(worker.name), signal.SIGSTOP)  # a step that does not end
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "stopping after this step" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    end = time.monotonic() + 60
    while worker.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_worker_without_its_server_breaks_off_a_long_step() -> None:
    code = "import time; from minstyle.studio import worker; worker._GRACE = 0.2; " \
           "worker.work = lambda *task: time.sleep(600); worker.main()"  # fmt: skip
    task = '{"do": "paint", "id": "a"}\n'
    done = subprocess.run([sys.executable, "-c", code], input=task, text=True, check=False, timeout=60)
    assert done.returncode == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_it_says_where_its_page_is_and_ends_by_a_signal(
    tmp_path: Path, interruptible: None, number: signal.Signals, code: int
) -> None:
    process, address = started(tmp_path / "new")
    about = requests.get(f"{address}api/about", timeout=30).json()
    assert "fine" in about["recipes"]
    assert "<title>" in requests.get(address, timeout=30).text
    with requests.get(f"{address}api/events", stream=True, timeout=30) as listening:  # which does not hold it up
        assert next(listening.iter_lines()) == b"retry: 1000"
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    lines = "minstyle studio: stopping after this step; press Ctrl-C again to stop at once\nminstyle: interrupted\n"
    assert (process.returncode, error) == (code, lines if number == signal.SIGINT else "")


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


@pytest.mark.parametrize("language", ["words.js", "chinese.js"])
def test_each_recipe_has_a_word(language: str) -> None:
    static = Path(tasks.__file__).parent / "static"
    said = re.search(r"\brecipes: \{(.*?)\},", (static / language).read_text(), re.DOTALL)
    assert said is not None
    assert set(RECIPES) <= {name or quoted for quoted, name in re.findall(r'(?:"([\w-]+)"|\b(\w+)): "', said[1])}
