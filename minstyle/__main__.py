"""``python -m minstyle CONTENT STYLE OUT``, ``... studio``, ``... batch``, and the command ``minstyle``."""

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

    def load_and_paint_many() -> int:
        with Signals():
            from .batch.main import command

        return command(sys.argv[2:])

    # A photograph of that name is ./studio.
    others = {"studio": load_and_serve, "batch": load_and_paint_many}
    return run("minstyle", others.get(" ".join(sys.argv[1:2]), load_and_run))


if __name__ == "__main__":
    sys.exit(main())
