"""What a worker does: it paints a job at a time in each of its slots, with the networks and targets that it has."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from ..engine.kernels.cpu.threads import thread_count
from ..errors import WeightsError
from ..job.description import Job
from ..job.machine import Machine, Networks
from ..job.one_of_many import Shared, paint_one
from ..run.observer import Observer, Step
from ..watch.checkpoints import generations
from ..weights.checksums import digest
from ..weights.locate import find_weights, load_network
from .connection import host_of
from .store import Access

DONE, FAILED, STOPPED = "done", "failed", "stopped"


@dataclass(frozen=True)
class Order:
    """A job as it is sent. ``files``, by what they are to the picture, are SHA-256 of what the store has of it.

    None: the job's own paths are good. ``key`` is the picture's in the store.
    """

    job: Job
    key: str
    files: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Weights:
    """The networks of all jobs: by "network" and "draft" a name or path, and the SHA-256 of the file."""

    machine: Machine
    files: Mapping[str, tuple[str, str]]


class Easel(WorkerPlugin):
    """What a worker keeps from picture to picture; it is set up on workers that come later, or come again, too."""

    def __init__(self, run: str, weights: Weights, pictures_at: Mapping[str, int]) -> None:
        """``pictures_at`` says how many pictures are painted at once on each host."""
        self.name, self._weights, self._pictures_at = f"minstyle-{run}", weights, dict(pictures_at)

    def setup(self, worker: Worker) -> None:
        self.stopped = False
        self.access = Access(worker)
        self.folder = Path(tempfile.mkdtemp(prefix="minstyle-", dir=worker.local_directory))
        self._lock = threading.Lock()
        self._shared: Shared | None = None
        host = host_of(worker.address)
        self.threads = max(1, thread_count() // max(1, self._pictures_at.get(host, worker.state.nthreads)))

    def teardown(self, worker: Worker) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def shared(self) -> Shared:
        """The networks, loaded by the first who asks, and what goes with them. Raises WeightsError, DeviceError."""
        with self._lock:
            if self._shared is None:
                self._shared = Shared(self._loaded())
            return self._shared

    def _loaded(self) -> Networks:
        machine, paths = self._weights.machine, {}
        for role, (name, sum_of) in self._weights.files.items():
            paths[role] = local_weights(name, sum_of) or self.fetched(sum_of, ".h5")
        network = load_network(str(paths["network"]), device=machine.device, dtype=machine.dtype,
                               precision=machine.precision)  # fmt: skip
        draft = paths.get("draft")
        other = None if draft is None else load_network(str(draft), device=network.device.name, dtype=network.dtype,
                                                        precision=network.precision)  # fmt: skip
        return Networks(network, paths["network"], other, draft)

    def fetched(self, key: str, suffix: str) -> Path:
        """The file of that SHA-256 from the store, once. Raises WeightsError where the store has it no more."""
        path = self.folder / f"{key}{suffix}"
        if not path.exists():
            data = self.access.get(key)
            if data is None:
                raise WeightsError(f"the scheduler has lost {key[:16]}{suffix}: give the command again")
            new = path.with_name(f"{path.name}.{threading.get_ident()}")
            new.write_bytes(data)
            new.replace(path)
        return path


def local_weights(name: str, sum_of: str) -> Path | None:
    """The weights file of that name or path that this machine has, if it is the same as the client's."""
    try:
        path = find_weights(name)
        return path if digest(path) == sum_of else None
    except WeightsError:
        return None


class _Stop(Observer):
    def __init__(self, easel: Easel) -> None:
        self._easel = easel

    def step(self, step: Step) -> None:
        if self._easel.stopped:
            raise KeyboardInterrupt


class _Sent(Observer):
    """Sends each checkpoint to the store as soon as it is written: the worker may be gone when it is wanted."""

    def __init__(self, access: Access, key: str, path: Path) -> None:
        self._access, self._key, self._path, self._known = access, key, path, 0

    def step(self, step: Step) -> None:
        self._look()

    def close(self, error: BaseException | None = None) -> None:
        self._look()

    def _look(self) -> None:
        written = os.stat(self._path).st_mtime_ns if self._path.exists() else 0
        if written > self._known:
            self._access.put(self._key, self._path.read_bytes())
            self._known = written


def paint_order(run: str, order: Order) -> tuple[str, str | None]:
    """Paint it; returns how that ended, and for FAILED the reason. What is to be tried again is raised."""
    easel: Any = get_worker().plugins[f"minstyle-{run}"]
    if easel.stopped:
        return STOPPED, None
    machine = order.job.machine
    threads = easel.threads if machine.threads is None else machine.threads
    job = dataclasses.replace(order.job, machine=dataclasses.replace(machine, threads=threads))
    try:
        failure = _paint_here(easel, job) if order.files is None else _paint_by_store(easel, job, order)
    except KeyboardInterrupt:
        return STOPPED, None
    except WeightsError as error:
        return FAILED, str(error)
    return (DONE, None) if failure is None else (FAILED, failure)


def _paint_here(easel: Easel, job: Job) -> str | None:
    return paint_one(job, easel.shared(), last=[_Stop(easel)])


def _paint_by_store(easel: Easel, job: Job, order: Order) -> str | None:
    """With files from the store, and to it: the picture under the order's key, its checkpoints beside that."""
    assert order.files is not None
    kept, place = checkpoint_key(order.key), easel.folder / order.key
    place.mkdir(exist_ok=True)
    own, names = _with_files_here(easel, job, order.files, place)
    checkpoint = own.checkpoint_path
    before = easel.access.get(kept)
    if before is not None and not checkpoint.exists():
        checkpoint.write_bytes(before)
    failure = paint_one(own, easel.shared(),
                        last=[_Stop(easel), _Sent(easel.access, kept, checkpoint)])  # fmt: skip
    for here, name in names.items():
        failure = failure and failure.replace(here, name)
    if failure is None:
        easel.access.put(order.key, own.out.read_bytes())
        easel.access.remove(kept)
    for path in (own.out, *generations(checkpoint)):
        path.unlink(missing_ok=True)
    return failure


def checkpoint_key(key: str) -> str:
    """The key in the store of the checkpoint of a picture."""
    return f"{key}-c"


def _with_files_here(easel: Easel, job: Job, files: Mapping[str, str], place: Path) -> tuple[Job, dict[str, str]]:
    """The job with files on this machine in the place of the client's; and what messages call them there."""
    names = {str(place / job.out.name): str(job.out)}

    def here(role: str, path: Path) -> Path:
        found = easel.fetched(files[role], path.suffix)
        names[str(found)] = str(path)
        return found

    own = dataclasses.replace(
        job,
        content=here("content", job.content),
        styles=tuple(here(f"style {number}", path) for number, path in enumerate(job.styles, start=1)),
        masks=job.masks and tuple(here(f"mask {number}", path) for number, path in enumerate(job.masks, start=1)),
        initial=job.initial and here("initial", job.initial),
        out=place / job.out.name,
        also_read=(),
    )
    return own, names
