"""Many jobs on the workers of a cluster: each is a task of Dask's, which other workers take over if one dies."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distributed import KilledWorker

from ..files import replacing
from ..job.checkpoint import files_of
from ..job.description import Job
from ..job.machine import Networks
from ..memory import tightest
from ..recipe.stored import stored
from ..watch.checkpoints import generations
from ..watch.interrupts import Interrupts
from ..watch.many import ManyPictures
from ..weights.checksums import digest
from .connection import ClusterError, Workers, check_folders, local_cluster, remote_cluster
from .store import Access
from .weights import begin_store, put, weights_there
from .worker import DONE, FAILED, STOPPED, Easel, Order, checkpoint_key, paint_order

_RETRIES = 2  # of a task that fails by what is no picture's fault: the network between machines
_LOOK, _ALONE = 1.0, 60  # seconds between two looks at the workers; looks without one before that is told
_STOPPING = 30.0  # seconds that workers get to save what they paint


@dataclasses.dataclass(frozen=True)
class Where:
    """On which workers: ``workers`` processes of this machine, or those of the scheduler at ``address``."""

    workers: int | None = None
    address: str | None = None
    by_store: bool = False  # pictures come and go through the scheduler, not as files in shared folders


def paint_there(
    where: Where, jobs: Sequence[Job], networks: Networks, bar: ManyPictures, interrupts: Interrupts
) -> dict[int, str | None]:
    """Paint the jobs, which are in the order of what they cost; by their numbers, None or why one is not painted.

    An interrupt ends it: jobs that were not come to, or not to the end, are not in it. Raises ClusterError.
    """
    with contextlib.ExitStack() as stack:
        if where.address is None:
            assert where.workers is not None
            workers = min(where.workers, len(jobs))
            there = stack.enter_context(local_cluster(workers))
            jobs = [_shared_out(job, workers) for job in jobs]
        else:
            there = stack.enter_context(remote_cluster(where.address))
        return _Run(there, where, jobs, networks).paint(bar, interrupts)


def _shared_out(job: Job, workers: int) -> Job:
    """The job with its part of this machine's cores and memory."""
    room, threads = tightest(job.memory), job.machine.threads
    machine = dataclasses.replace(job.machine, threads=None if threads is None else max(1, threads // workers))
    return dataclasses.replace(job, machine=machine, memory=None if room is None else room.bytes // workers)


class _Run:
    """One batch on one cluster."""

    def __init__(self, workers: Workers, where: Where, jobs: Sequence[Job], networks: Networks) -> None:
        self._workers, self._client, self._where, self._networks = workers, workers.client, where, networks
        self._jobs = [_absolute(job) for job in jobs]
        self._name = secrets.token_hex(4)
        self._digest = functools.cache(digest)
        self._access = Access(workers.client)

    def paint(self, bar: ManyPictures, interrupts: Interrupts) -> dict[int, str | None]:
        if not self._where.by_store:
            check_folders(self._client, self._jobs[0].out.parent, [p for job in self._jobs for p in job.files_read()])
        weights, sent = weights_there(self._client, self._jobs[0].machine, self._networks, self._digest)
        if self._where.by_store or sent:
            begin_store(self._client)
        put(self._access, sent)
        easel = Easel(self._name, weights, self._workers.pictures_at())
        self._client.register_plugin(easel)
        try:
            return self._followed(self._submitted(), bar, interrupts)
        finally:
            with contextlib.suppress(Exception):  # it may be gone
                self._client.unregister_worker_plugin(easel.name)

    def _submitted(self) -> dict[Any, int]:
        """A task for each job; the largest first, so that none of them is left at the end, alone."""
        resources = {"GPU": 1} if self._jobs[0].machine.device == "gpu" and self._where.address else None
        if resources and not any("GPU" in worker.get("resources", {}) for worker in
                                 self._client.scheduler_info(n_workers=-1)["workers"].values()):  # fmt: skip
            raise ClusterError("--device gpu: no worker says that it has one: start it with: dask worker ADDRESS "
                               "--nthreads 1 --resources GPU=1")  # fmt: skip
        return {
            self._client.submit(paint_order, self._name, self._order(job), key=f"minstyle-{self._name}-{number}",
                                retries=_RETRIES, priority=number, pure=False, resources=resources): number
            for number, job in enumerate(self._jobs)
        }  # fmt: skip

    def _order(self, job: Job) -> Order:
        key = _key_of(job)
        if not self._where.by_store:
            return Order(job, key)
        paths = {role: path for role, path in files_of(job, self._networks).items() if role not in ("network", "draft")}
        sums = {role: self._digest(path) for role, path in paths.items()}
        files = {sums[role]: path for role, path in paths.items()}
        if job.checkpoint_path.exists():  # of a run on this machine that was ended
            files[checkpoint_key(key)] = job.checkpoint_path
        put(self._access, files)
        return Order(job, key, sums)

    def _followed(self, waiting: dict[Any, int], bar: ManyPictures, interrupts: Interrupts) -> dict[int, str | None]:
        interrupts.hold()
        found: dict[int, str | None] = {}
        asked: float | None = None  # when they were asked to stop
        looked, left_alone = time.monotonic(), 0
        while waiting and (asked is None or time.monotonic() - asked < _STOPPING):
            ready = [future for future in waiting if future.done()]
            for future in ready:
                number = waiting.pop(future)
                state, failure = self._end_of(future, self._jobs[number])
                future.release()
                if state != STOPPED:
                    found[number] = failure
                    bar.done(number)
            if interrupts.asked is not None and asked is None:
                asked = time.monotonic()
                self._client.run(_stop, self._name, on_error="ignore")
            if not ready:
                time.sleep(0.05)
            if time.monotonic() - looked > _LOOK:
                left_alone = 0 if self._workers.there() else left_alone + 1
                looked = time.monotonic()
                if left_alone == _ALONE:
                    bar.tell("there is no worker left; it goes on when one comes")
        return found

    def _end_of(self, future: Any, job: Job) -> tuple[str, str | None]:
        try:
            state, failure = future.result()
            if state == DONE and self._where.by_store:
                failure = self._brought(_key_of(job), job.out)
        except KilledWorker:
            return FAILED, "every worker that painted it died: they may be short of memory"
        except Exception as error:
            return FAILED, f"the worker failed: {' '.join(str(error).split())[:300] or repr(error)}"
        return state, failure

    def _brought(self, key: str, out: Path) -> str | None:
        data = self._access.get(key)
        if data is None:
            return "the scheduler has lost the picture: the same command paints it again"
        with replacing(out) as temporary:
            temporary.write_bytes(data)
        for path in generations(out.with_name(f"{out.name}.checkpoint")):
            path.unlink(missing_ok=True)  # of a run on this machine that was ended
        self._access.remove(key)
        return None


def _key_of(job: Job) -> str:
    """The same for the same picture, whoever asks for it."""
    return hashlib.sha256(stored(job.recipe, job.made_of).encode()).hexdigest()


def _absolute(job: Job) -> Job:
    def several(paths: Sequence[Path]) -> tuple[Path, ...]:
        return tuple(path.absolute() for path in paths)

    return dataclasses.replace(
        job,
        content=job.content.absolute(),
        styles=several(job.styles),
        masks=job.masks and several(job.masks),
        initial=job.initial and job.initial.absolute(),
        out=job.out.absolute(),
        also_read=several(job.also_read),
    )


def _stop(run: str) -> None:
    from distributed import get_worker

    easel: Any = get_worker().plugins.get(f"minstyle-{run}")
    if easel is not None:
        easel.stopped = True
