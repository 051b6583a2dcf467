"""``python -m minstyle CONTENT STYLE OUT``, ``python -m minstyle studio``, and the command ``minstyle``."""

import sys

from .front import run
from .signals import Signals


def main() -> int:
    """Run the command line of this process; returns the exit code."""

    def load_and_run() -> int:
        with Signals():
            from .cli.main import command  # here: it takes long enough to be interrupted

        return command()

    def load_and_serve() -> int:
        with Signals():
            from .studio.main import command

        return command(sys.argv[2:])

    # A photograph of that name is ./studio.
    return run("minstyle", load_and_serve if sys.argv[1:2] == ["studio"] else load_and_run)


if __name__ == "__main__":
    sys.exit(main())
