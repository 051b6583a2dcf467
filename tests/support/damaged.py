"""Damaged files, and what a reader of files makes of them, in a process of its own."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

READ_ALL = """
import importlib, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))
from minstyle import errors
module, function = sys.argv[1].rsplit(".", 1)
read = getattr(importlib.import_module(module), function)
for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
    try:
        read(path)
        outcome = "valid"
    except getattr(errors, sys.argv[3]) as error:
        good = str(error).startswith(str(path)) and len(str(error).splitlines()) == 1
        good = good and not isinstance(error.__cause__, MemoryError)
        outcome = "refused" if good else f"refused with {error!r}"
    except BaseException as error:
        outcome = f"raised {error!r}"
    print(path.name, outcome, flush=True)
"""


def outcomes_in_child(reader: str, folder: Path, seconds: float = 60, error: str = "WeightsError") -> dict[str, str]:
    """What ``reader`` ("module.function") makes of each file in ``folder``: "refused", "valid", or what it raised.

    Refused by that ``error``, in a line that begins with the file.

    In a process of its own, of at most 4 GiB: a file may crash, hang or swell the reader; the test then fails and
    the suite goes on.
    """
    command = [sys.executable, "-c", READ_ALL, reader, str(folder), error]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"the reader hung after: {(late.stdout or b'')[-200:]!r}")
    assert run.returncode == 0, f"the reader died with {run.returncode} after: {run.stdout[-200:]} {run.stderr[-500:]}"
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


def flipped_files(path: Path, count: int) -> Path:
    """A folder of ``count`` copies of the file, each with 1 to 10 bits flipped."""
    data, folder = path.read_bytes(), path.with_name("flipped")
    folder.mkdir()
    for seed in range(count):
        generator, damaged = random.Random(seed), bytearray(data)
        for _ in range(generator.choice((1, 3, 10))):
            damaged[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        (folder / f"{seed:03}").write_bytes(damaged)
    return folder
