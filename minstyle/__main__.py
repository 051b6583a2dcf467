"""``python -m minstyle CONTENT STYLE OUT``, and the command ``minstyle``."""

import sys

from .front import run
from .signals import Signals


def main() -> int:
    """Run the command line of this process; returns the exit code."""

    def load_and_run() -> int:
        with Signals():
            from .cli.main import command  # here: it takes long enough to be interrupted

        return command()

    return run("minstyle", load_and_run)


if __name__ == "__main__":
    sys.exit(main())
