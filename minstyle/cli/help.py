"""``--help``: examples and the options used most; ``--help all``: every option. And what is said without arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

USAGE = "minstyle CONTENT STYLE [STYLE ...] OUT [options]"
EXAMPLES = """\
examples:
  python -m minstyle photo.jpg painting.jpg out.png
  python -m minstyle photo.jpg painting.jpg out.png --size 256 --style-weight 300
  python -m minstyle photo.jpg wave.jpg night.jpg out.png --blend 3,7 --preserve-color
  python -m minstyle photo.jpg painting.jpg out.png --mask sky_of_photo.png sky_of_painting.png
  python -m minstyle photo.jpg painting.jpg grid.png --compare fine,johnson,fine:style_weight=300
  python -m minstyle --resume out.png

many pictures: minstyle batch --help; a page to paint on: minstyle studio
"""
BRIEF = """\
minstyle paints a photograph in the style of a painting:

  python -m minstyle photo.jpg painting.jpg out.png

"python -m minstyle --help" explains the options used most, "python -m minstyle studio" opens a page to paint on."""

_MOST_USED = {
    "--help", "--version", "--recipe", "--list-recipes", "--show-recipe", "--content-weight", "--style-weight",
    "--init", "--color", "--preserve-color", "--seed", "--blend", "--style-scale", "--mask", "--size", "--print",
    "--steps", "--overwrite", "--resume", "--network", "--device", "--threads", "--estimate", "--save-every",
    "--compare", "--quiet", "--verbose",
}  # fmt: skip

_PLACES = "pictures need no option: minstyle CONTENT STYLE OUT"
# What is meant by options that other programs have.
HINTS = {
    **dict.fromkeys(("-o", "--out", "--output"), "OUT is the last of the files: minstyle CONTENT STYLE OUT"),
    **dict.fromkeys(("-c", "-s", "-i", "--content", "--styles", "--image", "--input", "--photo"), _PLACES),
    "--style": f"{_PLACES}; the weight of the style is --style-weight",
}


class Help(argparse.Action):
    """Prints the help and ends: with the options used most, or after ``all`` with every one."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        if values != "all":
            hidden = [action for action in parser._actions if not _is_shown(action)]
            for action in hidden:
                action.help = argparse.SUPPRESS
            parser.epilog = f"{len(hidden)} more options: minstyle --help all"
        parser.print_help()
        parser.exit()


def _is_shown(action: argparse.Action) -> bool:
    names: Sequence[str] = action.option_strings
    return not names or bool(_MOST_USED & set(names))
