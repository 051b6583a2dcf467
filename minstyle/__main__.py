"""``python -m minstyle CONTENT STYLE OUT``, ``... studio``, ``... batch``, and the command ``minstyle``."""

import os
import sys

from .front import fail, run
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
    first = " ".join(sys.argv[1:2])

    def load_and_run_unless_misspelt() -> int:
        if first[:1].isalpha() and not os.path.splitext(first)[1] and not os.path.exists(first):
            from .suggest import did_you_mean

            if near := did_you_mean(first, others):
                return fail("minstyle", f"{first} is neither a file nor a command: {near.strip()}")
        return load_and_run()

    return run("minstyle", others.get(first, load_and_run_unless_misspelt))


if __name__ == "__main__":
    sys.exit(main())
