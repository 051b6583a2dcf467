"""A job that is one of many: whatever becomes of it, the others go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import CheckpointError, MinstyleError
from ..front import reason
from ..notices import OLD_CHECKPOINT, Notice
from ..run.observer import Observer
from ..run.shared_laws import SharedLaws
from ..style.shared_targets import SharedTargets
from ..watch.checkpoints import generations
from .checkpoint import find_kept
from .description import Job
from .inputs import Notify
from .job import Prepared, paint, prepare
from .machine import Networks


@dataclass(frozen=True)
class Shared:
    """What jobs share that are painted in one process: their networks, and what was computed for one of them."""

    networks: Networks
    targets: SharedTargets = field(default_factory=SharedTargets)
    laws: SharedLaws = field(default_factory=SharedLaws)


def paint_one(
    job: Job,
    shared: Shared,
    observers: Sequence[Observer] = (),
    last: Sequence[Observer] = (),
    notify: Notify = lambda notice: None,
) -> str | None:
    """Paint a job, from its checkpoint where it has one. Returns None, or in a line why there is no whole picture.

    An interrupt is raised, once what there is has been saved.
    """
    try:
        result = paint(_prepared(job, shared, notify), observers, last, shared.targets)
    except (MinstyleError, OSError, MemoryError) as error:
        return " ".join(reason(error).split())
    except Exception as error:  # a mistake of ours: a night's work is not to end with it
        return f"a mistake in minstyle, please report it: {error!r}"
    if isinstance(result.error, KeyboardInterrupt):
        raise result.error
    return None if result.error is None else f"ended early: {' '.join(reason(result.error).split())}"


def _prepared(job: Job, shared: Shared, notify: Notify) -> Prepared:
    def tell(notice: Notice) -> None:
        if notice.kind != OLD_CHECKPOINT:  # what it is of is no longer asked for
            notify(notice)

    if any(path.exists() for path in generations(job.checkpoint_path)[:2]):
        kept = find_kept(job.out)
        going_on = job
        if kept.about.get("made_of") == job.made_of:  # as it was made to fit into the memory there was
            recipe = dataclasses.replace(job.recipe, history=kept.job.recipe.history)
            going_on = dataclasses.replace(job, recipe=recipe, bands=job.bands or kept.job.bands)
        try:
            return prepare(going_on, tell, kept=kept, networks=shared.networks, laws_of=shared.laws)
        except CheckpointError:
            pass  # it is of other pictures or another recipe: the job is begun anew
    return prepare(job, tell, networks=shared.networks, laws_of=shared.laws)
