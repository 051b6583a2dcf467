"""``python -m minstyle CONTENT STYLE OUT``, and the command ``minstyle``."""

import sys

from .front import run


def main() -> int:
    """Run the command line of this process; returns the exit code."""

    def command() -> int:
        from .cli.main import main  # here: it takes long enough to be interrupted

        return main()

    return run("minstyle", command)


if __name__ == "__main__":
    sys.exit(main())
