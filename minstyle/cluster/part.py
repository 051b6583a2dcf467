"""A part of one picture, as an actor on a worker: its rows, its content targets, and the way to the other parts.

What is asked of the others comes by name and turn: all parts do the same steps in the same order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from distributed import get_worker

from ..backend import Array, Device, to_host
from ..engine import kernels
from ..network.segments import Rows
from ..style.bands import Work
from .connection import ClusterError


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
    """Some rows of one picture: the terms at layers of the network there. Lives on a worker, as an actor."""

    def __init__(self, run: str, role: str, work: Work, rows: Sequence[Rows], number: int, threads: int | None) -> None:
        """``role``: which of the run's networks. Raises WeightsError, DeviceError."""
        easel: Any = get_worker().plugins[f"minstyle-{run}"]
        networks = easel.shared().networks
        self._network = networks.draft if role == "draft" else networks.network
        self._threads, self._arena = threads or easel.threads, kernels.Arena()
        self._parts = Remote(rows, number, self._network.device)
        self._banded = work.banded(self._network, self._parts)

    def join(self, peers: Sequence[Any]) -> None:
        """``peers`` are the actors of all parts."""
        self._parts.peers = peers

    def compare_with(self, content: np.ndarray) -> None:
        """The content's own rows (h, W, 3) of this part; all parts are told theirs at the same time."""
        self._at_work(lambda: self._banded.compare_with(self._image(content)))

    def evaluate(self, image: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The image's own rows -> (each term's loss for the whole picture, the gradient of the own rows)."""
        losses, g = self._at_work(lambda: self._banded.evaluate(self._image(image)))
        return {name: float(loss) for name, loss in losses.items()}, np.ascontiguousarray(to_host(g))

    async def take(self, key: Any, what: Any) -> None:
        """From another part. On the worker's loop: while its thread computes, or waits for this."""
        self._parts.mail.put(key, what)

    async def give_up(self) -> None:
        """End what waits for another part."""
        self._parts.mail.close()

    async def sent(self) -> dict[str, int]:
        """Bytes sent to other parts so far: halo rows of maps, sums."""
        return dict(self._parts.sent)

    def _image(self, rows: np.ndarray) -> Array:
        return self._network.device.asarray(rows, self._network.dtype)

    def _at_work(self, do: Callable[[], Any]) -> Any:
        with (
            kernels.use_threads(self._threads),
            self._arena.use(),
            kernels.use_precision(self._network.precision),
            np.errstate(over="ignore", invalid="ignore"),
        ):
            return do()
