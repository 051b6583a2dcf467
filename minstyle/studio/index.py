"""What the studio's folder holds, in SQLite. Files are what counts: an index that is lost is made of them again."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from typing import Any

from ..errors import FileError
from .folder import Folder, read_json

Row = dict[str, Any]
UNFINISHED = ("queued", "running")

_TABLES = """
CREATE TABLE IF NOT EXISTS pictures(
    id TEXT PRIMARY KEY, name TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, as_content REAL,
    as_style REAL);
CREATE TABLE IF NOT EXISTS jobs(
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, created REAL NOT NULL, state TEXT NOT NULL,
    request TEXT NOT NULL, progress TEXT NOT NULL DEFAULT '{}', error TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs(state);
"""


class Index:
    """The tables of pictures and jobs, for all threads. One process at a time: another is refused with FileError."""

    def __init__(self, folder: Folder) -> None:
        self._lock, self._folder = threading.Lock(), folder
        new = not folder.index.exists()
        try:
            self._connection = _connected(folder)
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise FileError(f"{folder.path}: another studio is at work in this folder; "
                                "open its page, or give another one by --folder") from None  # fmt: skip
            os.replace(folder.index, folder.index.with_name("index.damaged"))
            self._connection, new = _connected(folder), True
        if new:
            self._read_files()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _do(self, sql: str, *values: Any) -> list[Row]:
        with self._lock:
            return [dict(row) for row in self._connection.execute(sql, values)]

    def add_picture(self, key: str, name: str, width: int, height: int) -> None:
        self._do("INSERT OR IGNORE INTO pictures(id, name, width, height) VALUES(?, ?, ?, ?)", key, name, width, height)

    def picture(self, key: str) -> Row | None:
        return next(iter(self._do("SELECT * FROM pictures WHERE id = ?", key)), None)

    def shelf(self) -> list[Row]:
        """The pictures that were painted with, the latest first."""
        return self._do("SELECT * FROM pictures WHERE as_content IS NOT NULL OR as_style IS NOT NULL "
                        "ORDER BY max(ifnull(as_content, 0), ifnull(as_style, 0)) DESC LIMIT 500")  # fmt: skip

    def use(self, content: str, styles: list[str]) -> None:
        """Note that these were painted with."""
        self._do("UPDATE pictures SET as_content = ? WHERE id = ?", time.time(), content)
        for key in styles:
            self._do("UPDATE pictures SET as_style = ? WHERE id = ?", time.time(), key)

    def hide(self, key: str) -> None:
        """Off the shelf: paintings still need it."""
        self._do("UPDATE pictures SET as_content = NULL, as_style = NULL WHERE id = ?", key)

    def remove_picture(self, key: str) -> None:
        self._do("DELETE FROM pictures WHERE id = ?", key)

    def in_use(self, key: str) -> bool:
        """Whether a job was asked for with the picture, or it lies on the shelf."""
        on_shelf = "SELECT 1 FROM pictures WHERE id = ? AND (as_content IS NOT NULL OR as_style IS NOT NULL)"
        sql = f"SELECT EXISTS({on_shelf}) OR EXISTS(SELECT 1 FROM jobs WHERE instr(request, ?)) AS used"
        return bool(self._do(sql, key, key)[0]["used"])

    def add_job(self, key: str, request: Row, most: int | None = None) -> bool:
        """A job at the end of the queue; false, and nothing, where ``most`` are waiting."""
        text = json.dumps(request)
        limit = 2**62 if most is None else most
        self._do("INSERT INTO jobs(id, created, state, request) SELECT ?, ?, 'queued', ? WHERE (SELECT count(*) FROM "
                 "jobs WHERE state IN ('queued', 'running')) < ?", key, time.time(), text, limit)  # fmt: skip
        return self.job(key) is not None

    def job(self, key: str) -> Row | None:
        return next(iter(map(_parsed, self._do("SELECT * FROM jobs WHERE id = ?", key))), None)

    def jobs(self, limit: int, before: int) -> list[Row]:
        """The latest first, of those numbered below ``before``."""
        sql = "SELECT * FROM jobs WHERE number < ? ORDER BY number DESC LIMIT ?"
        return list(map(_parsed, self._do(sql, before, limit)))

    def next_job(self) -> Row | None:
        """What a server before this one was painting comes first, then the queue."""
        sql = "SELECT * FROM jobs WHERE state IN ('running', 'queued') ORDER BY state = 'queued', number LIMIT 1"
        return next(iter(map(_parsed, self._do(sql))), None)

    def running_job(self) -> Row | None:
        return next(iter(map(_parsed, self._do("SELECT * FROM jobs WHERE state = 'running'"))), None)

    def position(self, job: Row) -> int | None:
        if job["state"] != "queued":
            return None
        sql = "SELECT count(*) AS n FROM jobs WHERE state = 'running' OR (state = 'queued' AND number < ?)"
        return 1 + int(self._do(sql, job["number"])[0]["n"])

    def set_state(self, key: str, state: str, error: str | None = None, *, only: tuple[str, ...] = ()) -> bool:
        """Whether it was in one of the states ``only``, if any are given, and now is in ``state``."""
        among = f" AND state IN ({', '.join('?' * len(only))})" if only else ""
        sql = f"UPDATE jobs SET state = ?, error = ? WHERE id = ?{among} RETURNING id"
        return bool(self._do(sql, state, error, key, *only))

    def set_progress(self, key: str, progress: Row) -> None:
        self._do("UPDATE jobs SET progress = ? WHERE id = ?", json.dumps(progress), key)

    def remove_job(self, key: str) -> None:
        self._do("DELETE FROM jobs WHERE id = ?", key)

    def _read_files(self) -> None:
        """The tables of what lies in the folder: jobs that have no picture are stopped, and can go on."""
        for file in sorted(self._folder.path.glob("pictures/*/about.json")):
            about = read_json(file)
            if about is not None and {"name", "width", "height"} <= about.keys():
                self.add_picture(file.parent.name, str(about["name"]), int(about["width"]), int(about["height"]))
        found = [(file, read_json(file)) for file in self._folder.path.glob("jobs/*/job.json")]
        for file, about in sorted(found, key=lambda pair: (pair[1] or {}).get("created", 0)):
            if about is None or "request" not in about:
                continue
            key, ended = file.parent.name, not any(file.parent.glob("picture.*.checkpoint"))
            self.add_job(key, about["request"])
            self._do("UPDATE jobs SET created = ? WHERE id = ?", about.get("created", 0), key)
            self.set_state(key, "done" if ended and any(file.parent.glob("picture.*")) else "stopped")
            self.use(about["request"]["content"], [style["picture"] for style in about["request"]["styles"]])


def _connected(folder: Folder) -> sqlite3.Connection:
    connection = sqlite3.connect(folder.index, timeout=0, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # held until it is closed: one studio a folder
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(f"BEGIN EXCLUSIVE; {_TABLES} COMMIT;")
        connection.execute("SELECT count(*) FROM jobs, pictures").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _parsed(row: Row) -> Row:
    return row | {"request": json.loads(row["request"]), "progress": json.loads(row["progress"])}
