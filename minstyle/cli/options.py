"""The command line's options: the parser, and the recipe that they ask for."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from ..arguments import OneLineParser, folder_of, path_of
from ..backend import PRECISIONS
from ..errors import RecipeError, require
from ..images import picture_shape
from ..job.changes import change_recipe, from_start_file
from ..job.description import Job
from ..job.machine import Machine
from ..job.recipefile import named_recipe, recipe_file
from ..recipe.presets import ALIASES, DEFAULT_RECIPE, PRESET_NAMES, RECIPES
from ..recipe.recipe import Recipe
from ..recipe.sizes import side_of
from ..recipe.terms import ORDER, ROLES
from ..run.init import STARTS
from ..version import __version__
from .values import ORIGINAL, bytes_of, every, of_field, positive, quality, weighted

GROUPS = ("look", "styles", "network's use", "size", "optimiser")

EXAMPLES = """\
examples:
  python -m minstyle photo.jpg painting.jpg out.png
  python -m minstyle photo.jpg wave.jpg night.jpg out.png --blend 3,7 --color content
  python -m minstyle photo.jpg painting.jpg out.png --mask sky_of_photo.png sky_of_painting.png
  python -m minstyle photo.jpg painting.jpg grid.png --compare fine,johnson,fine:style_weight=300
  python -m minstyle --resume out.png
"""


def build_parser() -> OneLineParser:
    """The parser; options of the recipe are made from its fields."""
    parser = OneLineParser(
        prog="minstyle",
        usage="minstyle CONTENT STYLE [STYLE ...] OUT [options]",
        description="Paint CONTENT in the style of STYLE (Gatys, Ecker, Bethge 2015) and write the picture to OUT.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("pictures", metavar="CONTENT STYLE [STYLE ...] OUT", type=path_of, nargs="*",
                        help="the photograph, the painting or several, and the picture to write: "
                        ".png, .jpg, .webp, .tif or .avif")  # fmt: skip
    parser.add_argument("--version", action="version", version=f"minstyle {__version__}")
    _add_recipe_options(parser)
    _add_file_options(parser)
    _add_machine_options(parser)
    _add_watching_options(parser)
    return parser


def _add_recipe_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(f"recipe (the groups after it change it; their defaults are {DEFAULT_RECIPE}'s)")
    group.add_argument("--recipe", metavar="NAME|FILE",
                       help=f"{PRESET_NAMES}, a recipe's JSON file, or a picture that minstyle made "
                       f"(default: {DEFAULT_RECIPE})")  # fmt: skip
    group.add_argument("--list-recipes", action="store_true", help="print the recipes that have names, and end")
    group.add_argument("--print-recipe", action="store_true", help="print the recipe, with all options, and end")
    group.add_argument("--show-recipe", type=path_of, metavar="FILE",
                       help="print the recipe that a picture was made by, and end")  # fmt: skip
    for role in ("content", "style"):
        group.add_argument(f"--{role}-layers", type=weighted, metavar="LAYER[:X],...",
                           help=f"where the {role} is compared, with weights (default: the recipe's)")  # fmt: skip
    for role in ORDER:
        kinds = ", ".join(kind for kind, serves in ROLES.items() if serves == role)
        group.add_argument(f"--{role}-loss", type=weighted, metavar="KIND[:X],...",
                           help=f"by which formulas, with factors, for their scales differ: {kinds} "
                           "(default: the recipe's)")  # fmt: skip
    groups = {name: parser.add_argument_group(name) for name in GROUPS}
    for field in option_fields():
        data, value = field.metadata, getattr(RECIPES[DEFAULT_RECIPE], field.name)
        settings = dict(type=of_field(field), choices=data["choices"], metavar=data["metavar"])
        if field.name == "init":  # on the command line the start image may be a file
            settings = dict(metavar="|".join([*STARTS, "FILE"]))
        default = "" if value is None or value == () else f" (default: {_shown(value)})"
        flags = (data["flag"] or "--" + field.name.replace("_", "-"), *data["also"])
        groups[data["group"]].add_argument(*flags, dest=field.name, help=data["help"] + default, **settings)
    groups["look"].add_argument("--preserve-color", action="store_const", dest="color", const="content",
                                help="the photograph's colours: the same as --color content")  # fmt: skip
    groups["styles"].add_argument(
        "--mask", nargs="+", type=path_of, metavar="FILE",
        help="a picture of regions for the content and one for each style: each colour or grey takes its style from "
        "where the styles' masks have it",
    )  # fmt: skip


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("file")
    group.add_argument("--depth", choices=("8", "16", "auto"), default="auto",
                       help="bits a channel of .png and .tif (default: auto, the photograph's)")  # fmt: skip
    group.add_argument("--quality", type=quality, default=95, metavar="N",
                       help="of .jpg, .webp and .avif, 1 to 100 (default: 95)")  # fmt: skip
    group.add_argument("--checkpoint", type=path_of, metavar="FILE",
                       help="write where the run stands to FILE, to go on from there whatever ends it (default: "
                       "OUT.checkpoint, for runs that take more than a minute)")  # fmt: skip
    group.add_argument("--no-checkpoint", action="store_false", dest="checkpoints", default=None,
                       help="write no checkpoint")  # fmt: skip
    group.add_argument("--resume", type=path_of, metavar="OUT|FILE",
                       help="go on with the run of OUT, or of a checkpoint, that was ended")  # fmt: skip
    group.add_argument("--keep-metadata", action="store_true",
                       help="keep the photograph's artist, date, place and so on; else they are dropped")  # fmt: skip


def _add_machine_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network and machine")
    group.add_argument(
        "--network",
        metavar="NAME|FILE",
        help="vgg19, vgg16, mini (comes with minstyle), auto (vgg19: an installed one, else the one that comes with "
        "minstyle), or a file (default: auto)",
    )
    group.add_argument("--weights-dir", type=folder_of, metavar="DIR", help="a folder to look for weights in first")
    group.add_argument(
        "--device",
        choices=("auto", "cpu", "gpu"),
        help="where to compute (default: auto, the GPU if one answers)",
    )
    group.add_argument("--threads", type=positive, metavar="N", help="cores to use (default: all that it may use)")
    group.add_argument("--memory", type=bytes_of, metavar="N",
                       help="refuse a run that takes more, as in 4G or 500M: 10^9 or 10^6 bytes (default: what the "
                       "machine and the limits of the process leave)")  # fmt: skip
    group.add_argument("--estimate", action="store_true",
                       help="print what the run will take, by size: evaluations, seconds, memory; and end")  # fmt: skip
    group.add_argument("--dtype", choices=("float32", "float64"), help="of the numbers (default: float32)")
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="how a GPU multiplies float32: tf32, factors of 10 bits, several times as fast where the card has it "
        "(default); fp16, convolutions of factors in 16 bits; or fp32, float32 throughout",
    )


def _add_watching_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("watching")
    group.add_argument(
        "--save-every",
        type=every,
        metavar="N|round",
        help="save the picture so far every N evaluations, or after each round, beside OUT",
    )
    group.add_argument(
        "--trace", type=path_of, metavar="FILE", help="write the losses of each evaluation as JSON lines"
    )
    group.add_argument(
        "--plot", type=path_of, metavar="FILE", help="draw the losses: .png, .svg or .pdf (needs matplotlib)"
    )
    group.add_argument("--sheet", type=path_of, metavar="FILE", help="a contact sheet: content, styles, steps, result")
    group.add_argument("--compare", metavar="RECIPE[,RECIPE ...]",
                       help="small runs of several recipes in one labelled picture, OUT; name:field=value varies one, "
                       "as in fine,johnson,fine:style_weight=300")  # fmt: skip
    how_much = group.add_mutually_exclusive_group()
    how_much.add_argument("--quiet", action="store_true", help="print errors only")
    how_much.add_argument(
        "--verbose",
        action="store_true",
        help="print also which network computes and where, what the run takes, and the loss by term",
    )


def option_fields() -> list[dataclasses.Field[Any]]:
    """The recipe's fields that are options."""
    return [field for field in dataclasses.fields(Recipe) if "group" in field.metadata]


def recipe_list() -> list[str]:
    """A line for each preset, the default first."""
    named = {name: RECIPES[name].description for name in RECIPES}
    named |= {alias: f"another name of {name}" for alias, name in ALIASES.items()}
    return [f"{name:{max(map(len, named))}}  {text}" for name, text in named.items()]


def effective_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe that was asked for, with the options that were given put in. Raises RecipeError, ImageError."""
    return changed(named_recipe(options.recipe or DEFAULT_RECIPE), options)


def changed(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """A recipe with the options that were given put in. Raises RecipeError."""
    losses = {role: getattr(options, f"{role}_loss") for role in ORDER}
    layers = {role: getattr(options, f"{role}_layers", None) for role in ORDER}
    settings = {field.name: getattr(options, field.name) for field in option_fields()}
    if ORIGINAL in (options.sizes or ()):
        settings["sizes"] = _with_original(recipe, options)
    if options.iterations is not None and options.evaluations is None:  # that many are wanted, not fewer
        settings["evaluations"] = tuple(max(n, 2 * options.iterations + 1) for n in recipe.evaluations)
    if start_file(options) is not None:
        settings = from_start_file(recipe, settings)

    def given(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value is not None}

    return change_recipe(recipe, given(losses), given(layers), given(settings))


def _with_original(recipe: Recipe, options: argparse.Namespace) -> tuple[int, ...]:
    """The sizes that were given, the photograph's own in the place of the word. Raises RecipeError, ImageError."""
    require(len(options.pictures) > 0, "--size original", "CONTENT, whose size is meant", "no picture", RecipeError)
    own = recipe if options.size_of is None else dataclasses.replace(recipe, size_of=options.size_of)
    side = side_of(picture_shape(options.pictures[0]), own)
    return tuple(side if size == ORIGINAL else size for size in options.sizes)


def start_file(options: argparse.Namespace) -> Path | None:
    """The file that --init names, if it names none of the recipe's start images."""
    return None if options.init is None or options.init in STARTS else Path(options.init)


def machine_of(options: argparse.Namespace) -> Machine:
    """The network and the machine that were asked for."""
    network, device, dtype = options.network or "auto", options.device or "auto", options.dtype or "float32"
    return Machine(network, options.weights_dir, device, options.threads, dtype, options.precision)


def job_of(options: argparse.Namespace, recipe: Recipe | None = None) -> Job:
    """What was asked for: the options as a job, of ``recipe`` if one is given. Raises RecipeError, ImageError."""
    return Job(
        content=options.content,
        styles=tuple(options.styles),
        out=options.out,
        recipe=effective_recipe(options) if recipe is None else recipe,
        masks=None if options.mask is None else tuple(options.mask),
        initial=start_file(options),
        machine=machine_of(options),
        depth=None if options.depth == "auto" else int(options.depth),
        quality=options.quality,
        keep_metadata=options.keep_metadata,
        save_every=options.save_every,
        trace=options.trace,
        plot=options.plot,
        sheet=options.sheet,
        memory=options.memory,
        checkpoint=options.checkpoint,
        checkpoints=options.checkpoints,
        also_read=tuple(path for path in [recipe_file(options.recipe or DEFAULT_RECIPE)] if path is not None),
    )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
