"""Small paintings to choose from, and estimates, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Path as InPath

from .parts import InStudio
from .picture_routes import JPEG, jpeg
from .schema import MOST_CELLS, EstimateView, Id, JobRequest, PickRequest, PickView

Number = Annotated[int, InPath(ge=0, lt=MOST_CELLS)]

router = APIRouter(prefix="/api", tags=["before painting"])


@router.post("/estimates")
def estimate(studio: InStudio, request: JobRequest) -> EstimateView:
    """What a painting will take, in seconds and bytes; nothing is queued."""
    return studio.helper.estimate(request)


@router.post("/picks", status_code=201)
def pick(studio: InStudio, request: PickRequest) -> PickView:
    """Paint several choices small, by the small network; the events "cell" tell when each is there."""
    return studio.helper.pick(request.cells)


@router.get("/picks/{key}")
def state(studio: InStudio, key: Id) -> PickView:
    return studio.helper.view(studio.helper.find(key))


@router.get("/picks/{key}/{number}", response_class=Response, responses=JPEG)
def cell(studio: InStudio, key: Id, number: Number) -> Response:
    """One of the small paintings."""
    return jpeg(studio.helper.cell(key, number).read_bytes())


@router.delete("/picks/{key}", status_code=204)
def remove(studio: InStudio, key: Id) -> None:
    """Forget a row, whatever of it is still to be painted."""
    studio.helper.remove(key)
