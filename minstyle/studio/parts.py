"""The parts of a studio in its folder, as the server's routes use them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, FastAPI, Request

from .events import Hub
from .folder import Folder
from .helper import Helper
from .index import Index
from .painter import Painter
from .pictures import Pictures
from .tasks import Computer, Tasks


@dataclass(frozen=True)
class Limits:
    """The most bytes and pixels of an upload, and the most jobs that wait."""

    upload_bytes: int = 200_000_000
    upload_pixels: int = 100_000_000
    queue: int = 500


class Studio:
    """The parts of a studio in a folder. Raises FileError where the folder cannot be used."""

    def __init__(self, path: Path, computer: Computer, limits: Limits) -> None:
        self.limits = limits
        self.folder = Folder(path)
        self.index = Index(self.folder)
        self.hub = Hub()
        self.tasks = Tasks(self.folder, self.index, computer)
        self.pictures = Pictures(self.folder, self.index, limits.upload_pixels)
        self.painter = Painter(self.folder, self.index, self.hub, self.tasks, limits.queue)
        self.helper = Helper(self.folder, self.hub, self.tasks)

    @contextlib.asynccontextmanager
    async def running(self, app: FastAPI) -> AsyncIterator[None]:
        self.hub.open()
        self.pictures.clear()
        self.painter.start()
        self.helper.start()
        try:
            yield
        finally:
            self.hub.close()
            self.helper.close()
            self.painter.close()
            self.index.close()

    def ask_end(self, *, at_once: bool = False) -> None:
        """The server is to end: streams and workers end now, so that little is left to wait for."""
        self.hub.close()
        self.helper.ask_end()
        self.painter.ask_end(at_once=at_once)


def _studio_of(request: Request) -> Studio:
    return cast(Studio, request.app.state.studio)


InStudio = Annotated[Studio, Depends(_studio_of)]
