"""The command line of a single run: its parser, and the job that it asks for."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..arguments import Help, OneLineParser, path_of
from ..job.description import Job
from ..job.options import (
    add_cluster_options,
    add_file_options,
    add_machine_options,
    add_recipe_options,
    changed,
    effective_recipe,
    of_every_picture,
)
from ..job.recipefile import recipe_file
from ..job.values import positive
from ..recipe.presets import DEFAULT_RECIPE
from ..recipe.recipe import Recipe
from ..version import __version__
from .help import EXAMPLES, HINTS, MOST_USED, USAGE


def build_parser() -> OneLineParser:
    """The parser; options of the recipe are made from its fields."""
    parser = OneLineParser(
        prog="minstyle",
        usage=USAGE,
        description="Paint CONTENT in the style of STYLE (Gatys, Ecker, Bethge 2015) and write the picture to OUT.\n\n"
        + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.hints = HINTS
    parser.add_argument("pictures", metavar="CONTENT STYLE [STYLE ...] OUT", type=path_of, nargs="*",
                        help="the photograph, the painting or several, and the picture to write: "
                        ".png, .jpg, .webp, .tif or .avif")  # fmt: skip
    parser.add_argument("-h", "--help", action=Help, most_used=MOST_USED)
    parser.add_argument("--version", action="version", version=f"minstyle {__version__}")
    _add_recipe_options(parser)
    _add_file_options(parser)
    add_machine_options(parser).add_argument(
        "--estimate", action="store_true", help="print the evaluations, time and memory that the run would take, and "
        "paint nothing; OUT may be left out")  # fmt: skip
    add_cluster_options(parser, "parts of the picture")
    _add_watching_options(parser)
    return parser


def _add_recipe_options(parser: argparse.ArgumentParser) -> None:
    groups = add_recipe_options(parser)
    group = groups["recipe"]
    group.add_argument("--list-recipes", action="store_true", help="list the named recipes")
    group.add_argument("--print-recipe", action="store_true", help="print the recipe that the options make, as JSON")
    group.add_argument("--show-recipe", type=path_of, metavar="FILE",
                       help="print the recipe that is stored in a picture")  # fmt: skip
    groups["styles"].add_argument(
        "--mask", nargs="+", type=path_of, metavar="FILE",
        help="one mask for the content and one for each style: a region of the content takes its style from the "
        "regions of the same colour in the styles' masks",
    )  # fmt: skip


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    group = add_file_options(parser)
    group.add_argument("--checkpoint", type=path_of, metavar="FILE",
                       help="save the state of the run to FILE, so that it can be resumed (default: OUT.checkpoint, "
                       "for runs of more than a minute)")  # fmt: skip
    group.add_argument("--resume", type=path_of, metavar="OUT|FILE",
                       help="resume the interrupted run of OUT, or of a checkpoint")  # fmt: skip
    group.add_argument("--overwrite", action="store_true",
                       help="replace OUT even if it is a picture that minstyle did not make")  # fmt: skip


def _add_watching_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("watching")
    group.add_argument(
        "--save-every",
        type=_every,
        metavar="N|round",
        help="save the current picture every N evaluations, or after each round, beside OUT",
    )
    group.add_argument(
        "--trace", type=path_of, metavar="FILE", help="write the losses of each evaluation to FILE as JSON lines"
    )
    group.add_argument(
        "--plot", type=path_of, metavar="FILE", help="plot the losses to a .png, .svg or .pdf (needs matplotlib)"
    )
    group.add_argument(
        "--sheet", type=path_of, metavar="FILE", help="write a contact sheet: content, styles, steps on the way, result"
    )
    group.add_argument("--compare", metavar="RECIPE[,RECIPE ...]",
                       help="paint small pictures by several recipes and put them side by side in OUT; "
                       "name:field=value changes a recipe, as in fine,johnson,fine:style_weight=300")  # fmt: skip
    how_much = group.add_mutually_exclusive_group()
    how_much.add_argument("--quiet", action="store_true", help="print errors only")
    how_much.add_argument(
        "--verbose",
        action="store_true",
        help="also print the network and device, the estimated time and memory, and the loss by term",
    )


def _every(text: str) -> int:
    """0 for "round"."""
    return 0 if text == "round" else positive(text)


def check_pictures(parser: OneLineParser, options: argparse.Namespace) -> None:
    """End with what to do where CONTENT, STYLE and OUT are not all there, or a number stands among them."""
    for path in options.pictures:
        if re.fullmatch(r"[0-9.,]+", str(path)) and not path.exists():
            parser.error(f"expected the name of a picture, got the number {path}; it needs its option before it, as in "
                         f"--style-weight {path}")  # fmt: skip
    if (count := len(options.pictures)) < 3:
        hint = "" if options.mask is None else "; --mask takes all files that follow it: put it after OUT"
        missing = "OUT is missing: " if count == 2 else ""
        parser.error(f"{missing}expected CONTENT, STYLE and OUT, got {count} file{'' if count == 1 else 's'}{hint}")


def asked_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe that was asked for, as ``effective_recipe``; the first of the pictures is the photograph."""
    return effective_recipe(options, _photograph(options))


def changed_recipe(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """As ``changed``; the first of the pictures is the photograph."""
    return changed(recipe, options, _photograph(options))


def _photograph(options: argparse.Namespace) -> Path | None:
    return options.pictures[0] if options.pictures else None


def job_of(options: argparse.Namespace, recipe: Recipe | None = None) -> Job:
    """What was asked for: the options as a job, of ``recipe`` if one is given. Raises RecipeError, ImageError."""
    return Job(
        content=options.content,
        styles=tuple(options.styles),
        out=options.out,
        recipe=asked_recipe(options) if recipe is None else recipe,
        masks=None if options.mask is None else tuple(options.mask),
        **of_every_picture(options),
        save_every=options.save_every,
        trace=options.trace,
        plot=options.plot,
        sheet=options.sheet,
        checkpoint=options.checkpoint,
        checkpoints=options.checkpoints,
        also_read=tuple(path for path in [recipe_file(options.recipe or DEFAULT_RECIPE)] if path is not None),
    )
