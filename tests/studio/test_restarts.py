"""A server that ends and one that begins in the same folder: nothing is lost, one at a time."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from minstyle.errors import FileError
from minstyle.studio.parts import Limits, Studio
from minstyle.studio.tasks import Computer
from tests.support.studio_server import Server, png


def test_what_was_being_painted_goes_on_and_the_queue_behind_it(tmp_path: Path) -> None:
    before = Server(tmp_path)
    whole = before.job(seed=3, effort=0.25)
    assert before.ended(whole)["state"] == "done"
    running, queued = before.job(seed=3, effort=0.25), before.job(seed=4)
    before.begun(running)
    before.close()
    (checkpoint,) = before.studio.folder.job(running).glob("*.checkpoint")
    assert checkpoint.stat().st_size > 0

    after = Server(tmp_path)
    assert [job["id"] for job in after.get("/api/jobs").json()] == [queued, running, whole]
    assert after.ended(running)["progress"]["evaluation"] == 20
    assert after.file(running) == after.file(whole)
    assert after.ended(queued)["state"] == "done"
    assert not checkpoint.exists()
    after.close()


@pytest.mark.parametrize("damage", ["lost", "damaged"])
def test_an_index_is_made_again_of_the_files(tmp_path: Path, damage: str) -> None:
    before = Server(tmp_path)
    done, stopped = before.job(seed=3), before.job(seed=5)
    assert before.ended(done)["state"] == "done"
    before.post(f"/api/jobs/{stopped}/stop")
    before.ended(stopped)
    jobs, shelf = before.get("/api/jobs").json(), before.get("/api/pictures").json()
    before.close()
    for file in tmp_path.glob("index.*"):
        file.unlink()
    if damage == "damaged":
        (tmp_path / "index.sqlite").write_bytes(b"no database" * 1000)

    after = Server(tmp_path)
    again = after.get("/api/jobs").json()
    kept = ("id", "created", "request", "has_picture")
    assert [[job[key] for key in kept] for job in again] == [[job[key] for key in kept] for job in jobs]
    assert again[1]["state"] == "done"
    assert {row["id"] for row in after.get("/api/pictures").json()} == {row["id"] for row in shelf}
    assert after.file(done)
    after.close()


def test_uploads_that_nobody_painted_with_go_after_a_day(tmp_path: Path) -> None:
    before = Server(tmp_path)
    used, hidden, fresh, old = (before.upload(png(seed)) for seed in range(1, 5))
    before.post("/api/jobs", json={"content": used, "styles": [{"picture": hidden}], "network": "mini", "size": 48})
    before.ask("DELETE", f"/api/pictures/{hidden}")
    before.close()
    for key in (used, hidden, old):
        os.utime(before.studio.folder.picture(key), (0, 0))
    after = Server(tmp_path)
    assert [after.get(f"/api/pictures/{key}").status_code for key in (used, hidden, fresh, old)] == [200, 200, 200, 404]
    assert not after.studio.folder.picture(old).exists()
    after.close()


def test_a_second_studio_in_the_folder_is_refused(tmp_path: Path) -> None:
    studio = Studio(tmp_path, Computer(), Limits())
    with pytest.raises(FileError, match="another studio is at work in this folder; open its page, or give another one"):
        Studio(tmp_path, Computer(), Limits())
    studio.index.close()
    Studio(tmp_path, Computer(), Limits()).index.close()


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"cannot use the folder .*file: Not a directory"):
        Studio(tmp_path / "file", Computer(), Limits())


def test_the_index_is_on_the_disk_at_once(tmp_path: Path) -> None:
    studio = Studio(tmp_path, Computer(), Limits())
    studio.index.add_picture("0123456789abcdef", "a.png", 3, 4)
    copy = tmp_path / "copy"  # as a machine finds it that lost its power now
    copy.mkdir()
    for file in tmp_path.glob("index.*"):
        (copy / file.name).write_bytes(file.read_bytes())
    with sqlite3.connect(copy / "index.sqlite") as connection:
        assert connection.execute("SELECT name, width, height FROM pictures").fetchall() == [("a.png", 3, 4)]
    connection.close()
    studio.index.close()
