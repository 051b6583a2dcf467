"""A command-line parser whose errors are one line, its help, and names of files, for all of minstyle's commands."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from .errors import short
from .front import say, tell
from .suggest import did_you_mean


class OneLineParser(argparse.ArgumentParser):
    """Answers a wrong argument with one line that names it and the way to the help, and exit code 2."""

    hints: Mapping[str, str] = MappingProxyType({})  # what to say to options that are none

    # argparse has overloads of it, which say no more than this does.
    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As in argparse, which takes the "--" of "--option=--" for the end of the options, and hands over no value."""
        for word in sys.argv[1:] if args is None else args:
            if word == "--":
                break
            if word.startswith("--") and word.endswith("=--"):
                self.error(f"argument {word[:-3]}: expected a value, got '--'")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        near = self._meant(message).strip()
        end = f"; {near}" if near else ""
        stop = "" if end.endswith("?") else "."
        tell(f"{self.prog}: error: {message}{end}{stop} See {self.prog} --help")
        self.exit(2)

    def _meant(self, message: str) -> str:
        """What was meant by an unknown option, or by a value that is none of the choices; "" if nobody knows."""
        if unknown := re.match(r"unrecognized arguments:.*?(?<!\S)(--?[A-Za-z][\w-]*)", message):
            return self.hints.get(unknown[1]) or did_you_mean(unknown[1], self._known())
        wrong = re.match(r"argument .*?: invalid choice: '([^']+)' \(choose from (.*)\)", message)
        return did_you_mean(wrong[1], re.findall(r"[\w-]+", wrong[2])) if wrong else ""

    def _known(self) -> list[str]:
        """The options, those of commands among them."""
        commands = [parser for action in self._actions if isinstance(action, argparse._SubParsersAction)
                    for parser in action.choices.values()]  # fmt: skip
        return [name for parser in (self, *commands) for name in parser._option_string_actions if name[:2] == "--"]

    def _print_message(self, message: str, file: Any = None) -> None:
        say(*message.rstrip("\n").split("\n"))  # the help or the version


class Help(argparse.Action):
    """``--help``: prints the options in ``most_used`` and ends; ``--help all``: every option."""

    def __init__(self, option_strings: Sequence[str], dest: str, most_used: Collection[str] = ()) -> None:
        super().__init__(option_strings, dest, nargs="?", metavar="all",
                         help="explain the options used most, or all of them, and end")  # fmt: skip
        self._most_used = {*most_used, *option_strings}

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        if values != "all":
            hidden = [action for action in parser._actions
                      if action.option_strings and not self._most_used & set(action.option_strings)]  # fmt: skip
            for action in hidden:
                action.help = argparse.SUPPRESS
            parser.epilog = f"{len(hidden)} more options: {parser.prog} --help all"
        parser.print_help()
        parser.exit()


def path_of(text: str) -> Path:
    """A file's name, as far as it can be one at all: "." and "/" have none, ".." is a folder's."""
    if not text or "\0" in text or Path(text).name in ("", ".."):
        raise argparse.ArgumentTypeError(f"expected the name of a file, got {short(repr(text))}")
    return Path(text)


def folder_of(text: str) -> Path:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected a folder with weights, got {short(repr(text))}")
    return Path(text)
