"""What ``python -m minstyle.weights`` does: convert, fetch, list, verify, remove."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from ..arguments import OneLineParser, folder_of, path_of
from ..errors import WeightsError
from ..front import fail, say, shown, tell
from ..network.layers import BLOCKS
from ..signals import Signals, StopAtOnceError, code_of
from .convert import convert, quantisation_errors
from .download import UnreachableError
from .fetch import fetch
from .formats import NORMALISATIONS
from .installed import describe_all, find_installed, remove, time_loading, verify
from .locate import find_weights, user_folder
from .sources import SOURCES, choose, megabytes

NAME = "python -m minstyle.weights"


def command(arguments: Sequence[str] | None = None) -> int:
    """Run the command of these arguments; returns the exit code. Raises a MinstyleError."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.error("expected a command: convert, fetch, list, verify or remove")
    try:
        with Signals():
            options.run(options)
    except UnreachableError as error:
        return fail(NAME, *str(error).split("\n"))
    except (KeyboardInterrupt, StopAtOnceError) as error:
        tell(f"{NAME}: interrupted")
        return code_of(error)
    return 0


def _convert(options: argparse.Namespace) -> None:
    weights = convert(
        options.source,
        options.target,
        network=options.network,
        through=options.through,
        normalisation=options.normalisation,
        dtype=options.dtype,
        bits=options.bits,
    )
    say(f"{options.target}: {weights.network}, {len(weights.layers)} layers, from {options.source}")
    if options.bits is not None:
        say(*quantisation_errors(options.source, weights))


def _fetch(options: argparse.Namespace) -> None:
    first = choose(options.network, options.source)[0]
    place = options.file or f"{first.name} ({megabytes(first.size)})"
    say(f"fetching {options.network} from {place} ...")
    path = fetch(
        options.network,
        options.weights_dir,
        source=options.source,
        file=options.file,
        dtype=options.dtype,
        say=tell,
        bar=not options.quiet,
    )
    say(f"{path}: ready")


def _list(options: argparse.Namespace) -> None:
    say(*describe_all(options.weights_dir, sources=options.sources))


def _verify(options: argparse.Namespace) -> None:
    path = find_weights(options.file, options.weights_dir)
    say(*verify(path))
    if options.time:
        say(f"{'loading':18}{time_loading(path)}")


def _remove(options: argparse.Namespace) -> None:
    path = find_installed(options.network, options.weights_dir)
    if not options.yes and not sys.stdin.isatty():
        raise WeightsError(f"{path} is kept: there is no terminal to ask for confirmation; add --yes to remove it")
    if options.yes or _confirmed(f"remove {path} ({megabytes(path.stat().st_size)})? [y/N] "):
        remove(path)
        say(f"{path}: removed")
    else:
        say(f"{path}: kept")


def _confirmed(question: str) -> bool:
    try:
        return input(shown(question)).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _parser() -> OneLineParser:
    parser = OneLineParser(prog=NAME, description="Get network weights in.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    _add_convert(commands)

    command = commands.add_parser("fetch", help="download weights, check them, install them")
    command.set_defaults(run=_fetch)
    command.add_argument("network", choices=tuple(SOURCES))
    where = command.add_mutually_exclusive_group()
    where.add_argument("--source", metavar="NAME", help="only this source (default: one after another)")
    where.add_argument("--from", dest="file", type=path_of, metavar="FILE", help="a file that you downloaded yourself")
    _add_dtype(command)
    command.add_argument("--weights-dir", type=folder_of, metavar="DIR", help=f"where to (default: {user_folder()})")
    command.add_argument("--quiet", action="store_true", help="no progress bar")

    command = commands.add_parser("list", help="what is installed")
    command.set_defaults(run=_list)
    command.add_argument("--sources", action="store_true", help="and the folders that are searched, and all sources")
    _add_folder(command)

    command = commands.add_parser("verify", help="read and check a whole weights file, and describe it")
    command.set_defaults(run=_verify)
    command.add_argument("file", metavar="FILE", help="a weights file, or the name of an installed network")
    command.add_argument("--time", action="store_true", help="measure how long it takes to load, and its peak memory")
    _add_folder(command)

    command = commands.add_parser("remove", help="remove an installed network's file")
    command.set_defaults(run=_remove)
    command.add_argument("network", choices=tuple(BLOCKS))
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--weights-dir", type=folder_of, metavar="DIR", help="from this folder only")
    return parser


def _add_convert(commands: Any) -> None:
    command = commands.add_parser("convert", help="convert a VGG file to minstyle's format")
    command.set_defaults(run=_convert)
    command.add_argument("source", type=path_of, metavar="SRC", help="a VGG16 or VGG19 file of any known format")
    command.add_argument("target", type=path_of, metavar="DST", help="the file to write, for example vgg19.h5")
    command.add_argument("--network", choices=tuple(BLOCKS), help="refuse any other (default: what the file holds)")
    command.add_argument("--through", metavar="LAYER", help="leave out the layers after this one")
    command.add_argument(
        "--normalisation",
        choices=tuple(NORMALISATIONS),
        help="how the network wants its input (default: as is usual for the format)",
    )
    command.add_argument("--bits", type=int, choices=range(1, 9), metavar="N",
                         help="kernels as codes of N bits, 1 to 8, a byte each; prints the errors")  # fmt: skip
    _add_dtype(command)


def _add_dtype(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="default: float32")


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--weights-dir", type=folder_of, metavar="DIR", help="look in this folder first")
