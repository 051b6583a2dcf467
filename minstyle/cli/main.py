"""The command line: arguments in, lines and an exit code out. What it does is in ``job``."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from ..errors import RecipeError, require
from ..files import temporary_folder
from ..front import OutputError, fail, reason, run, say, tell
from ..images import read_text
from ..job.checkpoint import has_written
from ..job.comparison import paint_comparison
from ..job.job import Prepared, check_memory, paint, prepare
from ..job.machine import Networks
from ..job.options import machine_of, recipe_list, start_file
from ..job.recipefile import recipe_of_picture
from ..job.values import ORIGINAL
from ..job.variants import parse_variants, variant_files
from ..notices import Notice
from ..recipe.stored import MADE_OF
from ..recipe.terms import UnknownLossError
from ..run.observer import Observer, Plan
from ..signals import StopAtOnceError, code_of
from ..watch.bystander import Bystander
from ..watch.estimate_table import estimate_table, in_short
from ..watch.interrupts import Interrupts
from ..watch.progress import Progress
from ..watch.summary import summary
from .help import BRIEF
from .parser import asked_recipe, build_parser, changed_recipe, check_pictures, job_of
from .resume import resumed
from .spread import spread_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 after an error told in one line, 128 + a signal's number."""
    return run("minstyle", lambda: command(arguments))


def command(arguments: Sequence[str] | None = None) -> int:
    """``main`` for who calls it by ``front.run``: returns the exit code, raises what that tells of."""
    with Interrupts() as interrupts, warnings.catch_warnings():  # these are the whole process's: it is ours here
        warnings.filterwarnings("ignore", module=r"PIL\.")  # damage beside a picture is nothing for users
        return _run(arguments, interrupts)


def _run(arguments: Sequence[str] | None, interrupts: Interrupts) -> int:
    parser = build_parser()
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        tell(*BRIEF.split("\n"))
        return 2
    # Options may stand between the files, but after "--" all are files, which that way of parsing forgets.
    options = parser.parse_args(words) if "--" in words else parser.parse_intermixed_args(words)
    try:
        if options.show_recipe is not None:
            return _show_recipe(options.show_recipe)
        if options.list_recipes:
            say(*recipe_list())
            return 0
        if options.print_recipe:
            _say_recipe(asked_recipe(options).to_json())
            return 0
        if options.resume is not None:
            return _resume(options, interrupts)
        with temporary_folder() if options.estimate else contextlib.nullcontext() as folder:
            if folder is not None and len(options.pictures) == 2:  # no picture is painted: OUT need not be named
                options.pictures.append(folder / "out.png")
            check_pictures(parser, options)
            options.content, *options.styles, options.out = options.pictures
            if options.compare is not None:
                return _compare(options, interrupts)
            return _estimate(options) if options.estimate else _paint(options, interrupts)
    except KeyboardInterrupt as error:
        tell("minstyle: interrupted before there was a picture")
        return code_of(error)


def _paint(options: argparse.Namespace, interrupts: Interrupts) -> int:
    return _painted(prepare(job_of(options), _tell), options, interrupts)


def _resume(options: argparse.Namespace, interrupts: Interrupts) -> int:
    require(options.compare is None, "--resume", "no --compare", options.compare, RecipeError)
    job, kept = resumed(options)
    if options.estimate:
        return _estimated(prepare(job, _tell, quick=False, kept=kept))
    return _painted(prepare(job, _tell, kept=kept), options, interrupts)


def _painted(prepared: Prepared, options: argparse.Namespace, interrupts: Interrupts) -> int:
    bands = prepared.estimate.stages[-1].bands
    watching = _observers(options, prepared.networks, in_short(prepared.estimate), bands)
    try:
        with spread_of(options, prepared) as spread:
            result = paint(prepared, watching, [interrupts], spread=spread)
    except StopAtOnceError as error:
        tell("minstyle: stopped at once")
        _say_how_to_go_on(prepared)
        return code_of(error)
    if not options.quiet:
        lines = summary(result, prepared.job.out)
        _say_of_picture(*(lines if options.verbose else lines[-1:]))
    failed = [fail("minstyle", reason(watcher.error)) for watcher in prepared.observers if watcher.error is not None]
    if result.error is None:
        return interrupts.code or max(failed, default=0)
    _say_how_to_go_on(prepared)
    interrupted = isinstance(result.error, KeyboardInterrupt)
    return code_of(result.error) if interrupted else fail("minstyle", f"ended early: {reason(result.error)}")


def _say_how_to_go_on(prepared: Prepared) -> None:
    checkpoint, job = prepared.checkpoint, prepared.job
    if checkpoint is not None and has_written(checkpoint):
        name = job.out if job.checkpoint is None else checkpoint.path
        tell(f"minstyle: to continue: minstyle --resume {shlex.quote(str(name))}", whole=True)


def _estimate(options: argparse.Namespace) -> int:
    return _estimated(prepare(job_of(options), _tell, quick=False))


def _estimated(prepared: Prepared) -> int:
    say(*estimate_table(prepared.estimate).split("\n"))
    check_memory(prepared)
    return 0


def _tell(notice: Notice) -> None:
    tell(f"minstyle: {notice.text}")


def _compare(options: argparse.Namespace, interrupts: Interrupts) -> int:
    # What belongs to one picture: refused, not passed over.
    one_run = ("mask", "print", "trace", "plot", "sheet", "save_every", "workers", "cluster", "bands")
    given = [f"--{name.replace('_', '-')}" for name in one_run if getattr(options, name) is not None]
    given += ["--estimate"] if options.estimate else []
    given += ["--depth"] if options.depth != "auto" else []
    given += ["--keep-metadata"] if options.keep_metadata else []
    given += [] if options.checkpoint is None else ["--checkpoint"]
    given += [] if start_file(options) is None else ["--init FILE"]
    require(not given, "--compare", "no option of a single run", ", ".join(given), RecipeError)
    require(
        ORIGINAL not in (options.sizes or ()), "--size with --compare", "a number of pixels", "original", RecipeError
    )
    small = {} if options.sizes is None else {"size": options.sizes[-1]}
    small |= {} if options.evaluations is None else {"evaluations": sum(options.evaluations)}
    options.sizes = options.evaluations = None  # they say how small, not what the recipes are
    recipes = parse_variants(options.compare, lambda recipe: changed_recipe(recipe, options))
    runs = paint_comparison(options.content, options.styles, options.out, recipes, machine_of(options),
                            watch=lambda networks: [*_observers(options, networks), interrupts],
                            also_read=variant_files(options.compare), memory=options.memory,
                            overwrite=options.overwrite, **small)  # fmt: skip
    made = sum(run.result is not None for run in runs)
    if made == 0 and runs[0].error is not None:
        return fail("minstyle", reason(runs[0].error))
    if not options.quiet:
        _say_of_picture(f"{options.out}: {made} of {len(recipes)} runs side by side")
    return interrupts.code


def _observers(options: argparse.Namespace, networks: Networks, takes: str = "", bands: int = 0) -> list[Observer]:
    return [] if options.quiet else [Bystander(_Announce(options, networks, takes, bands)), Bystander(Progress())]


class _Announce(Observer):
    """Says, once the input has been found good, which file is the photograph and which are styles.

    A pattern of photographs in CONTENT's place makes styles of all but the first. And what computes, and what that
    takes, as far as that was asked for.
    """

    def __init__(self, options: argparse.Namespace, networks: Networks, takes: str, bands: int) -> None:
        self._options, self._networks, self._takes, self._bands = options, networks, takes, bands

    def start(self, plan: Plan) -> None:
        verbose, styles, note = self._options.verbose, self._options.styles, self._networks.network.device.note
        how = "by regions in" if self._options.mask else "in a mixture of"
        named = f"in the style of {styles[0]}"
        if len(styles) > 1:
            named = f"{how} {len(styles)} styles: {', '.join(map(str, styles))}"
        begin = "continuing: " if plan.history else ""
        lines = [f"{begin}{self._options.content} {named}"]
        lines += [f"the last size is painted in {self._bands} bands of rows"] if self._bands else []
        lines += [note] if note and (verbose or self._options.device == "gpu") else []
        lines += [self._networks.description(plan.recipe), self._takes] if verbose else []
        for line in filter(None, lines):
            tell(f"minstyle: {line}")


def _show_recipe(path: Path) -> int:
    """Print the recipe of a picture, even where it has a loss that nobody knows here."""
    try:
        _say_recipe(recipe_of_picture(path).to_json())
    except UnknownLossError as error:
        told = json.loads(read_text(path) or "")
        told.pop(MADE_OF, None)
        _say_recipe(json.dumps(told, indent=2))
        tell(f"minstyle: {error}")
    return 0


def _say_recipe(text: str) -> None:
    say(*text.split("\n"), whole=True)  # for programs too


def _say_of_picture(*lines: str) -> None:
    """Say what became of a picture, which is saved: that it cannot be said is no error of the run."""
    try:
        say(*lines)
    except OutputError as error:
        if not error.seen_enough:
            tell(f"minstyle: {error}")
