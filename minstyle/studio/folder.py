"""The studio's folder: where pictures and paintings lie. Names in it are made here, of ids that the server made.

index.sqlite            what there is, see ``index``
pictures/ID/            an uploaded picture: ``original``, as it came, and ``view.jpg``
jobs/ID/                a painting: ``job.json``, what was asked for, ``picture.png``, ``view.jpg``,
                        ``trace.jsonl``, ``start``
picks/                  small paintings to choose from, removed at each start
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ..errors import FileError
from ..files import replacing


class Folder:
    """Paths by ids. Raises FileError, when it is made, where the folder cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.index = self.path / "index.sqlite"
        try:
            shutil.rmtree(self.path / "picks", ignore_errors=True)
            for name in ("pictures", "jobs", "picks"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot use the folder {path}: {error.strerror or error}") from error

    def picture(self, key: str) -> Path:
        return self.path / "pictures" / key

    def original(self, key: str) -> Path:
        return self.picture(key) / "original"

    def job(self, key: str) -> Path:
        return self.path / "jobs" / key

    def cell(self, pick: str, number: int) -> Path:
        return self.path / "picks" / f"{pick}-{number}.jpg"


def view_of(folder: Path) -> Path:
    """What is shown of the picture in a folder of the above: a JPEG of at most 1280 pixels."""
    return folder / "view.jpg"


def start_in(job: Path) -> Path:
    """The picture that a painting starts from, in the folder of a job: a copy, for its own job may be removed."""
    return job / "start"


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Raises FileError."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any] | None:
    """None where there is no such file, or none of ours."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
