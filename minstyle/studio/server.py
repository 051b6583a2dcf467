"""The server's process: uvicorn on a socket, until a signal."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from .app import build_app
from .guard import own_names
from .parts import Limits, Studio
from .tasks import Computer


class _Server(uvicorn.Server):
    """Ends its streams of events at a signal: they would hold up the end otherwise."""

    def __init__(self, config: uvicorn.Config, studio: Studio, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._studio, self._ready = studio, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await asyncio.to_thread(self._ready)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._studio.hub.close()
        super().handle_exit(sig, frame)


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
