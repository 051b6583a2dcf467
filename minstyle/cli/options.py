"""The command line's options: the parser, and the recipe that they ask for."""

from __future__ import annotations

import argparse
import dataclasses
import re
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
from .help import EXAMPLES, HINTS, USAGE, Help
from .values import ORIGINAL, bytes_of, device_of, every, of_field, positive, quality, weighted

GROUPS = ("look", "styles", "network's use", "size", "optimiser")


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
    parser.add_argument("-h", "--help", action=Help, nargs="?", metavar="all",
                        help="explain the options used most, or all of them, and end")  # fmt: skip
    parser.add_argument("--version", action="version", version=f"minstyle {__version__}")
    _add_recipe_options(parser)
    _add_file_options(parser)
    _add_machine_options(parser)
    _add_watching_options(parser)
    return parser


def _add_recipe_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        f'recipe (the options up to "optimiser" change it; the defaults shown are those of {DEFAULT_RECIPE})'
    )
    group.add_argument("--recipe", metavar="NAME|FILE",
                       help=f"{PRESET_NAMES}, a recipe's JSON file, or a picture that minstyle made "
                       f"(default: {DEFAULT_RECIPE})")  # fmt: skip
    group.add_argument("--list-recipes", action="store_true", help="list the named recipes")
    group.add_argument("--print-recipe", action="store_true", help="print the recipe that the options make, as JSON")
    group.add_argument("--show-recipe", type=path_of, metavar="FILE",
                       help="print the recipe that is stored in a picture")  # fmt: skip
    for role in ("content", "style"):
        group.add_argument(f"--{role}-layers", type=weighted, metavar="LAYER[:X],...",
                           help=f"layers at which the {role} is compared, and their weights (default: the "
                           "recipe's)")  # fmt: skip
    for role in ORDER:
        kinds = ", ".join(kind for kind, serves in ROLES.items() if serves == role)
        group.add_argument(f"--{role}-loss", type=weighted, metavar="KIND[:X],...",
                           help=f"loss functions and factors (their scales differ): {kinds} (default: the "
                           "recipe's)")  # fmt: skip
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
                                help="keep the photograph's colours: short for --color content")  # fmt: skip
    groups["styles"].add_argument(
        "--mask", nargs="+", type=path_of, metavar="FILE",
        help="one mask for the content and one for each style: a region of the content takes its style from the "
        "regions of the same colour in the styles' masks",
    )  # fmt: skip


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("file")
    group.add_argument("--depth", choices=("8", "16", "auto"), default="auto",
                       help="bits per channel in .png and .tif (default: auto, as in the photograph)")  # fmt: skip
    group.add_argument("--quality", type=quality, default=95, metavar="N",
                       help="quality of .jpg, .webp, .avif, 1 to 100 (default: 95)")  # fmt: skip
    group.add_argument("--checkpoint", type=path_of, metavar="FILE",
                       help="save the state of the run to FILE, so that it can be resumed (default: OUT.checkpoint, "
                       "for runs of more than a minute)")  # fmt: skip
    group.add_argument("--no-checkpoint", action="store_false", dest="checkpoints", default=None,
                       help="write no checkpoint")  # fmt: skip
    group.add_argument("--resume", type=path_of, metavar="OUT|FILE",
                       help="resume the interrupted run of OUT, or of a checkpoint")  # fmt: skip
    group.add_argument("--overwrite", action="store_true",
                       help="replace OUT even if it is a picture that minstyle did not make")  # fmt: skip
    group.add_argument("--keep-metadata", action="store_true",
                       help="copy the photograph's metadata (artist, date, place, ...) to OUT")  # fmt: skip


def _add_machine_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network and machine")
    group.add_argument(
        "--network",
        metavar="NAME|FILE",
        help="vgg19 or mini, which come with minstyle, vgg16, a weights file, or auto: vgg19, preferably one that you "
        "installed (default: auto)",
    )
    group.add_argument("--weights-dir", type=folder_of, metavar="DIR", help="the folder to search for weights first")
    group.add_argument(
        "--device",
        type=device_of,
        choices=("auto", "cpu", "gpu"),
        help="where to compute; cuda means gpu (default: auto, the GPU if there is one)",
    )
    group.add_argument("--threads", type=positive, metavar="N", help="CPU threads (default: one per available core)")
    group.add_argument("--memory", type=bytes_of, metavar="N",
                       help="what the run may take, as in 4G or 500M: 10^9 or 10^6 bytes; a picture too large for it "
                       "is painted in bands, or refused (default: what the machine and its limits leave)")  # fmt: skip
    group.add_argument("--bands", type=positive, metavar="N",
                       help="paint the last size in N bands of rows, which takes less memory and 1.6 times as long "
                       "(default: as many as the memory asks for, none if it can)")  # fmt: skip
    group.add_argument("--estimate", action="store_true",
                       help="print the evaluations, time and memory that the run would take, and paint nothing; OUT "
                       "may be left out")  # fmt: skip
    group.add_argument("--dtype", choices=("float32", "float64"), help="floating-point type (default: float32)")
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of matrix products on a GPU: tf32, factors rounded to 10 bits, several times as fast on cards that have "
        "it (default); fp16, convolutions of 16-bit factors; or fp32, full float32",
    )


def _add_watching_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("watching")
    group.add_argument(
        "--save-every",
        type=every,
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


def check_pictures(parser: OneLineParser, options: argparse.Namespace) -> None:
    """End with what to do where CONTENT, STYLE and OUT are not all there, or a number stands among them."""
    for path in options.pictures:
        if re.fullmatch(r"[0-9.,]+", str(path)) and not path.exists():
            parser.error(f"expected the name of a picture, got the number {path}; it needs its option before it, as in "
                         f"--style-weight {path}")  # fmt: skip
    if (count := len(options.pictures)) < 3:
        hint = "" if options.mask is None else "; --mask takes all files that follow it: put it after OUT"
        missing = "OUT is missing: " if count == 2 else ""
        parser.error(f"{missing}expected CONTENT, STYLE and OUT, got {count} of these files{hint}")


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
        bands=options.bands,
        checkpoint=options.checkpoint,
        checkpoints=options.checkpoints,
        overwrite=options.overwrite,
        also_read=tuple(path for path in [recipe_file(options.recipe or DEFAULT_RECIPE)] if path is not None),
    )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
