"""Options that every command which paints has, and what they ask for: the recipe, the file, the machine."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from ..arguments import folder_of
from ..backend import PRECISIONS
from ..errors import RecipeError
from ..images import picture_shape
from ..recipe.presets import ALIASES, DEFAULT_RECIPE, PRESET_NAMES, RECIPES
from ..recipe.recipe import Recipe
from ..recipe.sizes import side_of
from ..recipe.terms import ORDER, ROLES
from ..run.init import STARTS
from .changes import change_recipe, from_start_file
from .machine import Machine
from .paper import paper_of
from .recipefile import named_recipe
from .values import ORIGINAL, bytes_of, device_of, of_field, positive, quality, weighted

# What the short help explains of these.
MOST_USED = frozenset({
    "--version", "--recipe", "--content-weight", "--style-weight", "--init", "--color", "--preserve-color", "--seed",
    "--blend", "--style-scale", "--size", "--print", "--steps", "--network", "--device", "--threads",
})  # fmt: skip
GROUPS = ("look", "styles", "network's use", "size", "optimiser")

Group = argparse._ArgumentGroup


def add_recipe_options(parser: argparse.ArgumentParser) -> dict[str, Group]:
    """The recipe's options, made from its fields. Returns their groups by name, "recipe" the first, to add more."""
    group = parser.add_argument_group(
        f"recipe, and below it the settings that change it (the defaults shown are those of {DEFAULT_RECIPE})"
    )
    group.add_argument("--recipe", metavar="NAME|FILE",
                       help=f"{PRESET_NAMES}, a recipe's JSON file, or a picture that minstyle made "
                       f"(default: {DEFAULT_RECIPE})")  # fmt: skip
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
    sizes = groups["size"].add_mutually_exclusive_group()
    for field in option_fields():
        data, value = field.metadata, getattr(RECIPES[DEFAULT_RECIPE], field.name)
        settings = dict(type=of_field(field), choices=data["choices"], metavar=data["metavar"])
        if field.name == "init":  # on the command line the start image may be a file
            settings = dict(metavar="|".join([*STARTS, "FILE"]))
        default = "" if value is None or value == () else f" (default: {_shown(value)})"
        flags = (data["flag"] or "--" + field.name.replace("_", "-"), *data["also"])
        place = sizes if field.name == "sizes" else groups[data["group"]]
        place.add_argument(*flags, dest=field.name, help=data["help"] + default, **settings)
    sizes.add_argument("--print", type=paper_of, metavar="WxHcm@DPI",
                       help="in place of --size: the sheet to print on and the dots an inch, as in 60x40cm@200, "
                       "24x16in@300, 60cm@200 (the longer side) or A2@200; the picture is as large as fits on it, and "
                       "its file has the dots an inch")  # fmt: skip
    groups["look"].add_argument("--preserve-color", action="store_const", dest="color", const="content",
                                help="keep the photograph's colours: short for --color content")  # fmt: skip
    return {"recipe": group, **groups}


def add_file_options(parser: argparse.ArgumentParser) -> Group:
    """Of the pictures that are written. Returns their group, to add more."""
    group = parser.add_argument_group("file")
    group.add_argument("--depth", choices=("8", "16", "auto"), default="auto",
                       help="bits per channel in .png and .tif (default: auto, as in the photograph)")  # fmt: skip
    group.add_argument("--quality", type=quality, default=95, metavar="N",
                       help="quality of .jpg, .webp, .avif, 1 to 100 (default: 95)")  # fmt: skip
    group.add_argument("--no-checkpoint", action="store_false", dest="checkpoints", default=None,
                       help="write no checkpoint")  # fmt: skip
    group.add_argument("--keep-metadata", action="store_true",
                       help="copy the photograph's metadata (artist, date, place, ...) to OUT")  # fmt: skip
    return group


def add_machine_options(parser: argparse.ArgumentParser) -> Group:
    """Of the network and of what computes. Returns their group, to add more."""
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
                       help="paint the last size in N bands of rows, which takes less memory and 1.7 times as long "
                       "(default: as many as the memory asks for, none if it can)")  # fmt: skip
    group.add_argument("--dtype", choices=("float32", "float64"), help="floating-point type (default: float32)")
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of matrix products on a GPU: tf32, factors rounded to 10 bits, several times as fast on cards that have "
        "it (default); fp16, convolutions of 16-bit factors; or fp32, full float32",
    )
    return group


def add_cluster_options(parser: argparse.ArgumentParser, what: str) -> Group:
    """Of where ``what`` is painted. Returns their group, to add more."""
    group = parser.add_argument_group("several processes or machines (with the extra cluster)")
    where = group.add_mutually_exclusive_group()
    where.add_argument("--workers", type=positive, metavar="N",
                       help=f"paint {what} in so many processes of this machine, which share its cores")  # fmt: skip
    where.add_argument("--cluster", metavar="ADDRESS",
                       help=f"paint {what} on the workers of a Dask scheduler, as in tcp://host:8786")  # fmt: skip
    return group


def option_fields() -> list[dataclasses.Field[Any]]:
    """The recipe's fields that are options."""
    return [field for field in dataclasses.fields(Recipe) if "group" in field.metadata]


def recipe_list() -> list[str]:
    """A line for each preset, the default first."""
    named = {name: RECIPES[name].description for name in RECIPES}
    named |= {alias: f"another name of {name}" for alias, name in ALIASES.items()}
    return [f"{name:{max(map(len, named))}}  {text}" for name, text in named.items()]


def effective_recipe(options: argparse.Namespace, content: Path | None = None) -> Recipe:
    """The recipe that was asked for, with the options that were given put in. Raises RecipeError, ImageError."""
    return changed(named_recipe(options.recipe or DEFAULT_RECIPE), options, content)


def changed(recipe: Recipe, options: argparse.Namespace, content: Path | None = None) -> Recipe:
    """A recipe with the options that were given put in; ``content`` is the photograph. Raises RecipeError."""
    losses = {role: getattr(options, f"{role}_loss") for role in ORDER}
    layers = {role: getattr(options, f"{role}_layers", None) for role in ORDER}
    settings = {field.name: getattr(options, field.name) for field in option_fields()}
    if options.print is not None or ORIGINAL in (options.sizes or ()):
        settings["sizes"] = _sizes_of_content(recipe, options, content)
    if options.iterations is not None and options.evaluations is None:  # that many are wanted, not fewer
        settings["evaluations"] = tuple(max(n, 2 * options.iterations + 1) for n in recipe.evaluations)
    if start_file(options) is not None:
        settings = from_start_file(recipe, settings)

    def given(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value is not None}

    return change_recipe(recipe, given(losses), given(layers), given(settings))


def _sizes_of_content(recipe: Recipe, options: argparse.Namespace, content: Path | None) -> tuple[int, ...]:
    """The size on the sheet of --print, or those of --size, the photograph's own in the place of "original".

    Raises RecipeError, ImageError.
    """
    asked = "--size original" if options.print is None else f"--print {options.print.text}"
    if content is None:
        raise RecipeError(f"{asked}: expected CONTENT, whose size is meant, got no picture")
    own = recipe if options.size_of is None else dataclasses.replace(recipe, size_of=options.size_of)
    shape = picture_shape(content)
    if options.print is None:
        return tuple(side_of(shape, own) if size == ORIGINAL else size for size in options.sizes)
    return (options.print.size_for(shape, own),)


def dpi_of(options: argparse.Namespace) -> int | None:
    """Dots an inch, where a print was asked for."""
    return None if options.print is None else options.print.dpi


def start_file(options: argparse.Namespace) -> Path | None:
    """The file that --init names, if it names none of the recipe's start images."""
    return None if options.init is None or options.init in STARTS else Path(options.init)


def of_every_picture(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say of a job, whichever of many its picture is: of machine and file, fields of ``Job``."""
    return {
        "initial": start_file(options),
        "machine": machine_of(options),
        "depth": None if options.depth == "auto" else int(options.depth),
        "dpi": dpi_of(options),
        **{name: getattr(options, name) for name in ("quality", "keep_metadata", "memory", "bands", "overwrite")},
    }


def machine_of(options: argparse.Namespace) -> Machine:
    """The network and the machine that were asked for."""
    network, device, dtype = options.network or "auto", options.device or "auto", options.dtype or "float32"
    return Machine(network, options.weights_dir, device, options.threads, dtype, options.precision)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
