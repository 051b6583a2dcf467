"""A studio's server in a thread of the test's process, and what one asks of it, as a program would."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import requests
import uvicorn

from minstyle.images import save_image
from minstyle.studio.app import build_app
from minstyle.studio.parts import Limits, Studio
from minstyle.studio.tasks import Computer
from tests.support.small import picture

Json = dict[str, Any]


class Server:
    """Serves the studio in ``folder`` until ``close``. ``get`` and so on take paths and return requests' answers."""

    def __init__(self, folder: Path, limits: Limits | None = None, token: str | None = None, port: int = 0) -> None:
        self.studio = Studio(folder, Computer("cpu", 1), limits or Limits())
        listening = socket.create_server(("127.0.0.1", port))
        app = build_app(self.studio, token=token)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.session = requests.Session()
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def close(self) -> None:
        self.session.close()
        self.studio.hub.close()
        self._server.should_exit = True
        self._thread.join()

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self.address + path, timeout=60, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return self.ask("POST", path, **more)

    def upload(self, data: bytes, name: str = "photo.png", **query: Any) -> str:
        """The id of a picture."""
        answer = self.post("/api/pictures", data=data, params={"name": name, **query})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def request(self, seed: int = 1, **more: Any) -> Json:
        """A small painting by the small network in some tenths of a second."""
        content, style = (self.upload(png(seed + i), name) for i, name in enumerate(("photo.png", "painting.png")))
        small = {"network": "mini", "size": 48, "effort": 0.05}
        return {"content": content, "styles": [{"picture": style}], **small, **more}

    def job(self, **more: Any) -> str:
        """The id of a new job."""
        answer = self.post("/api/jobs", json=self.request(**more))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def events(self, job: str) -> Iterator[Json]:
        """What happens to a job, up to its end."""
        with self.get(f"/api/jobs/{job}/events", stream=True) as answer:
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def hold(self, held: bool = True) -> None:
        """Hold the worker that paints, as in a step that takes long; or let it go on."""
        pid = self.studio.painter.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP if held else signal.SIGCONT)

    def begun(self, job: str) -> Json:
        """The first progress of a job."""
        return next(event for event in self.events(job) if event["event"] == "progress")

    def ended(self, job: str) -> Json:
        """The job, at its end."""
        *_, last = self.events(job)
        assert last["event"] == "job"
        found: Json = last["job"]
        return found

    def file(self, job: str) -> bytes:
        return self.get(f"/api/jobs/{job}/file").content


def png(seed: int, height: int = 40, width: int = 48) -> bytes:
    """A small picture's file."""
    stream = BytesIO()
    save_image(picture(height, width, seed), stream)
    return stream.getvalue()


def flat_png(*colours: tuple[int, int, int]) -> bytes:
    """A mask: stripes of these colours, side by side."""
    stream = BytesIO()
    stripes = np.repeat(np.array([colours], np.float32), 48 // len(colours), axis=1)
    save_image(np.repeat(stripes, 40, axis=0), stream)
    return stream.getvalue()
