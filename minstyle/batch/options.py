"""The options of ``minstyle batch``: those of every painting command, and which pictures."""

from __future__ import annotations

import argparse
import string
from pathlib import Path

from ..arguments import Help, OneLineParser, path_of
from ..errors import short
from ..images import WRITERS
from ..job.options import MOST_USED, add_cluster_options, add_file_options, add_machine_options, add_recipe_options
from ..version import __version__

NAME = "{content}_{style}.png"
FIELDS = ("content", "style", "recipe", "number")
KNOWN = ", ".join(f"{{{field}}}" for field in FIELDS)

EXAMPLES = """\
examples:
  minstyle batch photos --style painting.jpg --out pictures
  minstyle batch 'photos/*.jpg' --style wave.jpg night.jpg --out pictures --size 512 --name '{style}_{content}.jpg'
  minstyle batch --table pictures.csv --out pictures --workers 2

The same command again paints what is missing, and goes on with what was begun.
"""
_MOST_USED = (MOST_USED - {"--blend"}) | {
    "--style", "--out", "--zip", "--table", "--name", "--sheet", "--overwrite", "--quiet", "--workers",
}  # fmt: skip
# What is meant by options that are for a single picture.
_HINTS = {
    "--estimate": "batch has no --estimate: try it on one picture",
    "--resume": "batch has no --resume: the same command goes on with what was begun",
    "--mask": "masks are in a column of the table: --table FILE",
    **dict.fromkeys(("-o", "--output"), "it is --out DIR"),
    **dict.fromkeys(("-s", "--styles"), "it is --style STYLE [STYLE ...]"),
}


def build_parser() -> OneLineParser:
    """The parser; options of the recipe are made from its fields."""
    parser = OneLineParser(
        prog="minstyle batch",
        usage="minstyle batch CONTENT [CONTENT ...] --style STYLE [STYLE ...] --out DIR [options]",
        description="Paint each CONTENT in the style of each STYLE, and write the pictures into DIR.\n"
        "A CONTENT or STYLE is a picture, a folder of pictures, or a pattern in quotes.\n\n" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.hints = _HINTS
    parser.add_argument("contents", metavar="CONTENT", type=_given, nargs="*", help="photographs")
    parser.add_argument("-h", "--help", action=Help, most_used=_MOST_USED)
    parser.add_argument("--version", action="version", version=f"minstyle {__version__}")
    _add_picture_options(parser)
    add_recipe_options(parser)
    add_file_options(parser)
    add_machine_options(parser)
    _add_cluster_options(parser)
    return parser


def _add_picture_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("pictures")
    group.add_argument("--style", dest="styles", nargs="+", type=_given, action="extend", default=[], metavar="STYLE",
                       help="paintings")  # fmt: skip
    group.add_argument(
        "--out", type=_given, metavar="DIR", help="the folder for the pictures; it is made where there is none"
    )
    group.add_argument("--zip", dest="one_by_one", action="store_true",
                       help="the first photograph in the first style, the second in the second, and so on")  # fmt: skip
    group.add_argument("--table", type=path_of, metavar="FILE",
                       help="a table of what to paint, .csv or .json, in place of CONTENT and --style: a row each: "
                       "content, style, and if wanted out, recipe, mask, and fields of the recipe")  # fmt: skip
    group.add_argument("--name", type=name_of, default=NAME, metavar="PATTERN",
                       help=f"the pictures' names; {KNOWN} stand for what they say, the "
                       f"extension chooses the format (default: {NAME})")  # fmt: skip
    group.add_argument("--sheet", type=path_of, metavar="FILE",
                       help="the contact sheet of all pictures in DIR (default: contact_sheet.jpg in DIR)")  # fmt: skip
    group.add_argument("--overwrite", action="store_true",
                       help="replace files in DIR even if minstyle did not make them")  # fmt: skip
    group.add_argument("--quiet", action="store_true", help="print errors only")


def _add_cluster_options(parser: argparse.ArgumentParser) -> None:
    group = add_cluster_options(parser, "pictures")
    group.add_argument("--results", choices=("files", "scheduler"), default="files",
                       help="how pictures come to workers and back: as files in folders that all machines share "
                       "(default), or through the scheduler")  # fmt: skip


def _given(text: str) -> str:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected the name of a file or a folder, got {short(repr(text))}")
    return text


def name_of(text: str) -> str:
    """A pattern of names, if it is one of names in the folder itself."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        parts = [("", "", "", "")]
    for _, field, form, conversion in parts:
        if field is not None and (field not in FIELDS or form or conversion):
            raise argparse.ArgumentTypeError(f"expected a name with {KNOWN}, got {short(repr(text))}")
    return picture_name(text)


def picture_name(text: str) -> str:
    """The name of a picture in the folder. Raises ArgumentTypeError."""
    bad = not text or any(letter in text for letter in "/\\\0") or text.startswith(".")
    if bad or Path(text).suffix.lower() not in WRITERS:
        raise argparse.ArgumentTypeError(
            f"expected the name of a picture in the folder, ending in {', '.join(WRITERS)}, got {short(repr(text))}"
        )
    return text
