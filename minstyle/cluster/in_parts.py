"""The parts of one picture, seen from the command: what it gives them, and what it hears of them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import Array, to_host
from ..errors import LostError, MinstyleError
from ..network.vgg import Network
from ..optimize.adam import AdamState
from ..optimize.minimum import OnEvaluation, Renewed
from ..recipe.recipe import Recipe
from ..run.minimise import Midway, OnMidway, Round, mapped
from ..style.bands import Losses, Work
from .connection import ClusterError, Workers
from .part import Part
from .round import Ended, Evaluated, Event, Start

_LOST = 10.0  # seconds in which the scheduler notices that a worker is gone
_NONE_LEFT = 60.0  # seconds to wait for a worker where none is left


class InParts:
    """One objective in parts on the workers that there are, and its optimiser: see ``style.objective.Elsewhere``.

    Where a worker is lost, LostError is raised, and the parts are gone.
    """

    def __init__(
        self, workers: Workers, order: tuple[str, str, int | None], work: Work, content: np.ndarray, network: Network
    ) -> None:
        self._workers, self._client, self._order = workers, workers.client, order
        self._work, self._content, self._network = work, content, network
        self._actors: list[Any] = []
        self._keeps = False  # what is shown is to become the best
        self.bytes = 0  # of images to workers, and of what came back
        self._addresses = self._found()
        self.rows = work.parts(network, len(self._addresses))
        self._addresses = self._addresses[: len(self.rows)]
        try:
            self._asked(self._begin)
        except BaseException:
            self.end()  # parts that were made wait for the others
            raise

    def evaluate(self, image: Array) -> tuple[Losses, Array]:
        """The terms at layers of the network, of an image that is here: see ``style.objective.InBands``."""
        rows = self._cut("", np.asarray(to_host(image)))
        found = self._answers(lambda: [actor.evaluate(own) for actor, own in zip(self._actors, rows, strict=True)])
        self.bytes += sum(own.nbytes + g.nbytes for own, (_, g) in zip(rows, found, strict=True))
        return {name: np.float64(loss) for name, loss in found[0][0].items()}, np.concatenate([g for _, g in found])

    def minimise(
        self, noted: Callable[[dict[str, float]], None], image: Array, recipe: Recipe, evaluations: int,
        state: AdamState | None, on_evaluation: OnEvaluation, midway: Midway | None, on_midway: OnMidway,
        renewed: Renewed, pairs: int | None,
    ) -> Round:  # fmt: skip
        """As ``run.minimise.minimise``; each part has its rows of the image and of all that the optimiser remembers.

        ``noted`` is told each term's loss before ``on_evaluation``, which gets a ``There`` for an image, as
        ``on_midway`` does for each array. The objective is the same in all of the round.
        """
        event = self._first(self._starts(image, recipe, evaluations, state, midway, pairs))
        while not isinstance(event, Ended):
            stop = False
            if isinstance(event, Evaluated):
                noted(event.terms)
                shown = There(self, "shown", self._content.shape, self._network.dtype)
                stop = bool(on_evaluation(shown, event.loss))
            else:
                on_midway(event.mapped(self._there))
            event = self._next(stop)
        last = np.asarray(self._there("last"))
        adam_state = event.adam_state and mapped(event.adam_state, lambda name, own: to_host(self._there(name, own)))
        return Round(last, adam_state, event.stopped)

    def fetched(self, name: str, number: int | None) -> np.ndarray:
        """An array of the parts' own rows, see ``Part.array``."""
        name = "shown" if name == "best" and self._keeps else name
        found = self._answers(lambda: [actor.array(name, number) for actor in self._actors])
        whole: np.ndarray = np.concatenate(found, axis=0 if found[0].ndim == 3 else -1)
        self.bytes += whole.nbytes
        return whole

    def keep(self) -> None:
        """What was just evaluated is kept, as "best", before workers go on."""
        self._keeps = True

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

    def _first(self, starts: Sequence[Start]) -> Event:
        """The first event of a round at the first part, and at the same time at all others."""
        event: Event = self._answers(
            lambda: [actor.begin(own) for actor, own in zip(self._actors, starts, strict=True)]
        )[0]
        return event

    def _next(self, stop: bool) -> Event:
        keeps, self._keeps = self._keeps, False
        event: Event = self._answers(lambda: [actor.proceed(stop, keeps) for actor in self._actors])[0]
        return event

    def _answers(self, calls: Callable[[], Sequence[Any]]) -> list[Any]:
        if not self._actors:
            raise LostError("workers have nothing of this picture any more")
        found: list[Any] = self._asked(lambda: self._all(calls()))
        return found

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """What workers answer. Raises LostError, with which the parts are gone, or what one of them raises."""
        try:
            return ask()
        except Exception as error:
            told = isinstance(error, MinstyleError) and not isinstance(error, LostError)
            if told or not self._is_lost():
                raise _told(error) from error
            self.end()
            raise LostError("a worker was lost") from error

    def _begin(self) -> None:
        sent, (run, role, threads) = self._work.on_host(), self._order
        self._futures = [
            self._client.submit(Part, run, role, sent, self.rows, number, threads, actor=True, pure=False,
                                workers=[address], allow_other_workers=False)
            for number, address in enumerate(self._addresses)
        ]  # fmt: skip
        self._actors = [self._one(future) for future in self._futures]
        self._all([actor.join(self._actors) for actor in self._actors])
        own = self._cut("", self._content)
        self._all([actor.compare_with(rows) for actor, rows in zip(self._actors, own, strict=True)])

    def _starts(self, image: Array, recipe: Recipe, evaluations: int, state: AdamState | None, midway: Midway | None,
                pairs: int | None) -> list[Start]:  # fmt: skip
        starts = []
        for number in range(len(self.rows)):

            def own(name: str, array: Array, number: int = number) -> np.ndarray:
                return self._cut(name, np.asarray(to_host(array)))[number]

            starts.append(Start(own("", image), recipe, evaluations, state and mapped(state, own),
                                midway and midway.mapped(own), pairs))  # fmt: skip
        self.bytes += sum(start.image.nbytes for start in starts)
        return starts

    def _cut(self, name: str, array: np.ndarray) -> list[np.ndarray]:
        """Each part's own rows of an image (H, W, 3), or of pairs (m, H W 3)."""
        if array.ndim == 3:
            return [array[rows.slice] for rows in self.rows]
        width = array.shape[1] // self._work.size[0]
        return [array[:, rows.start * width : rows.stop * width] for rows in self.rows]

    def _there(self, name: str, of_part: tuple[int, ...] | None = None) -> There:
        """In the place of an array, of which a part has this shape."""
        shape: tuple[int, ...] = self._content.shape
        if of_part is not None and len(of_part) == 2:
            shape = of_part[0], math.prod(shape)
        return There(self, name, shape, self._network.dtype)

    def _one(self, future: Any) -> Any:
        """The actor, once it is there. Raises what it raised, or ClusterError where its worker is lost."""
        while True:
            with contextlib.suppress(TimeoutError):
                return future.result(timeout=1)
            self._check()

    def _all(self, calls: Sequence[Any]) -> list[Any]:
        """What actors answer; the first error of one of them is raised at once."""
        return list(self._client.sync(self._answered, calls))

    async def _answered(self, calls: Sequence[Any]) -> list[Any]:
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

    def _is_lost(self) -> bool:
        """Whether one of these workers is gone, as the scheduler notices a bit later than who talks to it."""
        end = time.monotonic() + _LOST
        while time.monotonic() < end:
            self._workers.there()
            if not set(self._addresses) <= set(self._client.nthreads()):
                return True
            time.sleep(0.1)
        return False


class There:
    """An array whose rows lie on workers. Taken for an array of NumPy, it is fetched: LostError where it is gone."""

    def __init__(self, parts: InParts, name: str, shape: tuple[int, ...], dtype: np.dtype[Any],
                 number: int | None = None) -> None:  # fmt: skip
        self._parts, self._name, self._number = parts, name, number
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
        self.nbytes = math.prod(shape) * dtype.itemsize

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        try:
            return self._parts.fetched(self._name, self._number).astype(dtype or self.dtype, copy=False)
        except ClusterError as error:  # the scheduler is gone, or a worker has begun anew
            raise LostError(str(error)) from error

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, number: int) -> There:
        """A slot of pairs."""
        return There(self._parts, self._name, self.shape[1:], self.dtype, number)

    def copy(self) -> There:
        """The image that was just evaluated, to be kept there until another one is."""
        self._parts.keep()
        return There(self._parts, "best", self.shape, self.dtype)


def _told(error: Exception) -> MinstyleError:
    if isinstance(error, MinstyleError):
        return error
    return ClusterError(f"a worker failed: {' '.join(str(error).split())[:300] or repr(error)}")
