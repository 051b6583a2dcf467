"""Standard streams that are closed, full or broken: they end no run, and do not spoil its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.studio import Studio

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")


def under(shell: str, module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the module with its streams as ``shell`` has them; the exit code is the module's."""
    line = f'set -o pipefail; "$@" {shell}'
    command = ["bash", "-c", line, "bash", sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "shell", ["2>&-", ">&-", ">&- 2>&- <&-", "2>/dev/full", ">/dev/full 2>/dev/full", "2>&1 | head -c 100", "| true"]
)
def test_a_run_has_its_picture_whatever_its_streams_are(studio: Studio, shell: str) -> None:
    done = under(shell, "minstyle", *studio.arguments("--trace", studio.trace))
    assert done.returncode == 0
    assert len(studio.trace.read_text().splitlines()) == 5
    assert studio.out.exists()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("shell", ["2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>/dev/full"])
def test_an_error_that_cannot_be_told_is_one_all_the_same(studio: Studio, shell: str) -> None:
    done = under(shell, "minstyle", *studio.arguments("--network", "nonesuch"))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize(("module", "argument"), [("minstyle", "--version"), ("minstyle.weights", "list")])
def test_what_is_asked_for_on_standard_output_is_needed(module: str, argument: str) -> None:
    full, gone = under(">/dev/full", module, argument), under("| true", module, argument)
    name = "minstyle" if module == "minstyle" else f"python -m {module}"
    told = f"{name}: error: cannot write to standard output: No space left on device\n"
    assert (full.returncode, full.stderr) == (2, told)
    assert (gone.returncode, gone.stderr) == (0, "")


@pytest.mark.parametrize(("module", "arguments"), [
    ("minstyle", ["--version"]), ("minstyle", ["--help"]), ("minstyle", ["--print-recipe"]),
    ("minstyle.weights", ["list"]), ("minstyle.weights", ["fetch", "--help"]),
])  # fmt: skip
@pytest.mark.parametrize("shell", [">&-", "<&- >&-"])
def test_a_closed_standard_output_is_an_error_where_that_is_asked_for(
    module: str, arguments: list[str], shell: str
) -> None:
    done = under(shell, module, *arguments)
    name = "minstyle" if module == "minstyle" else f"python -m {module}"
    told = f"{name}: error: cannot write to standard output: Bad file descriptor\n"
    assert (done.returncode, done.stderr) == (2, told)


# Interrupts while the program's parts are imported

IMPORTING = """
import importlib.abc, os, runpy, signal, sys
name, module, *sys.argv[1:] = sys.argv[1:]

class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, found, *_):
        if found == name:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("module", "argument", "name"), [
    ("minstyle", "--version", "argparse"), ("minstyle", "--version", "PIL"), ("minstyle.weights", "list", "h5py"),
    ("minstyle", "--version", "datetime"),  # within NumPy's C code, which makes an ImportError of it
])  # fmt: skip
def test_an_interrupt_of_the_imports_is_one_line(module: str, argument: str, name: str) -> None:
    command = [sys.executable, "-c", IMPORTING, name, module, argument]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    program = "minstyle" if module == "minstyle" else f"python -m {module}"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{program}: interrupted\n")
