"""Pictures over HTTP: upload, shelf, views, crop."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from ..errors import ImageError, require
from .folder import view_of
from .index import Row
from .parts import InStudio, Studio
from .schema import Crop, Id, PictureView, Responses, Side
from .views import view_at

JPEG: Responses = {200: {"content": {"image/jpeg": {}}, "description": "The picture as it is shown."}}
FILE: Responses = {200: {"content": {"application/octet-stream": {}}, "description": "The file."}}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The picture's file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def jpeg(data: bytes, *, lasting: bool = True) -> Response:
    """``lasting``: what this address gives does not change."""
    headers = {"cache-control": "private, max-age=31536000"} if lasting else None
    return Response(data, media_type="image/jpeg", headers=headers)


router = APIRouter(prefix="/api/pictures", tags=["pictures"])


@contextlib.contextmanager
def _temporary(studio: Studio) -> Iterator[Path]:
    path = studio.folder.path / "picks" / f"{secrets.token_hex(8)}.png"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@router.post("", openapi_extra=_BODY, status_code=201)
async def upload(
    studio: InStudio, request: Request, name: Annotated[str, Query(max_length=300)] = "picture", mask: bool = False
) -> PictureView:
    """Give the server a picture: the body is the file. The same picture again has the id that it had."""
    shown = "".join(letter for letter in name if letter.isprintable())[-120:] or "picture"
    with _temporary(studio) as path:
        with open(path, "wb") as file:
            async for block in request.stream():
                await run_in_threadpool(file.write, block)
            size = file.tell()
        require(size > 0, shown, "a picture file as the body", "an empty body", ImageError)
        return PictureView(**await run_in_threadpool(studio.pictures.add, path, shown, mask=mask))


@router.get("")
def shelf(studio: InStudio) -> list[PictureView]:
    """The pictures that were painted with, the latest first."""
    return [PictureView(**row) for row in studio.index.shelf()]


@router.get("/{key}")
def picture(studio: InStudio, key: Id) -> PictureView:
    return PictureView(**_known(studio, key))


@router.get("/{key}/view", response_class=Response, responses=JPEG)
def view(studio: InStudio, key: Id, side: Side = 640) -> Response:
    """A JPEG of at most ``side`` pixels on the longer side."""
    _known(studio, key)
    return jpeg(view_at(view_of(studio.folder.picture(key)), side))


@router.get("/{key}/file", response_class=FileResponse, responses=FILE)
def file(studio: InStudio, key: Id) -> FileResponse:
    """The file as it was uploaded."""
    row = _known(studio, key)
    return FileResponse(studio.folder.original(key), media_type="application/octet-stream", filename=row["name"])


@router.post("/{key}/crop", status_code=201)
def crop(studio: InStudio, key: Id, crop: Crop) -> PictureView:
    """A part of a picture as a new picture."""
    row = _known(studio, key)
    require(crop.left < crop.right and crop.top < crop.bottom, "crop", "left < right and top < bottom",
            f"{crop.left:g}, {crop.top:g}, {crop.right:g}, {crop.bottom:g}", ImageError)  # fmt: skip
    with _temporary(studio) as path:
        return PictureView(**studio.pictures.crop(row, crop, path))


@router.delete("/{key}", status_code=204)
def hide(studio: InStudio, key: Id) -> None:
    """Take a picture off the shelf. Paintings made with it stay as they are."""
    _known(studio, key)
    studio.index.hide(key)


def _known(studio: Studio, key: str) -> Row:
    row = studio.index.picture(key)
    if row is None:
        raise KeyError(key)
    return row
