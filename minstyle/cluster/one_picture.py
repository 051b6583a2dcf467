"""One picture on several workers: each has its part of the rows, of the image, the objective and the optimiser.

An evaluation sends the halo rows of maps and of the optimiser's vectors, and sums, from worker to worker, and numbers
here. Where the optimiser is scipy's, or a term needs the whole image, both stay here: an evaluation then sends each
worker its rows of the image, and brings back their gradient.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..backend import Array, to_host
from ..errors import RecipeError, require
from ..job.machine import Machine, Networks
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import Shape
from ..style.bands import Work, needs_maps
from ..style.objective import Elsewhere
from .connection import Workers, host_of, local_cluster, remote_cluster
from .in_parts import InParts
from .store import Access
from .weights import begin_store, put, weights_there
from .worker import Easel

LEAST = 64  # rows of a part where --bands does not say: fewer are mostly the halo of others
MOST = 256  # rows of a band there: more take more memory, and hardly less time


@contextlib.contextmanager
def spread_over(
    workers: int | None, address: str | None, machine: Machine, networks: Networks, recipe: Recipe
) -> Iterator[Spreading]:
    """What ``stylize`` takes as ``spread``: so many processes of this machine, or the workers of a scheduler.

    Raises ClusterError, and RecipeError for a recipe whose losses need whole maps.
    """
    maps = needs_maps(recipe)
    require(not maps, "--workers and --cluster for one picture", "losses that are sums over rows, or of moments",
            f"{', '.join(maps)}: paint it without them", RecipeError)  # fmt: skip
    with contextlib.ExitStack() as stack:
        if address is None:
            assert workers is not None
            there = stack.enter_context(local_cluster(workers, direct=True))
            there.wait_for(workers)
        else:
            there = stack.enter_context(remote_cluster(address, direct=True))
        stack.enter_context(there.client.as_current())  # actors look for it
        yield stack.enter_context(_spreading(there, machine, networks, 1 if workers is None else workers))


@contextlib.contextmanager
def _spreading(there: Workers, machine: Machine, networks: Networks, share: int) -> Iterator[Spreading]:
    client, run = there.client, secrets.token_hex(4)
    weights, sent = weights_there(client, machine, networks)
    if sent:
        begin_store(client)
        put(Access(client), sent)
    hosts = [host_of(address) for address in client.nthreads()]
    easel = Easel(run, weights, {host: hosts.count(host) for host in hosts})
    client.register_plugin(easel)
    threads = None if machine.threads is None else max(1, machine.threads // share)
    spreading = Spreading(there, run, networks, threads)
    try:
        yield spreading
    finally:
        spreading.close()
        with contextlib.suppress(Exception):  # it may be gone
            client.unregister_worker_plugin(easel.name)


class Spreading:
    """Has the objective of each stage evaluated on the workers, if its picture is large enough."""

    def __init__(self, workers: Workers, run: str, networks: Networks, threads: int | None) -> None:
        self._workers, self._run, self._networks, self._threads = workers, run, networks, threads
        self._rows: dict[Shape, int] = {}  # of a band of a picture of some size
        self.current: InParts | None = None  # what was made last

    @property
    def count(self) -> int:
        """How many workers there are."""
        return self._workers.there()

    def on_workers(self, ask: Callable[[], Any]) -> list[Any]:
        """What each worker answers."""
        return list(self._workers.client.run(ask).values())

    def __call__(self, work: Work, content: Array, network: Network) -> Elsewhere | None:
        self.close()
        role = "draft" if network is self._networks.draft else "network"
        order = (self._run, role, self._threads)
        if work.size not in self._rows:  # else it is begun again, on those that are left
            count = min(self.count, work.size[0] // LEAST)
            if count < 2:
                return None
            rows = -(-work.size[0] // count)  # in as many bands as there are parts, or more
            self._rows[work.size] = min(work.rows, rows) if work.rows else _evenly(rows)
        rows = self._rows[work.size]
        work = dataclasses.replace(work, rows=min(work.rows or rows, rows))
        self.current = InParts(self._workers, order, work, np.asarray(to_host(content)), network)
        all_there = work.by_rows and work.recipe.optimizer != "scipy"
        return Elsewhere(self.current.evaluate, self.current.minimise if all_there else None)

    def close(self) -> None:
        if self.current is not None:
            self.current.end()
            self.current = None


def _evenly(rows: int) -> int:
    """The rows of a band where a part has so many: of an even number of bands, which make strips together."""
    return rows if rows <= MOST else -(-rows // (2 * -(-rows // (2 * MOST))))
