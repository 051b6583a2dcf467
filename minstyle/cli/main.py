"""The command line: arguments in, a picture out. Thin: what it does is in the library."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..engine.kernels import use_threads
from ..errors import FileError, ImageError, MinstyleError, RecipeError, require
from ..images import (
    WRITERS,
    check_image_path,
    load_image,
    load_picture,
    read_text,
    save_image,
)
from ..job.job import _network, _observers, _regions, _save, _writer
from ..job.recipefile import recipe_of_picture
from ..job.variants import parse_variants
from ..recipe.sizes import check_styles
from ..run.compare import compare
from ..run.observer import Observer
from ..run.result import Result
from ..run.stylize import stylize
from ..watch.compare_sheet import compare_sheet
from ..watch.progress import Progress
from ..watch.summary import summary_by_term
from .options import build_parser, changed, effective_recipe, start_file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 after an error told in one line, 130 after an interrupt."""
    try:
        try:
            return _run(arguments)
        finally:
            print(end="", flush=True)
    except BrokenPipeError:  # who read the output has seen enough, as head has: no error, and nothing more to say
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        return 0
    except OSError as error:  # of standard output; a picture is saved by then
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _fail(f"cannot write to standard output: {error.strerror or error}")


def _run(arguments: Sequence[str] | None) -> int:
    parser = build_parser()
    words = sys.argv[1:] if arguments is None else arguments
    # Options may stand between the files, but after "--" all are files, which that way of parsing forgets.
    options = parser.parse_args(words) if "--" in words else parser.parse_intermixed_args(words)
    try:
        if options.show_recipe is not None:
            print(recipe_of_picture(options.show_recipe).to_json())
            return 0
        if options.print_recipe:
            print(effective_recipe(options).to_json())
            return 0
        if len(options.pictures) < 3:
            hint = "" if options.mask is None else "; --mask takes all files that follow it: put it after OUT"
            parser.error(f"expected CONTENT, STYLE and OUT, got {len(options.pictures)} of these files{hint}")
        options.content, *options.styles, options.out = options.pictures
        _check_out(options)
        return _compare(options) if options.compare is not None else _paint(options)
    except (MinstyleError, MemoryError) as error:
        return _fail(_reason(error))
    except KeyboardInterrupt:
        print("minstyle: interrupted before there was a picture", file=sys.stderr)
        return 130


def _paint(options: argparse.Namespace) -> int:
    recipe = effective_recipe(options)
    check_styles(recipe, len(options.styles))
    check_image_path(options.out)
    content, styles = load_picture(options.content), [load_picture(path) for path in options.styles]
    regions = _regions(options, recipe, content, styles)
    start = start_file(options)
    initial = None if start is None else load_image(start)
    save = _writer(recipe, content, options)
    observers = _observers(options, content, styles, save)
    network = _network(options, observers)
    with use_threads(options.threads):
        result = stylize(content.image, [style.image for style in styles], recipe, network=network,
                         initial=initial, regions=regions, observers=observers)  # fmt: skip
    written = _save(result, options.out, save)
    if not options.quiet:
        print(summary(result, written))
    if isinstance(result.error, KeyboardInterrupt):
        return 130
    return 0 if result.error is None else _fail(f"ended early: {_reason(result.error)}")


def _compare(options: argparse.Namespace) -> int:
    one_run = ("mask", "trace", "plot", "sheet", "save_every")  # what belongs to one picture; refused, not passed over
    given = [f"--{name.replace('_', '-')}" for name in one_run if getattr(options, name) is not None]
    given += [] if start_file(options) is None else ["--init FILE"]
    require(not given, "--compare", "no option of a single run", ", ".join(given), RecipeError)
    small = {} if options.sizes is None else {"size": options.sizes[-1]}
    small |= {} if options.evaluations is None else {"evaluations": sum(options.evaluations)}
    options.sizes = options.evaluations = None  # they say how small, not what the recipes are
    recipes = parse_variants(options.compare, lambda recipe: changed(recipe, options))
    check_image_path(options.out)
    pictures = [load_picture(path) for path in (options.content, *options.styles)]
    for path, picture in zip((options.content, *options.styles), pictures, strict=True):
        require(picture.opacity is None, f"--compare: {path}", "a picture without transparency", "one with it",
                ImageError)  # fmt: skip
    content, *styles = (picture.image for picture in pictures)
    observers: list[Observer] = [] if options.quiet else [Progress()]
    network = _network(options, observers)
    with use_threads(options.threads):
        runs = compare(content, styles, recipes, network=network, observers=observers, **small)
    made = sum(run.result is not None for run in runs)
    if made == 0 and runs[0].error is not None:
        return _fail(_reason(runs[0].error))
    save_image(compare_sheet(content, styles, runs), options.out)
    if not options.quiet:
        print(f"{options.out}: {made} of {len(recipes)} runs side by side")
    return 0 if len(runs) == len(recipes) else 130


def _check_out(options: argparse.Namespace) -> None:
    """Refuse to write over a picture that is read: with several styles, OUT is easily left out."""
    start = start_file(options)
    for path in [options.content, *options.styles, *(options.mask or []), *([] if start is None else [start])]:
        same = os.path.exists(path) and os.path.exists(options.out) and os.path.samefile(path, options.out)
        require(not same, f"{options.out}", "a file of its own for the result", "a picture that is read", FileError)
    if len(options.styles) > 1 and options.out.suffix.lower() in WRITERS and os.path.isfile(options.out):
        # The last of several paintings, where the result was to be named after it?
        require(read_text(options.out) is not None, f"{options.out}", "a new file, or a picture that minstyle made, "
                "after several styles", "another picture", FileError)  # fmt: skip


def summary(result: Result, path: Path) -> str:
    """The last lines: where the picture is, what it took, the loss from and to, by term."""
    height, width, _ = result.image.shape
    fall = 100 * (1 - result.loss / result.first_loss) if result.first_loss else 0.0
    word = "painted"
    if result.error is not None:
        word = "interrupted" if isinstance(result.error, KeyboardInterrupt) else "ended early"
    return (
        f"{summary_by_term(result)}\n"
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
