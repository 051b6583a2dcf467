"""Files at the scheduler, for workers that share no folder with the client: pictures, weights, checkpoints, results."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from distributed import Client, Scheduler, Worker
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.utils import sync

_LETTERS = frozenset("0123456789abcdef-")


class Store(SchedulerPlugin):
    """Keeps files under keys in a folder of the scheduler's machine, until it ends or they are removed."""

    name = "minstyle-store"
    idempotent = True  # one that is there stays

    async def start(self, scheduler: Scheduler) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="minstyle-store-"))
        for door in (self._put, self._get, self._lacks, self._remove):
            scheduler.handlers[f"minstyle{door.__name__}"] = door

    async def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, key: str) -> Path:
        if not key or not set(key) <= _LETTERS:  # of a client that is none of ours
            raise ValueError("not a key")
        return self._folder / key

    async def _put(self, key: str, data: bytes) -> None:
        new = self._file(key).with_suffix(".new")
        new.write_bytes(data)
        new.replace(self._file(key))

    async def _get(self, key: str) -> bytes | None:
        file = self._file(key)
        return file.read_bytes() if file.exists() else None

    async def _lacks(self, keys: list[str]) -> list[str]:
        return [key for key in keys if not self._file(key).exists()]

    async def _remove(self, key: str) -> None:
        self._file(key).unlink(missing_ok=True)


class Access:
    """The store from where one is: the client, or the thread of a task on a worker."""

    def __init__(self, at: Client | Worker) -> None:
        self._loop: Any = at.loop
        self._scheduler: Any = at.scheduler

    def put(self, key: str, data: bytes) -> None:
        self._ask("put", key=key, data=data)

    def get(self, key: str) -> bytes | None:
        found = self._ask("get", key=key)
        return None if found is None else bytes(found)

    def lacks(self, keys: Iterable[str]) -> list[str]:
        return list(self._ask("lacks", keys=list(keys)))

    def remove(self, key: str) -> None:
        self._ask("remove", key=key)

    def _ask(self, door: str, **what: Any) -> Any:
        return sync(self._loop, getattr(self._scheduler, f"minstyle_{door}"), **what)
