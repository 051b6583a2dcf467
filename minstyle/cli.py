"""The command line: arguments in, a picture out. Thin: what it does is in the library."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .arguments import OneLineParser
from .errors import FileError, ImageError, MinstyleError, RecipeError
from .images import check_image_path, load_image, save_image
from .kernels import use_threads
from .observers import Observer, Plan, Progress, Snapshots, Trace
from .recipes import RECIPES, Recipe, find_recipe, parse_sizes
from .stylize import Result, stylize
from .version import __version__
from .vgg import Network
from .weights.locate import find_weights, load_network

DEFAULT_RECIPE = "document"

EXAMPLES = """\
examples:
  python -m minstyle photo.jpg painting.jpg out.png
  python -m minstyle photo.jpg painting.jpg out.jpg --recipe gatys --size 256 --evaluations 200 --trace run.jsonl
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 after an error told in one line, 130 after an interrupt."""
    options = build_parser().parse_args(arguments)
    try:
        return _run(options)
    except (MinstyleError, MemoryError) as error:
        return _fail(_reason(error))
    except KeyboardInterrupt:
        print("minstyle: interrupted before there was a picture", file=sys.stderr)
        return 130


def build_parser() -> OneLineParser:
    """The parser; options of the recipe are made from its fields."""
    parser = OneLineParser(
        prog="minstyle",
        description="Paint CONTENT in the style of STYLE (Gatys, Ecker, Bethge 2015) and write the picture to OUT.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("content", metavar="CONTENT", type=Path, help="the photograph")
    parser.add_argument("style", metavar="STYLE", type=Path, help="the painting")
    parser.add_argument("out", metavar="OUT", type=Path, help="the picture to write: .png, .jpg, .webp or .tif")
    parser.add_argument("--version", action="version", version=f"minstyle {__version__}")
    _add_recipe_options(parser)
    _add_run_options(parser)
    return parser


def _add_recipe_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        f"recipe (the next three groups change it; their defaults are {DEFAULT_RECIPE}'s)"
    )
    names = ", ".join(RECIPES)
    group.add_argument("--recipe", default=DEFAULT_RECIPE, metavar="NAME|FILE",
                       help=f"{names}, or a recipe's JSON file (default: {DEFAULT_RECIPE})")  # fmt: skip
    groups = {name: parser.add_argument_group(name) for name in ("look", "size", "optimiser")}
    for field in _option_fields():
        data, value = field.metadata, getattr(RECIPES[DEFAULT_RECIPE], field.name)
        settings = dict(type=_checked(data["parse"]), choices=data["choices"], metavar=data["metavar"])
        if field.name == "init":  # on the command line the start image may be a file
            settings = dict(metavar="|".join([*data["choices"], "FILE"]))
        default = "" if value is None else f" (default: {_shown(value)})"
        flag = data["flag"] or "--" + field.name.replace("_", "-")
        groups[data["group"]].add_argument(flag, dest=field.name, help=data["help"] + default, **settings)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network and machine")
    group.add_argument(
        "--network",
        default="auto",
        metavar="NAME|FILE",
        help="vgg19, vgg16, mini (comes with minstyle), auto (the first of them that is installed), or a file "
        "(default: auto)",
    )
    group.add_argument("--weights-dir", type=Path, metavar="DIR", help="a folder to look for weights in first")
    group.add_argument(
        "--device",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="where to compute (default: auto, the GPU if one answers)",
    )
    group.add_argument("--threads", type=_positive, metavar="N", help="cores to use (default: all that it may use)")
    group.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="precision (default: float32)"
    )

    group = parser.add_argument_group("watching")
    group.add_argument(
        "--save-every",
        type=_every,
        metavar="N|round",
        help="save the picture so far every N evaluations, or after each round, beside OUT",
    )
    group.add_argument("--trace", type=Path, metavar="FILE", help="write the losses of each evaluation as JSON lines")
    group.add_argument("--quiet", action="store_true", help="print errors only")  # fmt: skip


def _option_fields() -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(Recipe) if "group" in field.metadata]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


# What a field's parser expects, for the line about a wrong value.
_EXPECTED: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    parse_sizes: "whole numbers, as in 400 or 128,256",
}


def _checked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected {_EXPECTED[parse]}, got {text!r}") from None

    return convert


def _positive(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return int(text)


def _every(text: str) -> int | str:
    return text if text == "round" else _positive(text)


def effective_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe that was asked for, with the options that were given put in. Raises RecipeError."""
    name = options.recipe
    if name not in RECIPES and name.endswith(".json"):
        try:
            recipe = Recipe.from_json(Path(name).read_text(encoding="utf-8"))
        except RecipeError as error:
            raise RecipeError(f"{name}: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{name}: cannot be read ({error})") from error
    else:
        recipe = find_recipe(name)
    given = {field.name: getattr(options, field.name) for field in _option_fields()}
    changes = {name: value for name, value in given.items() if value is not None}
    if _start_file(options) is not None:
        del changes["init"]
    return dataclasses.replace(recipe, **changes)


def _start_file(options: argparse.Namespace) -> Path | None:
    """The file that --init names, if it names none of the recipe's start images."""
    (field,) = (field for field in _option_fields() if field.name == "init")
    return None if options.init is None or options.init in field.metadata["choices"] else Path(options.init)


def _run(options: argparse.Namespace) -> int:
    recipe = effective_recipe(options)
    check_image_path(options.out)
    content, style = load_image(options.content), load_image(options.style)
    start = _start_file(options)
    initial = None if start is None else load_image(start)
    observers = _observers(options)
    weights = find_weights(options.network, options.weights_dir)
    network = load_network(str(weights), device=options.device, dtype=options.dtype)
    if not options.quiet:
        observers.insert(0, _Announce(network, weights, options.dtype))
    with use_threads(options.threads):
        result = stylize(content, [style], recipe, network=network, initial=initial, observers=observers)
    written = _save(result, options.out)
    if not options.quiet:
        print(summary(result, written))
    if isinstance(result.error, KeyboardInterrupt):
        return 130
    return 0 if result.error is None else _fail(f"ended early: {_reason(result.error)}")


class _Announce(Observer):
    """Says what computes, once the input has been found good."""

    def __init__(self, network: Network, weights: Path, dtype: str) -> None:
        self._network, self._weights, self._dtype = network, weights, dtype

    def start(self, plan: Plan) -> None:
        network = self._network
        if network.device.note:
            print(f"minstyle: {network.device.note}", file=sys.stderr)
        name = f"small network in place of {network.name}" if network.small else network.name
        text = f"{name} from {self._weights}, recipe {plan.recipe.name}, {self._dtype}, {network.device.name}"
        if plan.recipe.draft != "none" and not network.small:
            text += f", draft by {plan.recipe.draft}"
        if network.small:
            text += f". For the pictures of {network.name} itself: python -m minstyle.weights fetch {network.name}"
        print(f"minstyle: {text}", file=sys.stderr)


def _observers(options: argparse.Namespace) -> list[Observer]:
    observers: list[Observer] = [] if options.quiet else [Progress()]
    if options.trace is not None:
        observers.append(Trace(options.trace))
    if options.save_every is not None:
        observers.append(Snapshots(options.out, None if options.save_every == "round" else options.save_every))
    return observers


def _save(result: Result, path: Path) -> Path:
    """Write the picture; where that fails after all, into a temporary folder, so that the work is not lost."""
    try:
        save_image(result.image, path)
        return path
    except (FileError, ImageError) as error:
        try:
            rescue = Path(tempfile.mkdtemp(prefix="minstyle-")) / "picture.png"
            save_image(result.image, rescue)
        except (MinstyleError, OSError):
            raise error from None
        raise FileError(f"{error}. The picture was saved as {rescue} instead: move it") from error


def summary(result: Result, path: Path) -> str:
    """The last line: where the picture is, what it took, the loss from and to."""
    height, width, _ = result.image.shape
    fall = 100 * (1 - result.loss / result.first_loss) if result.first_loss else 0.0
    word = "painted"
    if result.error is not None:
        word = "interrupted" if isinstance(result.error, KeyboardInterrupt) else "ended early"
    return (
        f"{path}: {width} x {height}, {word} in {result.seconds:.1f} s ({result.evaluations} evaluations), "
        f"loss {result.first_loss:.4g} -> {result.loss:.4g} (-{fall:.1f} %)"
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory for a picture of this size: try a smaller --size"
    return str(error) if isinstance(error, MinstyleError) else f"{type(error).__name__}: {error}"


def _fail(message: str) -> int:
    print(f"minstyle: error: {' '.join(message.split())}", file=sys.stderr)
    return 2
