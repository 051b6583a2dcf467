"""Jobs over HTTP, painted by a worker: their pictures, their events, how they stop, go on and are removed."""

from __future__ import annotations

import json
import os
import signal
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from minstyle.images import load_image, load_picture, read_text, save_picture
from minstyle.job.recipefile import recipe_of_picture
from minstyle.studio import tasks
from tests.support.small import picture
from tests.support.studio_server import Server, flat_png, png

LONG = {"effort": 20.0}  # 1600 evaluations: it is stopped before


def test_a_painting_from_upload_to_file(server: Server, tmp_path: Path) -> None:
    request = server.request(styles=None)
    styles = [server.upload(png(seed), f"{seed}.png") for seed in (5, 6)]
    request["styles"] = [{"picture": styles[0], "weight": 3, "scale": 0.8}, {"picture": styles[1]}]
    request |= {"strength": 2.0, "settings": {"color": "content", "tv_weight": 0.5}}
    job = server.post("/api/jobs", json=request).json()
    assert job["request"]["styles"][1] == {"picture": styles[1], "weight": 1.0, "scale": 1.0, "mask": None}
    states = [event["job"]["state"] for event in server.events(job["id"]) if event["event"] == "job"]
    assert states[-1] == "done"
    ended = server.get(f"/api/jobs/{job['id']}").json()
    assert (ended["progress"]["part"], ended["progress"]["evaluation"]) == (1.0, 4)
    assert (ended["progress"]["width"], ended["progress"]["height"]) == (48, 40)
    assert (ended["error"], ended["has_picture"], ended["can_continue"]) == (None, True, False)

    path = tmp_path / "painting.png"
    path.write_bytes(server.file(job["id"]))
    recipe = recipe_of_picture(path)
    assert (recipe.blend, recipe.style_scale, recipe.color, recipe.tv_weight) == ((3, 1), (0.8, 1), "content", 0.5)
    assert (recipe.style_weight, recipe.sizes, recipe.evaluations) == (200.0, (48,), (4, 2))
    assert server.get(f"/api/jobs/{job['id']}/recipe").json() == json.loads(recipe.to_json())
    painted, content = load_image(path), picture(40, 48, 1)
    assert painted.shape == (40, 48, 3)
    assert 1 < np.abs(painted - content).mean() < 60  # another picture, of the same thing
    losses = server.get(f"/api/jobs/{job['id']}/losses").json()
    assert losses["evaluation"] == [1, 2, 3, 4]
    assert losses["loss"][-1] < losses["loss"][0]

    shelf = {row["id"]: row for row in server.get("/api/pictures").json()}
    assert shelf[styles[0]]["as_style"]
    assert not shelf[styles[0]]["as_content"]
    assert shelf[request["content"]]["as_content"]
    assert server.ask("DELETE", f"/api/pictures/{styles[0]}").status_code == 204
    assert styles[0] not in {row["id"] for row in server.get("/api/pictures").json()}


def test_views_are_small_and_the_file_has_its_name(server: Server) -> None:
    large = BytesIO()
    save_picture(picture(300, 400, 3), large, extension=".jpg")
    key = server.upload(large.getvalue(), "large.jpg")
    answer = server.get(f"/api/pictures/{key}/view?side=160")
    assert answer.headers["content-type"] == "image/jpeg"
    assert load_image(answer.content).shape == (120, 160, 3)
    job = server.job(format="jpg")
    server.ended(job)
    assert load_image(server.get(f"/api/jobs/{job}/view?side=320").content).shape == (40, 48, 3)
    answer = server.get(f"/api/jobs/{job}/file", params={"name": 'photo ../in "x"'})
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''photo%20..in%20x.jpg"
    assert read_text(answer.content) is not None


def test_one_that_was_stopped_goes_on_to_the_same_picture(server: Server) -> None:
    whole, broken = (server.job(seed=11, effort=0.25) for _ in range(2))
    assert server.ended(whole)["state"] == "done"
    server.begun(broken)
    assert server.post(f"/api/jobs/{broken}/stop").status_code == 200
    stopped = server.ended(broken)
    assert (stopped["state"], stopped["has_picture"], stopped["can_continue"]) == ("stopped", True, True)
    assert 0 < stopped["progress"]["evaluation"] < 20
    assert load_image(server.file(broken)).shape == (40, 48, 3)
    assert server.post(f"/api/jobs/{broken}/continue").json()["state"] in ("queued", "running")
    assert server.ended(broken)["progress"]["evaluation"] == 20
    assert server.file(broken) == server.file(whole)
    assert server.get(f"/api/jobs/{broken}/losses").json()["evaluation"] == list(range(1, 21))


def test_a_worker_that_is_killed_is_told_and_the_queue_goes_on(server: Server) -> None:
    job, behind = server.job(**LONG), server.job(seed=7)
    assert server.get(f"/api/jobs/{behind}").json()["position"] is not None
    server.begun(job)
    pid = server.studio.painter.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    failed = server.ended(job)
    assert failed["state"] == "failed"
    assert failed["error"] == "the worker was killed (SIGKILL): the system may have been short of memory"
    assert server.ended(behind)["state"] == "done"
    assert server.studio.painter.worker_pid != pid


def test_a_queued_job_is_taken_back_and_removed(server: Server) -> None:
    running, queued = server.job(**LONG), server.job(seed=8)
    assert server.post(f"/api/jobs/{queued}/stop").json()["state"] == "stopped"
    assert server.post(f"/api/jobs/{queued}/stop").status_code == 409
    assert server.ask("DELETE", f"/api/jobs/{queued}").status_code == 204
    assert server.get(f"/api/jobs/{queued}").status_code == 404
    server.begun(running)
    assert server.ask("DELETE", f"/api/jobs/{running}").status_code == 204
    end = time.monotonic() + 30
    while server.get(f"/api/jobs/{running}").status_code != 404:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not server.studio.folder.job(running).exists()


def test_a_result_is_the_start_of_a_larger_one(server: Server) -> None:
    small = server.job(seed=9)
    server.ended(small)
    larger = server.job(seed=9, size=96, start=small, effort=0.02, settings={"content_weight": 1e6})
    server.ask("DELETE", f"/api/jobs/{small}")  # it has a copy
    assert server.ended(larger)["state"] == "done"
    assert load_image(server.file(larger)).shape == (80, 96, 3)
    assert server.post("/api/jobs", json=server.request(start=small)).status_code == 404


def test_masks_say_which_style_goes_where(server: Server) -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    masks = [server.upload(flat_png(*colours), mask=True) for colours in ((red, blue), (red,), (blue,))]
    request = server.request()
    styles = [server.upload(png(seed)) for seed in (21, 22)]
    request["content_mask"] = masks[0]
    request["styles"] = [{"picture": key, "mask": mask} for key, mask in zip(styles, masks[1:], strict=True)]
    job = server.post("/api/jobs", json=request).json()["id"]
    assert server.ended(job)["state"] == "done"
    request["styles"][1]["mask"] = masks[1]
    ended = server.ended(server.post("/api/jobs", json=request).json()["id"])
    assert ended["state"] == "failed"
    assert "no style mask has its colour" in ended["error"]
    assert str(server.studio.folder.path) not in ended["error"]


def test_a_job_whose_folder_is_gone_fails_in_one_line(server: Server) -> None:
    first, lost, behind = server.job(**LONG), server.job(seed=31), server.job(seed=32)
    (server.studio.folder.job(lost) / "job.json").unlink()
    server.studio.folder.job(lost).rmdir()
    server.post(f"/api/jobs/{first}/stop")
    failed = server.ended(lost)
    assert failed["state"] == "failed"
    assert "does not exist" in failed["error"]
    assert str(server.studio.folder.path) not in failed["error"]
    assert server.ended(behind)["state"] == "done"


def test_a_crop_is_a_picture_of_its_own_with_all_its_bits(server: Server) -> None:
    deep = BytesIO()
    save_picture(picture(60, 80, 4), deep, depth=16, dpi=(300.0, 300.0))
    key = server.upload(deep.getvalue(), "deep.png")
    corners = {"left": 0.25, "top": 0, "right": 1, "bottom": 0.75}
    part = server.post(f"/api/pictures/{key}/crop", json=corners).json()
    assert (part["name"], part["width"], part["height"]) == ("deep.png", 60, 45)
    kept = load_picture(server.studio.folder.original(part["id"]))
    assert (kept.depth, kept.dpi) == (16, pytest.approx((300, 300), abs=0.1))
    np.testing.assert_array_equal(kept.image, load_picture(deep.getvalue()).image[:45, 20:])


def test_small_paintings_and_an_estimate_come_beside_the_queue(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "SMALL_SIZE", 60)
    monkeypatch.setattr(tasks, "SMALL_EVALUATIONS", 4)
    running = server.job(**LONG)
    server.begun(running)
    server.hold()  # it need not take the time of what is looked at here
    request = server.request(size=64)
    estimate = server.post("/api/estimates", json=request).json()
    assert estimate["seconds"] > 0
    assert estimate["memory"] > 5e7
    assert estimate["refused"] is None
    cells = [request | {"strength": strength} for strength in (0.1, 10)]
    pick = server.post("/api/picks", json={"cells": cells}).json()
    assert [cell["state"] for cell in pick["cells"]] == ["waiting", "waiting"]
    end = time.monotonic() + 60
    while "waiting" in [cell["state"] for cell in server.get(f"/api/picks/{pick['id']}").json()["cells"]]:
        assert time.monotonic() < end
        time.sleep(0.05)
    weak, strong = (load_image(server.get(f"/api/picks/{pick['id']}/{cell}").content) for cell in (0, 1))
    assert weak.shape == strong.shape == (50, 60, 3)
    assert np.abs(weak - strong).mean() > 2
    assert server.ask("DELETE", f"/api/picks/{pick['id']}").status_code == 204
    assert server.get(f"/api/picks/{pick['id']}/0").status_code == 404
    assert server.get(f"/api/jobs/{running}").json()["state"] == "running"
    server.hold(False)
    server.post(f"/api/jobs/{running}/stop")
