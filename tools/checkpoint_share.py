"""What checkpoints take of a run's time: ``python tools/checkpoint_share.py CONTENT STYLE OUT [OPTIONS]``.

The command line's own run, with the same words; then how many checkpoints were written, how large the last one was, and
the part of the run's time that writing them took, which is to be 2 % at most.
"""

from __future__ import annotations

import sys
import time
from typing import Any
from unittest import mock

from minstyle.cli.main import main as command_line
from minstyle.watch.checkpoints import Checkpoints


def main() -> None:
    taken: list[tuple[float, int]] = []  # seconds and bytes of each
    write = Checkpoints._write

    def timed(self: Checkpoints, state: Any) -> None:
        began = time.perf_counter()
        write(self, state)
        taken.append((time.perf_counter() - began, self._latest.stat().st_size))

    began = time.perf_counter()
    with mock.patch.object(Checkpoints, "_write", timed):
        command_line(sys.argv[1:])
    whole, spent = time.perf_counter() - began, sum(seconds for seconds, _ in taken)
    size = taken[-1][1] / 1e6 if taken else 0.0
    print(
        f"{len(taken)} checkpoints, the last of {size:.0f} MB, took {spent:.2f} s of {whole:.0f} s: {spent / whole:.2%}"
    )


if __name__ == "__main__":
    main()
