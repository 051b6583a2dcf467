"""``--workers`` and ``--cluster`` for one picture."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from ..errors import MinstyleError
from ..front import tell
from ..job.job import Prepared
from ..style.objective import Spread


@contextlib.contextmanager
def spread_of(options: argparse.Namespace, prepared: Prepared) -> Iterator[Spread | None]:
    """Who evaluates the parts of the picture; None: this process alone. Raises MinstyleError."""
    if options.workers is None and options.cluster is None:
        yield None
        return
    try:
        from ..cluster.one_picture import spread_over  # here: without the extra there is a single process
    except ImportError as error:
        name = error.name or "a library"
        raise MinstyleError(f"--workers and --cluster need {name}: pip install 'minstyle[cluster]'") from error
    job = prepared.job
    with spread_over(options.workers, options.cluster, job.machine, prepared.networks, job.recipe) as spread:
        if not options.quiet:
            tell(f"minstyle: parts of the picture are painted by {spread.count} workers")
        yield spread
