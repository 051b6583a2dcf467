"""Jobs over HTTP: post, follow, look, fetch, stop, go on, remove."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse, StreamingResponse

from ..errors import ImageError
from .events import Event, Hub
from .folder import view_of
from .index import UNFINISHED, Row
from .parts import InStudio, Studio
from .picture_routes import JPEG, jpeg
from .schema import Id, JobRequest, JobView, Losses, Responses, Side, recipe_of
from .views import view_at

_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "tiff": "image/tiff"}
_FILE: Responses = {
    200: {"content": {kind: {} for kind in _TYPES.values()}, "description": "The file, with the recipe in it."}
}
_EVENTS: Responses = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events, each a line of JSON."}
}
_RECIPE: Responses = {
    200: {"content": {"application/json": {}}, "description": "The recipe, as --recipe FILE.json takes it."}
}
_MOST_LOSSES = 2000

router = APIRouter(prefix="/api", tags=["jobs"])


@router.post("/jobs", status_code=201)
def post(studio: InStudio, request: JobRequest) -> JobView:
    """Queue a painting."""
    return studio.painter.view(studio.painter.add(request))


@router.get("/jobs")
def jobs(
    studio: InStudio, limit: Annotated[int, Query(ge=1, le=500)] = 100, before: Annotated[int, Query(ge=0)] = 2**53
) -> list[JobView]:
    """The latest first: of those whose number is below ``before`` so many as ``limit`` says."""
    return list(map(studio.painter.view, studio.index.jobs(limit, before)))


@router.get("/jobs/{key}")
def job(studio: InStudio, key: Id) -> JobView:
    return studio.painter.view(_known(studio, key))


@router.post("/jobs/{key}/stop")
def stop(studio: InStudio, key: Id) -> JobView:
    """End a job; it keeps the picture so far, and can go on."""
    _known(studio, key)
    return studio.painter.view(studio.painter.stop(key))


@router.post("/jobs/{key}/continue")
def go_on(studio: InStudio, key: Id) -> JobView:
    """Queue a job again that was stopped or failed: it goes on where it was."""
    _known(studio, key)
    return studio.painter.view(studio.painter.go_on(key))


@router.delete("/jobs/{key}", status_code=204)
def remove(studio: InStudio, key: Id) -> None:
    """Remove a job and its picture; one that is being painted is stopped first."""
    _known(studio, key)
    studio.painter.remove(key)


@router.get("/jobs/{key}/view", response_class=Response, responses=JPEG)
def view(studio: InStudio, key: Id, side: Side = 640) -> Response:
    """The picture as it stands: a JPEG of at most ``side`` pixels on the longer side."""
    return jpeg(view_at(view_of(studio.folder.job(_known(studio, key)["id"])), side), lasting=False)


@router.get("/jobs/{key}/file", response_class=FileResponse, responses=_FILE)
def file(
    studio: InStudio, key: Id, name: Annotated[str, Query(max_length=200)] = "painting", inline: bool = False
) -> FileResponse:
    """The finished picture, or that of a job that was stopped."""
    job = _known(studio, key)
    path, form = studio.tasks.picture_of(job), job["request"]["format"]
    if not path.exists():
        raise ImageError("no picture yet")
    plain = "".join(letter for letter in name if letter.isprintable() and letter not in '/\\:*?"<>|') or "painting"
    return FileResponse(path, media_type=_TYPES[form], filename=f"{plain}.{form}",
                        content_disposition_type="inline" if inline else "attachment")  # fmt: skip


@router.get("/jobs/{key}/recipe", response_class=Response, responses=_RECIPE)
def recipe(studio: InStudio, key: Id) -> Response:
    """All settings of a job, as JSON."""
    text = recipe_of(JobRequest(**_known(studio, key)["request"])).to_json()
    return Response(text, media_type="application/json")


@router.get("/jobs/{key}/losses")
def losses(studio: InStudio, key: Id) -> Losses:
    """The loss of each evaluation so far."""
    try:
        lines = (studio.folder.job(_known(studio, key)["id"]) / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    records = [json.loads(line) for line in lines[:: 1 + len(lines) // _MOST_LOSSES] if line.endswith("}")]
    return Losses(
        evaluation=[record["evaluation"] for record in records],
        stage=[record["stage"] for record in records],
        loss=[record["loss"] for record in records],
    )


@router.get("/events", response_class=StreamingResponse, responses=_EVENTS)
def events(studio: InStudio) -> StreamingResponse:
    """All that happens, as server-sent events: hello (with the job that is being painted, if one is), job, progress,
    removed, cell, trouble."""

    def first() -> list[Event]:
        row = studio.index.running_job()
        return [{"event": "hello", "job": None if row is None else studio.painter.view(row).model_dump()}]

    return _streaming(studio.hub, first, lambda event: True, lambda event: False)


@router.get("/jobs/{key}/events", response_class=StreamingResponse, responses=_EVENTS)
def job_events(studio: InStudio, key: Id) -> StreamingResponse:
    """What happens to one job, up to its end."""
    _known(studio, key)

    def first() -> list[Event]:
        job = studio.index.job(key)
        if job is None:
            return [{"event": "removed", "id": key}]
        return [{"event": "job", "id": key, "job": studio.painter.view(job).model_dump()}]

    def last(event: Event) -> bool:
        return event["event"] == "removed" or (event["event"] == "job" and event["job"]["state"] not in UNFINISHED)

    return _streaming(studio.hub, first, lambda event: event.get("id") == key, last)


def _streaming(
    hub: Hub, first: Callable[[], list[Event]], wanted: Callable[[Event], bool], last: Callable[[Event], bool]
) -> StreamingResponse:
    return StreamingResponse(hub.stream(first, wanted, last), media_type="text/event-stream")


def _known(studio: Studio, key: str) -> Row:
    job = studio.index.job(key)
    if job is None:
        raise KeyError(key)
    return job
