"""The way to a cluster, and whether its workers are such as can paint: told in a line, before the first picture."""

from __future__ import annotations

import contextlib
import logging
import platform
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, Worker
from distributed.diagnostics.plugin import WorkerPlugin

from ..errors import MinstyleError
from ..version import __version__

_SECONDS = 10.0  # for a scheduler to answer, and a worker to be there
_STARTED = 300.0  # for processes of this machine to start, be it busy as it may
_RESTART = 30.0  # for one that died to be there again
_DEATHS = 100  # of workers that a picture outlives on this machine


class ClusterError(MinstyleError, RuntimeError):
    """There is no scheduler, no worker, or one that cannot paint."""


class _Deaf(WorkerPlugin):
    """Ctrl-C in a terminal is sent to its processes all: what comes of it is decided by the one that was started."""

    name = "minstyle-deaf"

    def setup(self, worker: Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class Workers:
    """The workers of a cluster, looked after while they paint."""

    def __init__(self, client: Client, cluster: LocalCluster | None = None, wanted: int = 0) -> None:
        """``wanted`` is how many ``cluster`` is to have; one elsewhere is looked after there."""
        self.client, self._cluster, self._wanted = client, cluster, wanted
        self._full = time.monotonic()  # when there were as many as are wanted, or more were begun

    def there(self) -> int:
        """How many there are. In the place of those that do not come back others are begun. Raises ClusterError."""
        try:
            there = len(self.client.nthreads())
        except OSError as error:
            raise ClusterError("the scheduler is gone: the same command goes on") from error
        now = time.monotonic()
        if there >= self._wanted:
            self._full = now
        elif self._cluster is not None and now - self._full > _RESTART:
            # One that died while it was being started is not started again by Dask.
            self._cluster.scale(len(self._cluster.worker_spec) + self._wanted - there)
            self._full = now
        return there

    def wait_for(self, count: int) -> None:
        """Until there are so many, or those that there are have waited long enough for others."""
        with contextlib.suppress(TimeoutError):
            self.client.wait_for_workers(count, timeout=_STARTED)

    def pictures_at(self) -> dict[str, int]:
        """How many pictures the workers of each host paint at once."""
        found: dict[str, int] = {}
        for address, threads in self.client.nthreads().items():
            host = host_of(address)
            found[host] = found.get(host, 0) + int(threads)
        return {host: max(count, self._wanted) for host, count in found.items()}


def host_of(address: str) -> str:
    """ "tcp://10.0.0.1" of "tcp://10.0.0.1:34567" """
    return address.rsplit(":", 1)[0]


@contextlib.contextmanager
def local_cluster(wanted: int, direct: bool = False) -> Iterator[Workers]:
    """So many processes of this machine, which end with it. ``direct`` as in ``remote_cluster``.

    Raises ClusterError where none can be started.
    """
    _silence()
    settings = {
        "distributed.scheduler.allowed-failures": _DEATHS,
        "distributed.worker.profile.enabled": False,
        # Dask has workers give memory back at once, and ask the system for it again: of small pictures, all the time.
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="minstyle-"))
        cluster = stack.enter_context(LocalCluster(n_workers=0, threads_per_worker=1, processes=True, memory_limit=0,
                                                   dashboard_address="127.0.0.1:0", local_directory=folder,
                                                   silence_logs=logging.CRITICAL))  # fmt: skip
        workers = Workers(
            stack.enter_context(Client(cluster, set_as_default=False, direct_to_workers=direct)), cluster, wanted
        )
        workers.client.register_plugin(_Deaf())
        cluster.scale(wanted)
        end = time.monotonic() + _STARTED
        while workers.there() == 0:
            if time.monotonic() > end:
                raise ClusterError(f"none of {wanted} processes began in {_STARTED:.0f} s: try without --workers")
            time.sleep(0.05)
        yield workers


@contextlib.contextmanager
def remote_cluster(address: str, direct: bool = False) -> Iterator[Workers]:
    """The workers of the scheduler at ``address``. Raises ClusterError where there is none, or it has no worker.

    ``direct``: what is said to a worker does not go by way of the scheduler.
    """
    _silence()
    try:
        client = Client(address, timeout=_SECONDS, set_as_default=False, direct_to_workers=direct)
    except (OSError, ValueError, TypeError) as error:
        why = "it does not answer" if isinstance(error, OSError) else " ".join(str(error).split())
        raise ClusterError(f"no scheduler at {address} ({why}): start one with: dask scheduler") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_SECONDS)
        except TimeoutError:
            raise ClusterError(f"{address} has no worker: start one with: dask worker {address} --nthreads 1") from None
        check_versions(client)
        yield Workers(client)


def _silence() -> None:
    """What Dask says of workers that come and go is told by what becomes of the pictures."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def check_versions(client: Client) -> None:
    """Raise ClusterError, which names the first worker whose Python or minstyle is another one."""
    own = ".".join(platform.python_version_tuple()[:2])
    versions: Any = client.get_versions()
    for worker, found in versions["workers"].items():
        python = ".".join(str(found["host"]["python"]).split(".")[:2])
        if python != own:
            raise ClusterError(f"worker {worker}: expected Python {own}, as here, got {python}")

    def version() -> str:  # sent as it is: what the workers have of minstyle is the question
        from minstyle.version import __version__

        return __version__

    for worker, answer in client.run(version, on_error="return").items():
        if isinstance(answer, OSError):  # it is gone meanwhile
            continue
        got = "none" if isinstance(answer, BaseException) else answer
        if got != __version__:
            raise ClusterError(f"worker {worker}: expected minstyle {__version__}, as here, got {got}: "
                               f"pip install 'minstyle[cluster]=={__version__}' there")  # fmt: skip


def check_folders(client: Client, folder: Path, read: Sequence[Path]) -> None:
    """Raise ClusterError, which names the first folder or file that a worker does not see."""
    with tempfile.NamedTemporaryFile(prefix=".minstyle-", dir=folder) as probe:
        wanted = [probe.name, *map(str, dict.fromkeys(read))]
        for worker, unseen in client.run(unseen_of, wanted, on_error="ignore").items():
            if unseen is not None:
                what = f"the folder {folder}" if unseen == probe.name else unseen
                raise ClusterError(f"worker {worker} does not see {what}: share it with that machine, or take "
                                   "--results scheduler")  # fmt: skip


def unseen_of(paths: Sequence[str]) -> str | None:
    """The first of the files that this machine does not have."""
    return next((path for path in paths if not Path(path).exists()), None)
