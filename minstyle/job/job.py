"""A job: from paths and options to a run and a saved picture. What all callers share, the command line among them.

    prepared = prepare(Job(Path("photo.jpg"), (Path("painting.jpg"),), Path("out.png"), RECIPES["fine"]))
    result = paint(prepared)

Nothing is printed here: notices are for the caller to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..engine.kernels import use_threads
from ..files import check_outputs
from ..images import Picture, check_image_path, picture_shape
from ..memory import tightest
from ..notices import Notice
from ..recipe.sizes import check_styles, shapes_of
from ..run.compiling import told_of_compiling
from ..run.estimate import Estimate, Estimator, check_room
from ..run.fitting import fitted
from ..run.observer import Observer
from ..run.pictures import check_start
from ..run.probe import LawsOf, measure
from ..run.result import Result
from ..run.state import RunState
from ..run.statefile import state_bytes
from ..run.stylize import stylize
from ..style.objective import Spread
from ..style.regions import Regions
from ..style.targets import StyleTargets, style_targets
from ..watch.bystander import Bystander
from ..watch.checkpoints import Checkpoints, generations
from ..watch.contact_sheet import Sheet
from ..watch.plot import Plot
from ..watch.snapshots import Save, Snapshots
from ..watch.trace import Trace
from .checkpoint import Checkpoint, Kept, planned_checkpoint
from .description import Job
from .inputs import Notify, check_forgotten_out, check_headers, read_initial, read_pictures, read_regions
from .machine import Networks, load_networks, weights_files
from .output import save_or_rescue, writer


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
    observers: tuple[Bystander, ...] = ()  # what the job asks for beside the picture
    notices: tuple[Notice, ...] = ()
    checkpoint: Checkpoint | None = None
    state: RunState = field(default_factory=RunState)


def prepare(
    job: Job,
    notify: Notify = lambda notice: None,
    *,
    quick: bool = True,
    kept: Kept | None = None,
    networks: Networks | None = None,
    laws_of: LawsOf = measure,
) -> Prepared:
    """Read and check all that the job needs, before any work. ``notify`` is told of notices as they come up.

    ``quick`` estimates what the job takes in a fiftieth of its time, roughly where that is little. ``kept`` is the
    checkpoint from which the job is to go on. ``networks`` are the job's, where they are loaded already;
    ``laws_of``: see ``Estimator``. Raises a MinstyleError that says what is wrong; ``check_memory`` is left to
    ``paint``.
    """
    notices: list[Notice] = []

    def noted(notice: Notice) -> None:
        notices.append(notice)
        notify(notice)

    _check_files(job, kept)
    check_forgotten_out(job.out, job.overwrite or (kept is not None and kept.job.out == job.out))
    check_styles(job.recipe, len(job.styles))
    check_start(job.recipe, job.initial)
    check_image_path(job.out)
    check_headers(job.content, job.styles, job.initial, job.recipe)
    check_image_path(job.out, shapes_of(picture_shape(job.content), job.recipe)[-1])
    content, styles = read_pictures(job.content, job.styles, job.recipe, noted)
    regions = None if job.masks is None else read_regions(job.masks, job.recipe, content, styles, noted)
    initial = None if job.initial is None else read_initial(job.initial, content, job.recipe)
    networks = load_networks(job.machine, [job.recipe]) if networks is None else networks
    state = RunState() if kept is None else kept.state
    estimator = _estimator(job, content, styles, regions, networks, quick, state_bytes(state), laws_of)
    with told_of_compiling(noted):
        recipe, estimate, said = fitted(estimator, job.recipe, tightest(job.memory), job.bands, shorter=kept is None)
    for notice in said:
        noted(notice)
    job = replace(job, recipe=recipe, bands=tuple(stage.bands for stage in estimate.stages))
    save = _writer(job, content)
    observers = _observers(job, content, styles, save)
    checkpoint = planned_checkpoint(job, networks, estimate.seconds, kept, noted)
    return Prepared(job, content, styles, networks, save, estimator, estimate, initial, regions,
                    tuple(map(Bystander, observers)), tuple(notices), checkpoint, state)  # fmt: skip


def _check_files(job: Job, kept: Kept | None) -> None:
    """Raise FileError where a file to write is one that is read; a checkpoint goes on in its own place."""
    own = () if job.checkpoints is False else generations(job.checkpoint_path)
    going_on = [] if kept is None else [path for path in generations(kept.path)[:2] if path not in own]
    check_outputs(job.files_written(), [*job.files_read(), *weights_files(job.machine, [job.recipe]), *going_on])


def check_memory(prepared: Prepared) -> None:
    """Raise ResourceError, with the largest size that fits, where the job takes more memory than there is."""
    check_room(prepared.estimator, prepared.estimate, tightest(prepared.job.memory), in_bands=True)


def _writer(job: Job, content: Picture, made_of: Mapping[str, str] | None = None) -> Save:
    return writer(job.recipe, content, depth=job.depth, dpi=job.dpi, quality=job.quality,
                  keep_metadata=job.keep_metadata, made_of=made_of)  # fmt: skip


def paint(
    prepared: Prepared,
    observers: Sequence[Observer] = (),
    last: Sequence[Observer] = (),
    targets_of: StyleTargets = style_targets,
    spread: Spread | None = None,
) -> Result:
    """Run the job, told to ``observers``, to those that it asks for, then to those in ``last``; save the picture.

    The checkpoint is removed once a picture that is done is saved. ``targets_of`` and ``spread``: see
    ``stylize``.

    A run that ended early is saved too: see ``Result.error``. What else the job asks for and could not be written ended
    nothing: see ``error`` of each of ``prepared.observers``. Raises a MinstyleError, MemoryError or KeyboardInterrupt
    where there is no picture, ResourceError, before it starts, where there is too little memory for it, FileError where
    it could not be saved at its place: it says where it was.
    """
    check_memory(prepared)
    job, networks, checkpoint = prepared.job, prepared.networks, prepared.checkpoint

    def tell(notice: Notice) -> None:
        for observer in observers:
            observer.notice(notice)

    checkpoints = [] if checkpoint is None else [Checkpoints(checkpoint.path, checkpoint.about, tell)]
    with use_threads(job.machine.threads):
        result = stylize(
            prepared.content,
            prepared.styles,
            job.recipe,
            network=networks.network,
            draft=networks.draft,
            initial=prepared.initial,
            regions=prepared.regions,
            observers=[*observers, *prepared.observers, *checkpoints, *last],
            estimate=prepared.estimate,
            state=prepared.state,
            bands=job.bands or 0,
            targets_of=targets_of,
            spread=spread,
        )
    save = prepared.save if result.error is not None else _writer(job, prepared.content, job.made_of)
    save_or_rescue(result.image, job.out, save)
    for written in checkpoints if result.error is None else []:
        written.remove()
    return result


def _estimator(
    job: Job,
    content: Picture,
    styles: Sequence[Picture],
    regions: Regions | None,
    networks: Networks,
    quick: bool,
    held: int,
    laws_of: LawsOf,
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
            held=held,
            laws_of=laws_of,
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
