"""The server's process: uvicorn on a socket, until a signal."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from ..front import tell
from .app import build_app
from .guard import own_names
from .parts import Limits, Studio
from .tasks import Computer


class _Server(uvicorn.Server):
    """At a signal ends all that would hold up its own end: streams of events, workers; the second time at once."""

    def __init__(self, config: uvicorn.Config, studio: Studio, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._studio, self._ready = studio, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await asyncio.to_thread(self._ready)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        again = self.should_exit
        if not again:  # the second time uvicorn would end without closing anything
            super().handle_exit(sig, frame)
        threading.Thread(target=self._end, args=(sig, again)).start()  # a handler must wait for no lock

    def _end(self, sig: int, again: bool) -> None:
        if sig == signal.SIGINT and not again:
            tell("minstyle studio: stopping after this step; press Ctrl-C again to stop at once")
        self._studio.ask_end(at_once=again)


def serve(
    folder: Path,
    computer: Computer,
    listening: socket.socket,
    token: str | None,
    hosts: tuple[str, ...],
    ready: Callable[[], None],
) -> int:
    """Serve until a signal; ``ready`` is called once the page can be opened. Raises FileError."""
    with listening:
        studio = Studio(folder, computer, Limits())
        app = build_app(studio, token=token, hosts=(*hosts, *(own_names() if token else ())))
        config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=5,
                                proxy_headers=False, limit_concurrency=500)  # fmt: skip
        _Server(config, studio, ready).run(sockets=[listening])
    return 0
