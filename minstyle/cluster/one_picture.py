"""One picture on several workers: each evaluates the terms at layers of the network for its part of the rows.

The image and the optimiser stay here. An evaluation sends each worker its rows of the image, and brings back their
gradient; workers send each other the halo rows of the maps, and statistics.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backend import Array, to_host
from ..errors import MinstyleError, RecipeError, require
from ..job.machine import Machine, Networks
from ..network.segments import Rows
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..style.bands import Losses, Work, needs_maps
from .connection import ClusterError, Workers, host_of, local_cluster, remote_cluster
from .part import Part
from .store import Access
from .weights import begin_store, put, weights_there
from .worker import Easel

LEAST = 64  # rows of a part where --bands does not say: fewer are mostly the halo of others
_LOST = 10.0  # seconds in which the scheduler notices that a worker is gone
_NONE_LEFT = 60.0  # seconds to wait for a worker where none is left


class LostError(ClusterError):
    """A worker is gone."""


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
        self.current: InParts | None = None  # what was made last

    @property
    def count(self) -> int:
        """How many workers there are."""
        return self._workers.there()

    def on_workers(self, ask: Callable[[], Any]) -> list[Any]:
        """What each worker answers."""
        return list(self._workers.client.run(ask).values())

    def __call__(self, work: Work, content: Array, network: Network) -> InParts | None:
        self.close()
        role = "draft" if network is self._networks.draft else "network"
        order = (self._run, role, self._threads)
        count = min(self.count, work.size[0] // LEAST)
        if count < 2:
            return None
        rows = -(-work.size[0] // count)  # in as many bands as there are parts, or more
        work = dataclasses.replace(work, rows=min(work.rows or rows, rows))
        self.current = InParts(self._workers, order, work, np.asarray(to_host(content)), network)
        return self.current

    def close(self) -> None:
        if self.current is not None:
            self.current.end()
            self.current = None


class InParts:
    """The terms at layers of the network of one objective, evaluated in parts: see ``style.objective.InBands``.

    Where a worker is lost the parts are made anew on those that are left, from the pictures, and the evaluation is
    begun again: nothing else was there.
    """

    def __init__(
        self, workers: Workers, order: tuple[str, str, int | None], work: Work, content: np.ndarray, network: Network
    ) -> None:
        self._workers, self._client, self._order = workers, workers.client, order
        self._work, self._content, self._network = work, content, network
        self._actors: list[Any] = []
        self._addresses: list[str] = []
        self.rows: list[Rows] = []
        self.losses = 0  # how often a worker was lost
        self.bytes = 0  # of images to workers and gradients from them

    def __call__(self, image: Array) -> tuple[Losses, Array]:
        on_host = np.asarray(to_host(image))
        while True:
            try:
                if not self._actors:
                    self._begin()
                return self._evaluated(on_host)
            except Exception as error:
                addresses = self._addresses
                self.end()
                told = isinstance(error, MinstyleError) and not isinstance(error, LostError)
                if told or not self._is_lost(addresses):
                    raise _told(error) from error
                self.losses += 1

    def sent(self) -> dict[str, int]:
        """Bytes that went between workers so far: halo rows of maps, statistics."""
        told = self._all([actor.sent() for actor in self._actors])
        return {kind: sum(one[kind] for one in told) for kind in ("rows", "sums")}

    def end(self) -> None:
        """Parts that wait for others give up, and all are gone."""
        for actor in self._actors:
            with contextlib.suppress(Exception):
                actor.give_up()
        self._actors, self._futures = [], list[Any]()

    def _begin(self) -> None:
        self._addresses = self._found()
        self.rows = self._work.parts(self._network, len(self._addresses))
        self._addresses, sent = self._addresses[: len(self.rows)], self._work.on_host()
        run, role, threads = self._order
        self._futures = [
            self._client.submit(Part, run, role, sent, self.rows, number, threads, actor=True, pure=False,
                                workers=[address], allow_other_workers=False)
            for number, address in enumerate(self._addresses)
        ]  # fmt: skip
        self._actors = [self._one(future) for future in self._futures]
        self._all([actor.join(self._actors) for actor in self._actors])
        self._all([actor.compare_with(self._content[rows.slice]) for actor, rows in self._parts()])

    def _evaluated(self, image: np.ndarray) -> tuple[Losses, np.ndarray]:
        found = self._all([actor.evaluate(image[rows.slice]) for actor, rows in self._parts()])
        losses: Losses = {name: np.float64(loss) for name, loss in found[0][0].items()}
        self.bytes += 2 * image.nbytes
        return losses, np.concatenate([g for _, g in found])

    def _parts(self) -> list[tuple[Any, Rows]]:
        return list(zip(self._actors, self.rows, strict=True))

    def _one(self, future: Any) -> Any:
        """The actor, once it is there. Raises what it raised, or ClusterError where its worker is lost."""
        while True:
            with contextlib.suppress(TimeoutError):
                return future.result(timeout=1)
            self._check()

    def _all(self, calls: Sequence[Any]) -> list[Any]:
        """What actors answer; the first error of one of them is raised at once."""
        return list(self._client.sync(self._answers, calls))

    async def _answers(self, calls: Sequence[Any]) -> list[Any]:
        tasks = [asyncio.ensure_future(call._result()) for call in calls]
        pending = set(tasks)
        try:
            while pending:
                done, pending = await asyncio.wait(pending, timeout=1, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                there: Any = self._client.scheduler
                if pending and not set(self._addresses) <= set(await there.ncores(workers=None)):
                    raise LostError("a worker was lost")
        finally:
            for task in pending:
                task.cancel()
        return [task.result() for task in tasks]

    def _found(self) -> list[str]:
        """The workers that there are, in a fixed order; where there is none, those that come within a minute."""
        end = time.monotonic() + _NONE_LEFT
        while True:
            self._workers.there()
            found = sorted(self._client.nthreads())
            if found:
                return found
            if time.monotonic() > end:
                raise ClusterError(f"no worker is left, and none came in {_NONE_LEFT:.0f} s")
            time.sleep(0.1)

    def _check(self) -> None:
        if not set(self._addresses) <= set(self._client.nthreads()):
            raise LostError("a worker was lost")

    def _is_lost(self, addresses: Sequence[str]) -> bool:
        """Whether one of these workers is gone, as the scheduler notices a bit later than who talks to it."""
        end = time.monotonic() + _LOST
        while time.monotonic() < end:
            self._workers.there()
            if not set(addresses) <= set(self._client.nthreads()):
                return True
            time.sleep(0.1)
        return False


def _told(error: Exception) -> MinstyleError:
    if isinstance(error, MinstyleError):
        return error
    return ClusterError(f"a worker failed: {' '.join(str(error).split())[:300] or repr(error)}")
