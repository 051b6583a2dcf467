"""A part of one picture, as an actor on a worker: its rows of all that a run has, and the way to the others.

What is asked of the others comes by name and turn: all parts do the same steps in the same order.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from distributed import get_worker

from ..backend import Array, Device, device_errors, to_host
from ..engine import kernels
from ..errors import OptimizeError
from ..network.segments import Rows
from ..run.minimise import Midway, mapped, minimise
from ..style.bands import Work
from ..style.in_part import InPart
from .connection import ClusterError
from .round import Ended, Evaluated, Event, Round, Start


class Mail:
    """What other parts sent, until it is asked for."""

    def __init__(self) -> None:
        self._there: dict[Any, Any] = {}
        self._changed, self._closed = threading.Condition(), False

    def put(self, key: Any, what: Any) -> None:
        with self._changed:
            self._there[key] = what
            self._changed.notify_all()

    def get(self, key: Any) -> Any:
        """Waits for it. Raises ClusterError once the picture is given up here."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or key in self._there)
            if self._closed:
                raise ClusterError("another part of the picture was lost")
            return self._there.pop(key)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Remote:
    """The parts of a picture, seen from one of them; see ``style.parts.Parts``. The first one does what one has to."""

    def __init__(self, rows: Sequence[Rows], number: int, device: Device) -> None:
        self.rows, self.number, self.mail = rows, number, Mail()
        self.sent = {"rows": 0, "sums": 0}  # bytes
        self.peers: Sequence[Any] = ()  # the parts' actors
        self._device, self._turn = device, 0

    def exchange(self, x: Array, own: Sequence[Rows], wanted: Sequence[Rows]) -> Array:
        here, turn = self.number, self._next()
        for other in self._others():
            rows = own[here] & wanted[other]
            if rows.size:
                # A copy: x may have been written over when it is sent.
                self._send(other, (turn, here), np.array(to_host(x[rows.shifted(-own[here].start).slice])), "rows")
        pieces = []
        for other, theirs in enumerate(own):
            rows = theirs & wanted[here]
            if rows.size and other == here:
                pieces.append(x[rows.shifted(-theirs.start).slice])
            elif rows.size:
                pieces.append(self._device.asarray(self.mail.get((turn, other))))
        return self._device.xp.concatenate(pieces) if len(pieces) > 1 else pieces[0]

    def with_sums(
        self, found: Mapping[Any, Any], do: Callable[[Mapping[Any, Any]], Mapping[Any, Any]]
    ) -> Mapping[Any, Any]:
        turn = self._next()
        if self.number:
            self._send(0, (turn, self.number), _on_host(found), "sums")
            return self._here(self.mail.get((turn, 0)))
        total = dict(found)
        for other in self._others():  # in their order: the sum is the same each time
            for key, array in self._here(self.mail.get((turn, other))).items():
                total[key] = total[key] + array if key in total else array
        result = do(total)
        for other in self._others():
            self._send(other, (turn, 0), _on_host(result), "sums")
        return result

    def _others(self) -> list[int]:
        return [number for number in range(len(self.rows)) if number != self.number]

    def _next(self) -> int:
        self._turn += 1
        return self._turn

    def _send(self, other: int, key: Any, what: Any, kind: str) -> None:
        arrays = what.values() if isinstance(what, dict) else [what]
        self.sent[kind] += sum(getattr(array, "nbytes", 8) for array in arrays)
        self.peers[other].take(key, what)

    def _here(self, found: Mapping[Any, Any]) -> Mapping[Any, Any]:
        return {key: self._device.asarray(a) if isinstance(a, np.ndarray) else a for key, a in found.items()}


def _on_host(found: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: to_host(a) if hasattr(a, "nbytes") else a for key, a in found.items()}


class Part:
    """Some rows of one picture, of its objective and of its optimiser. Lives on a worker, as an actor."""

    def __init__(self, run: str, role: str, work: Work, rows: Sequence[Rows], number: int, threads: int | None) -> None:
        """``role``: which of the run's networks. Raises WeightsError, DeviceError."""
        easel: Any = get_worker().plugins[f"minstyle-{run}"]
        networks = easel.shared().networks
        self._network = networks.draft if role == "draft" else networks.network
        self._threads, self._arena = threads or easel.threads, kernels.Arena()
        self._parts = Remote(rows, number, self._network.device)
        self._objective = InPart(work, self._network, self._parts)
        self._round: Round | None = None
        self._arrays: dict[str, Any] = {}

    def join(self, peers: Sequence[Any]) -> None:
        """``peers`` are the actors of all parts."""
        self._parts.peers = peers

    def compare_with(self, content: np.ndarray) -> None:
        """The content's own rows (h, W, 3) of this part; all parts are told theirs at the same time."""
        self._at_work(lambda: self._objective.compare_with(self._image(content)))

    def evaluate(self, image: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The own rows of an image that is elsewhere -> (the loss for the whole picture of each term at a layer of the
        network, the gradient of the own rows)."""
        losses, g = self._at_work(lambda: self._objective.banded.evaluate(self._image(image)))
        return {name: float(loss) for name, loss in losses.items()}, np.ascontiguousarray(to_host(g))

    def begin(self, start: Start) -> Event:
        """Begin a round of the optimiser; all parts do. Returns, as ``proceed``, what comes up first."""
        self._round = Round(lambda tell: self._at_work(lambda: self._minimised(start, tell)))
        return self._round.proceed(None)

    def proceed(self, stop: bool, keeps: bool) -> Event:
        """Go on from the last event; where that was an evaluation, ``stop`` ends the round, and ``keeps`` makes what is
        shown the best."""
        assert self._round is not None
        if keeps:
            self._arrays["best"] = self._arrays["shown"].copy()
        return self._round.proceed(stop)

    def _minimised(self, start: Start, tell: Callable[[Event], bool]) -> Ended:
        """As ``run.loop`` calls the optimiser on one machine."""
        terms: dict[str, float] = {}

        def evaluate(x: Array) -> tuple[float, Array, float]:
            nonlocal terms
            found = self._objective.evaluate(x)
            terms = found.terms
            return found.loss, found.gradient, found.largest

        def on_evaluation(x: Array, loss: float) -> bool:
            self._arrays["shown"] = x
            return tell(Evaluated(loss, terms))

        def on_midway(midway: Midway) -> None:
            self._arrays["state"], self._arrays["x"] = midway.state, midway.x
            tell(midway.mapped(_shape))

        device, state, midway = self._network.device, start.adam_state, start.midway
        try:
            found = minimise(evaluate, self._image(start.image), start.recipe, start.evaluations,
                             state and mapped(state, lambda _, array: device.asarray(array)), on_evaluation,
                             midway and midway.on(device), on_midway, pairs=start.pairs,
                             vectors=self._objective.vectors)  # fmt: skip
        except OptimizeError as error:
            culprit = next((name for name, loss in terms.items() if not math.isfinite(loss)), None)
            raise OptimizeError(f"{culprit}: {error}" if culprit else str(error)) from None
        self._arrays["last"] = found.last
        if found.adam_state is not None:
            self._arrays["state"] = found.adam_state
        return Ended(found.adam_state and mapped(found.adam_state, _shape), found.stopped)

    async def array(self, name: str, number: int | None = None) -> np.ndarray:
        """The own rows of an array: "shown" in the latest evaluation, "best" of those kept, "x" or another of the
        optimiser's state, "last" at the end of a round; of pairs those in a slot."""
        found = self._arrays[name] if name in self._arrays else getattr(self._arrays["state"], name)
        return to_host(found if number is None else found[number])

    async def take(self, key: Any, what: Any) -> None:
        """From another part. On the worker's loop: while its thread computes, or waits for this."""
        self._parts.mail.put(key, what)

    async def give_up(self) -> None:
        """End what waits for another part, or for the command."""
        self._parts.mail.close()
        if self._round is not None:
            self._round.give_up()

    async def sent(self) -> dict[str, int]:
        """Bytes sent to other parts so far: halo rows of maps and vectors, sums."""
        return dict(self._parts.sent)

    def _image(self, rows: np.ndarray) -> Array:
        return self._network.device.asarray(rows, self._network.dtype)

    def _at_work(self, do: Callable[[], Any]) -> Any:
        with (
            kernels.use_threads(self._threads),
            self._arena.use(),
            kernels.use_precision(self._network.precision),
            np.errstate(over="ignore", invalid="ignore"),
            device_errors(),
        ):
            return do()


def _shape(name: str, array: Array) -> tuple[int, ...]:
    """In the place of an array that stays here."""
    return tuple(array.shape)
