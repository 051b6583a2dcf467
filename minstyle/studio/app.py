"""The server: what is asked for over HTTP goes to the studio's parts, errors come back as one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from ..errors import FileError, MinstyleError, short
from ..recipe.presets import RECIPES
from ..version import __version__
from . import job_routes, pick_routes, picture_routes
from .guard import Guard
from .painter import QueueFullError, StateError
from .parts import Limits, Studio
from .schema import MOST_STYLES, SETTINGS, About, Problem, Responses
from .tasks import UnknownError

PROBLEMS = {
    400: "The body is not JSON.",
    401: "The token is missing or wrong.",
    403: "Asked from a page of another site.",
    404: "There is nothing with that id.",
    405: "This address does not take that method.",
    409: "Not possible in its present state.",
    413: "The body is too large.",
    421: "The server is not known by the name in Host.",
    422: "What was sent is wrong.",
    429: "The queue is full.",
    507: "The disk is full or closed.",
}


def build_app(studio: Studio, *, token: str | None = None, hosts: tuple[str, ...] = ()) -> ASGIApp:
    """The whole server, with its guard before it."""
    problems: Responses = {code: {"model": Problem, "description": text} for code, text in PROBLEMS.items()}
    app = FastAPI(
        title="minstyle studio",
        version=__version__,
        description="Paint photographs in the style of paintings: post pictures, post a job, follow it, fetch it.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page would call other hosts
        redoc_url=None,
        lifespan=studio.running,
        responses=problems,
    )
    _answer_errors(app)
    app.state.studio = studio
    for router in (picture_routes.router, job_routes.router, pick_routes.router):
        app.include_router(router)
    _add_page(app, studio.limits)
    return Guard(app, token=token, hosts=hosts, most_bytes=studio.limits.upload_bytes)


def _add_page(app: FastAPI, limits: Limits) -> None:
    static = Path(str(files("minstyle.studio") / "static"))

    @app.get("/api/about")
    def about() -> About:
        """Version, names and limits."""
        return About(
            version=__version__,
            recipes=list(RECIPES),
            settings=list(SETTINGS),
            most_styles=MOST_STYLES,
            upload_bytes=limits.upload_bytes,
            upload_pixels=limits.upload_pixels,
        )

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(static / "index.html", headers={"cache-control": "no-cache"})

    app.mount("/static", StaticFiles(directory=static))


_STATUS: dict[type[Exception], int] = {
    UnknownError: 404,
    StateError: 409,
    QueueFullError: 429,
    FileError: 507,
    MinstyleError: 422,
    sqlite3.Error: 507,
    OSError: 507,
    MemoryError: 507,
}


def _answer_errors(app: FastAPI) -> None:
    """Every error as {"detail": one line}."""

    def answering(status: int) -> Callable[[Request, Exception], JSONResponse]:
        def answer(request: Request, error: Exception) -> JSONResponse:
            text = "not enough memory for a picture of this size" if isinstance(error, MemoryError) else str(error)
            return JSONResponse({"detail": " ".join(text.split())}, status)

        return answer

    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, answering(status))

    @app.exception_handler(KeyError)
    def unknown(request: Request, error: KeyError) -> JSONResponse:
        return JSONResponse({"detail": f"there is none with the id {error.args[0]}"}, 404)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["loc"][0] == "path" and first["type"] == "string_pattern_mismatch":  # as an id it can have nothing
            return JSONResponse({"detail": f"there is none with the id {short(first['input'])}"}, 404)
        place = ".".join(map(str, first["loc"][1:])) or str(first["loc"][0])
        return JSONResponse({"detail": f"{place}: {' '.join(str(first['msg']).split())}"}, 422)
