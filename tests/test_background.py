"""The tests themselves: a shell that starts them in the background has SIGINT ignored, nohup SIGHUP."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_tests_that_send_signals_pass_in_the_background() -> None:
    files = ["tests/cli/test_failures.py", "tests/cli/test_streams.py"]
    tests = [*files, "-k", "control_c or (imports and PIL)"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(["sh", "-c", 'trap "" INT HUP; "$@"', "sh", *command], cwd=Path(__file__).parents[1],
                          capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
