"""A command-line parser whose errors are one line, for all of minstyle's commands."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from .front import say, tell


class OneLineParser(argparse.ArgumentParser):
    """Answers a wrong argument with one line that names it and the way to the help, and exit code 2."""

    def error(self, message: str) -> NoReturn:
        tell(f"{self.prog}: error: {message}. See {self.prog} --help")
        self.exit(2)

    def _print_message(self, message: str, file: Any = None) -> None:
        say(*message.rstrip("\n").split("\n"))  # the help or the version
