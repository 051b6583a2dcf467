"""What a checkpoint says of its job: enough to go on with nothing else given, and to refuse another job."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backend import PRECISIONS
from ..errors import CheckpointError, FileError, MinstyleError, require
from ..files import check_writable
from ..images import WRITERS, read_text
from ..notices import NO_CHECKPOINT, OLD_CHECKPOINT, Notice
from ..recipe.recipe import Recipe
from ..recipe.terms import Term
from ..run.state import RunState
from ..run.statefile import read_state
from ..version import __version__
from ..watch.checkpoints import checkpoint_of, generations
from ..weights.checksums import digest
from .description import Job
from .inputs import Notify
from .machine import Machine, Networks

_LONG = 60.0  # seconds: runs that take longer have checkpoints by themselves


@dataclass(frozen=True)
class Checkpoint:
    """Where a run's checkpoints are written, and what they say of the run."""

    path: Path
    about: dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """A checkpoint that was read: the state of its run, and the job, which writes to ``out``."""

    path: Path
    state: RunState
    about: dict[str, Any]
    job: Job


def planned_checkpoint(
    job: Job, networks: Networks, seconds: float, kept: Kept | None, notify: Notify
) -> Checkpoint | None:
    """The checkpoint of a job that is estimated at so many ``seconds``, if it is to have one.

    Raises FileError where it cannot be written, CheckpointError where a file that is no checkpoint lies in its place,
    or ``kept`` is the checkpoint of another job.
    """
    wanted = job.checkpoint is not None or kept is not None or seconds > _LONG
    if job.checkpoints is False or not (job.checkpoints or wanted):
        if kept is not None:
            check_same(kept, about_job(job, networks))
        return None
    path, about = job.checkpoint_path, about_job(job, networks)
    if kept is not None:
        check_same(kept, about)
    try:
        check_writable(path)
    except FileError as error:
        if kept is not None or job.checkpoint is not None:
            raise
        notify(Notice(NO_CHECKPOINT, f"{error}; the run has no checkpoints"))
        return None
    if kept is not None and kept.path in generations(path):
        if kept.path != path:  # the newer one is damaged, or was not there yet
            os.replace(kept.path, path)
    else:
        _check_places(path)
        if kept is None and os.path.lexists(path):
            going_on = f"minstyle --resume {job.out if job.checkpoint is None else path}"
            notify(Notice(OLD_CHECKPOINT, f"{path} belongs to an interrupted run: {going_on} continues it; this run "
                          "will overwrite it"))  # fmt: skip
    return Checkpoint(path, about)


def _check_places(path: Path) -> None:
    """Raise CheckpointError where a file lies that no run has left: all generations are written, and removed."""
    *whole, begun = generations(path)
    for place in whole:
        good = not os.path.lexists(place) or _is_checkpoint(place)
        require(good, f"checkpoint {place}", "a new file, or a checkpoint", "another file", CheckpointError)
    good = not os.path.lexists(begun) or (begun.is_file() and _begins_as_checkpoint(begun))
    require(good, f"checkpoint {begun}", "a new file, or a part of a checkpoint", "another file", CheckpointError)


def has_written(checkpoint: Checkpoint) -> bool:
    """Whether the file at its place is of this very job: an interrupted run's, of before, may lie there too."""
    try:
        _, about = read_state(checkpoint.path)
    except CheckpointError:
        return False
    same = json.loads(json.dumps(checkpoint.about))
    return all(about.get(name) == same[name] for name in ("recipe", "sha256", "dtype", "precision"))


def files_of(job: Job, networks: Networks) -> dict[str, Path]:
    """The files that the picture is made of, by what they are to it."""
    paths = {"content": job.content, **_numbered("style", job.styles), **_numbered("mask", job.masks or ())}
    paths |= {} if job.initial is None else {"initial": job.initial}
    draft = {} if networks.draft_path is None else {"draft": networks.draft_path}
    return {**paths, "network": networks.path, **draft}


def about_job(job: Job, networks: Networks) -> dict[str, Any]:
    """What a checkpoint says of its job, as JSON. Raises WeightsError for a file that cannot be read."""
    files, machine = files_of(job, networks), job.machine
    return {
        "minstyle": __version__,
        "recipe": json.loads(job.recipe.to_json()),
        "sha256": {name: digest(path) for name, path in files.items()},
        "paths": {name: str(path.absolute()) for name, path in files.items() if name != "draft"},
        "out": str(job.out.absolute()),
        "dtype": machine.dtype,
        "precision": machine.precision,
        "device": machine.device,
        "threads": machine.threads,
        "depth": job.depth,
        "dpi": job.dpi,
        "quality": job.quality,
        "keep_metadata": job.keep_metadata,
        "save_every": job.save_every,
        "bands": job.bands,
        "made_of": None if job.made_of is None else dict(job.made_of),
    }


def _numbered(name: str, paths: tuple[Path, ...]) -> dict[str, Path]:
    return {f"{name} {number}": path for number, path in enumerate(paths, start=1)}


def check_same(kept: Kept, about: dict[str, Any]) -> None:
    """Raise CheckpointError, which names what differs, unless the job that is to go on is the checkpoint's."""

    def refuse(expected: str, actual: object) -> None:
        require(False, f"{kept.path}", f"{expected}, as when the run was started", actual, CheckpointError)

    before, now = kept.job.recipe, Recipe.from_json(json.dumps(about["recipe"]))
    for field in (field for field in dataclasses.fields(Recipe) if field.compare):
        old, new = getattr(before, field.name), getattr(now, field.name)
        if field.name == "terms":
            old, new = (tuple(term for term in a if term not in b) for a, b in ((old, new), (new, old)))
        if old != new:
            refuse(f"a recipe with {field.name} {_shown(old)}", _shown(new))
    sums, given = kept.about["sha256"], about["sha256"]
    for name in [*sums, *(name for name in given if name not in sums)]:
        if sums.get(name) != given.get(name):
            what = "weights" if name in ("network", "draft") else "the picture"
            path = about["paths"].get(name) or kept.about["paths"].get(name) or name
            refuse(f"{what} {name} with SHA-256 {str(sums.get(name, 'of no file'))[:16]}",
                   f"{path} with {str(given.get(name, 'none'))[:16]}")  # fmt: skip
    if kept.about["dtype"] != about["dtype"]:
        refuse(f"dtype {kept.about['dtype']}", about["dtype"])
    if kept.about.get("precision") != about["precision"]:
        refuse(f"precision {kept.about.get('precision')}", about["precision"])


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        parts = (f"{a.kind} {a.layer} {a.weight:g}" if isinstance(a, Term) else str(a) for a in value)
        return ", ".join(parts)[:300] or "none"
    return str(value)


def find_kept(path: Path, *, overwrite: bool = False) -> Kept:
    """The checkpoint at ``path``, or of the picture at ``path``; of two generations the newer that is whole.

    ``overwrite``: what a checkpoint elsewhere names as its picture may be any file.

    Raises CheckpointError.
    """
    beside = checkpoint_of(path)
    of_picture = any(file.exists() for file in generations(beside)[:2])
    is_picture = path.suffix.lower() in WRITERS
    if not of_picture and is_picture:
        if not path.exists():
            raise CheckpointError(f"{path} not found, nor its checkpoint {beside}: nothing to resume")
        raise CheckpointError(f"{path}: nothing to resume: there is no checkpoint {beside} (the picture is finished, "
                              "or its run took less than a minute)")  # fmt: skip
    file = beside if of_picture else path
    state, about, file = _newest(file)
    try:
        job = _job(about, path if of_picture else None)
    except MinstyleError as error:
        raise CheckpointError(f"{file}: {' '.join(str(error).split())}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{file}: does not say enough of its job to continue it ({error!r})") from error
    if not of_picture and not overwrite:
        _check_out(file, job.out)
    return Kept(file, state, about, dataclasses.replace(job, checkpoint=None if of_picture else path))


def _newest(path: Path) -> tuple[RunState, dict[str, Any], Path]:
    latest, older, _ = generations(path)
    try:
        return *read_state(latest), latest
    except CheckpointError:
        if not older.exists():
            raise
        return *read_state(older), older


def _check_out(file: Path, out: Path) -> None:
    """A checkpoint from somewhere must not be able to name any file to be written over."""
    if os.path.lexists(out):
        try:
            good = read_text(out) is not None
        except MinstyleError:
            good = False
        require(good, f"{file}: {out}", "a new file, or a picture that minstyle made (--overwrite replaces any)",
                "another file", CheckpointError)  # fmt: skip


def _job(about: dict[str, Any], out: Path | None) -> Job:
    """The job that a checkpoint speaks of; what it says is checked."""

    def get(name: str, kind: type | tuple[type, ...], among: tuple[Any, ...] = ()) -> Any:
        value = about[name]
        good = type(value) in (kind if isinstance(kind, tuple) else (kind,)) and (not among or value in among)
        require(good, name, among or kind, repr(value)[:60], CheckpointError)
        return value

    paths, sums = get("paths", dict), get("sha256", dict)
    for name, text in [*paths.items(), *sums.items()]:
        good = isinstance(text, str) and 0 < len(text) < 5000 and "\0" not in text
        require(good, name, "a text", repr(text)[:60], CheckpointError)

    def several(name: str) -> tuple[Path, ...]:
        numbers = itertools.takewhile(lambda number: f"{name} {number}" in paths, itertools.count(1))
        return tuple(Path(paths[f"{name} {number}"]) for number in numbers)

    threads, every = get("threads", (int, type(None))), get("save_every", (int, type(None)))
    for name, value in (("threads", threads or 1), ("save_every", 1 + (every or 0)), ("quality", get("quality", int))):
        require(0 < value < 10**9, name, "a whole number", value, CheckpointError)
    network, device = paths["network"], get("device", str, ("auto", "cpu", "gpu"))
    precision = get("precision", (str, type(None)), (None, *PRECISIONS)) if "precision" in about else None  # of before
    return Job(
        content=Path(paths["content"]),
        styles=several("style"),
        out=Path(get("out", str)) if out is None else out,
        recipe=Recipe.from_json(json.dumps(get("recipe", dict))),
        masks=several("mask") or None,
        initial=Path(paths["initial"]) if "initial" in paths else None,
        machine=Machine(network, None, device, threads, get("dtype", str, ("float32", "float64")), precision),
        depth=get("depth", (int, type(None)), (None, 8, 16)),
        dpi=_dpi(about),
        quality=min(about["quality"], 100),
        keep_metadata=get("keep_metadata", bool),
        save_every=every,
        bands=_bands(about),
    )


def _dpi(about: dict[str, Any]) -> int | None:
    """Dots an inch; checkpoints of before say nothing of them."""
    dpi = about.get("dpi")
    good = dpi is None or (type(dpi) is int and 0 < dpi < 10_000)
    require(good, "dpi", "dots an inch", repr(dpi)[:60], CheckpointError)
    return dpi


def _bands(about: dict[str, Any]) -> tuple[int, ...] | None:
    """Into how many bands each stage is cut, None where none is; checkpoints of before say nothing of it."""
    bands = about.get("bands") or []
    good = isinstance(bands, list) and all(type(n) is int and 0 <= n < 10**9 for n in bands)
    require(good, "bands", "whole numbers", repr(bands)[:60], CheckpointError)
    return tuple(bands) if any(bands) else None


def _begins_as_checkpoint(path: Path) -> bool:
    """Whether it may be a checkpoint whose writing was ended."""
    with open(path, "rb") as file:
        return file.read(4) in (b"", b"PK\3\4")


def _is_checkpoint(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "text.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return False
