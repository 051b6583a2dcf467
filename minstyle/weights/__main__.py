"""``python -m minstyle.weights``: convert, fetch, list, verify, remove."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..front import run
from ..signals import Signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, 2 after one line on standard error, 128 and the number of a signal."""

    def load_and_run() -> int:
        with Signals():
            from .commands import command  # here: it takes long enough to be interrupted

        return command(arguments)

    return run("python -m minstyle.weights", load_and_run)


if __name__ == "__main__":
    sys.exit(main())
