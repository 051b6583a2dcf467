"""Tables that tools make, in a Markdown page: each stands between two marks, which are comments."""

from __future__ import annotations

import argparse
from pathlib import Path


class Page:
    """A page that has the marks "<!-- NAME -->" and "<!-- end of NAME -->"."""

    def __init__(self, path: str, name: str) -> None:
        self._path, self._marks = Path(path), (f"<!-- {name} -->", f"<!-- end of {name} -->")
        self._parts()

    def _parts(self) -> tuple[str, str]:
        """What stands before and after the table; raises ArgumentTypeError where a mark is not there once."""
        text, (first, last) = self._path.read_text(), self._marks
        if (text.count(first), text.count(last)) != (1, 1):
            raise argparse.ArgumentTypeError(f"{self._path} does not have the marks {first} and {last}")
        return text.split(first)[0], text.split(last)[1]

    def write(self, table: str) -> None:
        (before, after), (first, last) = self._parts(), self._marks
        self._path.write_text(f"{before}{first}\n{table}\n{last}{after}")


def add_write(parser: argparse.ArgumentParser, name: str) -> None:
    """The option --write FILE, a ``Page`` with the marks of that name; it is refused before anything is measured."""
    parser.add_argument("--write", type=lambda path: Page(path, name), metavar="FILE", help="a page with marks for it")
