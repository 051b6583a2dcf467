"""A job: from paths and options to a run and a saved picture. What all callers share, the command line among them.

    prepared = prepare(Job(Path("photo.jpg"), (Path("painting.jpg"),), Path("out.png"), RECIPES["fine"]))
    result = paint(prepared)

Nothing is printed here: notices are for the caller to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..engine.kernels import use_threads
from ..images import Picture, check_image_path, load_image
from ..memory import allowed, room
from ..notices import Notice
from ..recipe.recipe import Recipe
from ..recipe.sizes import check_styles
from ..run.estimate import Estimate, Estimator, check_room
from ..run.observer import Observer
from ..run.result import Result
from ..run.stylize import stylize
from ..style.regions import Regions
from ..watch.contact_sheet import Sheet
from ..watch.plot import Plot
from ..watch.snapshots import Save, Snapshots, snapshots_beside
from ..watch.trace import Trace
from .inputs import Notify, check_forgotten_out, check_headers, check_outputs, read_pictures, read_regions
from .machine import Machine, Networks, load_networks
from .output import save_or_rescue, writer


@dataclass(frozen=True)
class Job:
    """What to paint, from which files and where to, as data.

    ``masks`` are those of the content and of each style; ``initial`` starts the run in place of the recipe's start
    image. ``depth`` None is the content's bits a channel. ``save_every`` counts evaluations, 0 means after each round.
    ``memory`` is how many bytes the process may take at most, None what the machine and its limits leave.
    """

    content: Path
    styles: tuple[Path, ...]
    out: Path
    recipe: Recipe
    masks: tuple[Path, ...] | None = None
    initial: Path | None = None
    machine: Machine = field(default_factory=Machine)
    depth: int | None = None
    quality: int = 95
    keep_metadata: bool = False
    save_every: int | None = None
    trace: Path | None = None
    plot: Path | None = None
    sheet: Path | None = None
    memory: int | None = None

    def pictures_read(self) -> list[Path]:
        return [self.content, *self.styles, *(self.masks or ()), *([] if self.initial is None else [self.initial])]

    def files_written(self) -> list[Path]:
        """Known now: snapshots, whose names have numbers, are those that lie beside ``out`` already."""
        asked_for = [self.out, self.trace, self.plot, self.sheet]
        snapshots = [] if self.save_every is None else snapshots_beside(self.out)
        return [*(path for path in asked_for if path is not None), *snapshots]


@dataclass(frozen=True)
class Prepared:
    """A job whose input is read, whose output can be written, whose networks are loaded, whose cost is known."""

    job: Job
    content: Picture
    styles: tuple[Picture, ...]
    networks: Networks
    save: Save
    estimator: Estimator
    estimate: Estimate
    initial: Picture | None = None
    regions: Regions | None = None
    observers: tuple[Observer, ...] = ()
    notices: tuple[Notice, ...] = ()


def prepare(job: Job, notify: Notify = lambda notice: None, *, quick: bool = True) -> Prepared:
    """Read and check all that the job needs, before any work. ``notify`` is told of notices as they come up.

    ``quick`` estimates what the job takes in a fiftieth of its time, roughly where that is little. Raises a
    MinstyleError that says what is wrong; ``check_memory`` is left to ``paint``.
    """
    notices: list[Notice] = []

    def noted(notice: Notice) -> None:
        notices.append(notice)
        notify(notice)

    check_outputs(job.files_written(), job.pictures_read())
    check_forgotten_out(job.out, len(job.styles))
    check_styles(job.recipe, len(job.styles))
    check_image_path(job.out)
    check_headers(job.content, job.styles, job.initial, job.recipe)
    content, styles = read_pictures(job.content, job.styles, job.recipe, noted)
    regions = None if job.masks is None else read_regions(job.masks, job.recipe, content, styles, noted)
    initial = None if job.initial is None else Picture(load_image(job.initial))
    save = writer(job.recipe, content, depth=job.depth, quality=job.quality, keep_metadata=job.keep_metadata)
    observers = _observers(job, content, styles, save)
    networks = load_networks(job.machine, [job.recipe])
    estimator = _estimator(job, content, styles, regions, networks, quick)
    return Prepared(job, content, styles, networks, save, estimator, estimator.estimate(), initial, regions,
                    tuple(observers), tuple(notices))  # fmt: skip


def check_memory(prepared: Prepared) -> None:
    """Raise ResourceError, with the largest size that fits, where the job takes more memory than there is."""
    limits = [limit for limit in (room(), allowed(prepared.job.memory)) if limit is not None]
    check_room(prepared.estimator, prepared.estimate, min(limits, key=lambda limit: limit.bytes, default=None))


def paint(prepared: Prepared, observers: Sequence[Observer] = ()) -> Result:
    """Run the job, told to ``observers`` and to those that it asks for, and save the picture.

    A run that ended early is saved too: see ``Result.error``. Raises a MinstyleError, MemoryError or KeyboardInterrupt
    where there is no picture, ResourceError, before it starts, where there is too little memory for it, FileError where
    it could not be saved at its place: it says where it was.
    """
    check_memory(prepared)
    job, networks = prepared.job, prepared.networks
    with use_threads(job.machine.threads):
        result = stylize(
            prepared.content,
            prepared.styles,
            job.recipe,
            network=networks.network,
            draft=networks.draft,
            initial=prepared.initial,
            regions=prepared.regions,
            observers=[*observers, *prepared.observers],
            estimate=prepared.estimate,
        )
    save_or_rescue(result.image, job.out, prepared.save)
    return result


def _estimator(
    job: Job, content: Picture, styles: Sequence[Picture], regions: Regions | None, networks: Networks, quick: bool
) -> Estimator:
    seen_through = any(picture.opacity is not None for picture in (content, *styles))
    with use_threads(job.machine.threads):
        return Estimator(
            content.image.shape,
            [style.image.shape for style in styles],
            job.recipe,
            networks.network,
            networks.draft,
            regions=int(seen_through) if regions is None else len(regions.names),
            quick=quick,
        )


def _observers(job: Job, content: Picture, styles: Sequence[Picture], save: Save) -> list[Observer]:
    observers: list[Observer] = []
    if job.trace is not None:
        observers.append(Trace(job.trace))
    if job.plot is not None:
        observers.append(Plot(job.plot))
    if job.sheet is not None:
        observers.append(Sheet(job.sheet, content.image, [style.image for style in styles]))
    if job.save_every is not None:
        observers.append(Snapshots(job.out, job.save_every or None, save))
    return observers
