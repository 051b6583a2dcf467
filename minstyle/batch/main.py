"""``minstyle batch``: many pictures by one command, which can be ended and given again."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from ..arguments import OneLineParser
from ..errors import MinstyleError, RecipeError, require
from ..front import fail, say, tell
from ..job.machine import Networks, load_networks
from ..watch.interrupts import Interrupts
from ..watch.many import ManyPictures
from .options import build_parser
from .painting import paint_here
from .pictures import pictures_of
from .plan import Task, check_places, jobs_of, ordered
from .rows import Row, rows_of, rows_of_table
from .sheet import others_in, save_sheet


def command(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, 2 where a picture could not be painted, 128 + a signal's number.

    Raises MinstyleError for what is refused before the first picture.
    """
    with Interrupts() as interrupts, warnings.catch_warnings():  # these are the whole process's: it is ours here
        warnings.filterwarnings("ignore", module=r"PIL\.")  # damage beside a picture is nothing for users
        return _run(sys.argv[2:] if arguments is None else arguments, interrupts)


def _run(words: Sequence[str], interrupts: Interrupts) -> int:
    parser = build_parser()
    options = parser.parse_args(words) if "--" in words else parser.parse_intermixed_args(words)
    rows = _rows(parser, options)
    folder = Path(options.out)
    sheet = options.sheet or folder / "contact_sheet.jpg"
    tasks = jobs_of(rows, options, folder)
    jobs = [task.job for task in tasks]
    check_places(jobs, folder, sheet)
    networks = load_networks(jobs[0].machine, [job.recipe for job in jobs])
    tasks = ordered(tasks, networks)
    failures = {task.job.out: task.failure for task in tasks if task.failure is not None}
    wanted = [task for task in tasks if not (task.done or task.failure)]
    found = _painted(wanted, networks, options, interrupts) if wanted else {}
    failures |= {wanted[number].job.out: why for number, why in found.items() if why is not None}
    missing = len(wanted) - len(found)  # an interrupt came before them
    if not missing and len(failures) < len(jobs):
        outs = [job.out for job in jobs]
        save_sheet([*outs, *others_in(folder, [*outs, sheet])], failures, sheet)
    if not options.quiet:
        painted, before = sum(why is None for why in found.values()), sum(task.done for task in tasks)
        counts = [
            f"{painted} of {len(jobs)} pictures painted",
            f"{before} {'was' if before == 1 else 'were'} done already",
            f"{len(failures)} failed",
        ]
        say(f"{folder}: " + ", ".join(text for text in counts if not text.startswith("0 ") or text is counts[0]))
    for out, why in failures.items():
        tell(f"minstyle: {out.name}: {why}")
    if missing:
        tell(f"minstyle: {missing} of {len(jobs)} pictures are still to be painted: the same command goes on")
    failed = fail("minstyle", f"{len(failures)} of {len(jobs)} pictures could not be painted") if failures else 0
    return interrupts.code or failed


def _painted(
    wanted: Sequence[Task], networks: Networks, options: argparse.Namespace, interrupts: Interrupts
) -> dict[int, str | None]:
    bar = ManyPictures([task.cost for task in wanted], options.quiet)
    try:
        if options.workers is None and options.cluster is None:
            return paint_here(wanted, networks, bar, interrupts)
        try:
            from ..cluster.painting import Where, paint_there  # here: without the extra there is a single process
        except ImportError as error:
            name = error.name or "a library"
            raise MinstyleError(f"--workers and --cluster need {name}: pip install 'minstyle[cluster]'") from error
        where = Where(options.workers, options.cluster, options.results == "scheduler")
        return paint_there(where, [task.job for task in wanted], networks, bar, interrupts)
    finally:
        bar.close()


def _rows(parser: OneLineParser, options: argparse.Namespace) -> list[Row]:
    needed = {"CONTENT": options.contents, "--style": options.styles} if options.table is None else {}
    missing = [name for name, given in {**needed, "--out": options.out}.items() if not given]
    if missing:
        expected = "CONTENT, --style STYLE and --out DIR" if needed else "--table FILE and --out DIR"
        parser.error(f"{', '.join(missing)} {'are' if missing[1:] else 'is'} missing: expected {expected}")
    if options.table is not None:
        given = [*options.contents, *options.styles, *(["--zip"] if options.one_by_one else [])]
        require(not given, "--table", "no CONTENT, --style or --zip beside it", ", ".join(given), RecipeError)
        return rows_of_table(options.table)
    return rows_of(pictures_of(options.contents), pictures_of(options.styles), options.one_by_one)
