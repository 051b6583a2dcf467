"""The command line: arguments in, lines and an exit code out. What it does is in ``job``."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import warnings
from collections.abc import Sequence

from ..errors import MinstyleError, RecipeError, require
from ..job.comparison import paint_comparison
from ..job.job import Prepared, check_memory, paint, prepare
from ..job.machine import Networks
from ..job.recipefile import recipe_of_picture
from ..job.variants import parse_variants
from ..notices import Notice
from ..run.observer import Observer, Plan
from ..watch.estimate_table import estimate_table, in_short
from ..watch.progress import Progress
from ..watch.summary import summary
from .interrupts import Interrupts, StopAtOnceError, code_of
from .options import ORIGINAL, build_parser, changed, effective_recipe, job_of, machine_of, start_file
from .resume import resumed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 after an error told in one line, 130 after an interrupt."""
    try:
        try:
            with warnings.catch_warnings():  # they are the whole process's, and this is its main thread
                warnings.filterwarnings("ignore", module=r"PIL\.")  # damage beside a picture is nothing for users
                return _run(arguments)
        finally:
            print(end="", flush=True)
    except BrokenPipeError:  # who read the output has seen enough, as head has: no error, and nothing more to say
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        return 0
    except OSError as error:
        if error.filename is not None:  # of a file
            return _fail(f"{error.filename}: {error.strerror or error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # of standard output; a picture is saved by then
        return _fail(f"cannot write to standard output: {error.strerror or error}")


def _run(arguments: Sequence[str] | None) -> int:
    parser = build_parser()
    words = sys.argv[1:] if arguments is None else arguments
    # Options may stand between the files, but after "--" all are files, which that way of parsing forgets.
    options = parser.parse_args(words) if "--" in words else parser.parse_intermixed_args(words)
    try:
        if options.show_recipe is not None:
            _say(recipe_of_picture(options.show_recipe).to_json())
            return 0
        if options.print_recipe:
            _say(effective_recipe(options).to_json())
            return 0
        if options.resume is not None:
            return _resume(options)
        if len(options.pictures) < 3:
            hint = "" if options.mask is None else "; --mask takes all files that follow it: put it after OUT"
            parser.error(f"expected CONTENT, STYLE and OUT, got {len(options.pictures)} of these files{hint}")
        options.content, *options.styles, options.out = options.pictures
        if options.compare is not None:
            return _compare(options)
        return _estimate(options) if options.estimate else _paint(options)
    except (MinstyleError, MemoryError) as error:
        return _fail(_reason(error))
    except KeyboardInterrupt as error:
        print("minstyle: interrupted before there was a picture", file=sys.stderr)
        return code_of(error)


def _paint(options: argparse.Namespace) -> int:
    return _painted(prepare(job_of(options), _tell), options)


def _resume(options: argparse.Namespace) -> int:
    require(options.compare is None, "--resume", "no --compare", options.compare, RecipeError)
    job, kept = resumed(options)
    if options.estimate:
        return _estimated(prepare(job, _tell, quick=False, kept=kept))
    return _painted(prepare(job, _tell, kept=kept), options)


def _painted(prepared: Prepared, options: argparse.Namespace) -> int:
    watching = _observers(options, prepared.networks, in_short(prepared.estimate))
    try:
        with Interrupts() as interrupts:
            result = paint(prepared, watching, [interrupts])
    except StopAtOnceError as error:
        print("minstyle: stopped at once", file=sys.stderr)
        _say_how_to_go_on(prepared)
        return code_of(error)
    if not options.quiet:
        _say(summary(result, prepared.job.out))
    if result.error is None:
        return 0
    _say_how_to_go_on(prepared)
    interrupted = isinstance(result.error, KeyboardInterrupt)
    return code_of(result.error) if interrupted else _fail(f"ended early: {_reason(result.error)}")


def _say_how_to_go_on(prepared: Prepared) -> None:
    checkpoint, job = prepared.checkpoint, prepared.job
    if checkpoint is not None and checkpoint.path.exists():
        name = job.out if job.checkpoint is None else checkpoint.path
        print(f"minstyle: to go on: minstyle --resume {shlex.quote(str(name))}", file=sys.stderr)


def _estimate(options: argparse.Namespace) -> int:
    return _estimated(prepare(job_of(options), _tell, quick=False))


def _estimated(prepared: Prepared) -> int:
    print(estimate_table(prepared.estimate))
    check_memory(prepared)
    return 0


def _tell(notice: Notice) -> None:
    print(f"minstyle: {notice.text}", file=sys.stderr)


def _compare(options: argparse.Namespace) -> int:
    one_run = ("mask", "trace", "plot", "sheet", "save_every")  # what belongs to one picture; refused, not passed over
    given = [f"--{name.replace('_', '-')}" for name in one_run if getattr(options, name) is not None]
    given += ["--estimate"] if options.estimate else []
    given += [] if options.checkpoint is None else ["--checkpoint"]
    given += [] if start_file(options) is None else ["--init FILE"]
    require(not given, "--compare", "no option of a single run", ", ".join(given), RecipeError)
    require(
        ORIGINAL not in (options.sizes or ()), "--size with --compare", "a number of pixels", "original", RecipeError
    )
    small = {} if options.sizes is None else {"size": options.sizes[-1]}
    small |= {} if options.evaluations is None else {"evaluations": sum(options.evaluations)}
    options.sizes = options.evaluations = None  # they say how small, not what the recipes are
    recipes = parse_variants(options.compare, lambda recipe: changed(recipe, options))
    runs = paint_comparison(options.content, options.styles, options.out, recipes, machine_of(options),
                            watch=lambda networks: _observers(options, networks), **small)  # fmt: skip
    made = sum(run.result is not None for run in runs)
    if made == 0 and runs[0].error is not None:
        return _fail(_reason(runs[0].error))
    if not options.quiet:
        _say(f"{options.out}: {made} of {len(recipes)} runs side by side")
    return 0 if len(runs) == len(recipes) else 130


def _observers(options: argparse.Namespace, networks: Networks, takes: str = "") -> list[Observer]:
    return [] if options.quiet else [_Announce(networks, takes), Progress()]


class _Announce(Observer):
    """Says what computes and what that takes, once the input has been found good."""

    def __init__(self, networks: Networks, takes: str) -> None:
        self._networks, self._takes = networks, takes

    def start(self, plan: Plan) -> None:
        for line in (self._networks.network.device.note, self._networks.description(plan.recipe), self._takes):
            if line:
                print(f"minstyle: {line}", file=sys.stderr)


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory for a picture of this size: try a smaller --size"
    return str(error) if isinstance(error, MinstyleError) else f"{type(error).__name__}: {error}"


def _say(text: str) -> None:
    """Print to standard output; letters that its encoding lacks as escapes, as Python does on standard error."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _fail(message: str) -> int:
    print(f"minstyle: error: {' '.join(message.split())}", file=sys.stderr)
    return 2
