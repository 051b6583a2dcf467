"""What was asked for, by ids, as a task for a worker, by paths. Ids become paths here and in ``folder`` alone."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RecipeError, require
from ..recipe.recipe import Recipe
from ..recipe.sizes import check_shapes
from .folder import Folder, start_in, view_of
from .index import Index, Row
from .schema import JobRequest, recipe_of, used_styles

SMALL_SIZE = 96  # pixels of the longer side of a small painting
SMALL_EVALUATIONS = 20


@dataclass(frozen=True)
class Computer:
    """What computes: as for ``job.machine.Machine``."""

    device: str = "auto"
    threads: int | None = None


class UnknownError(RecipeError):
    """No picture or job has that id."""


class Tasks:
    """Makes tasks of requests, and refuses what no worker need look at."""

    def __init__(self, folder: Folder, index: Index, computer: Computer) -> None:
        self._folder, self._index, self._computer = folder, index, computer

    def check(self, request: JobRequest) -> None:
        """Raise a MinstyleError for what cannot be painted, as far as that is known without decoding a picture."""
        for key in [request.content, *(style.picture for style in request.styles), *_masks_of(request)]:
            if self._index.picture(key) is None:
                raise UnknownError(f"picture {key}: there is none with that id; upload it first")
        if _masks_of(request):
            require(request.content_mask is not None, "masks", "one for the photograph too", "none", RecipeError)
            require(bool(used_styles(request)), "masks", "one for a style too", "none", RecipeError)
        recipe = recipe_of(request)
        self.start_of(request)
        content = self._index.picture(request.content)
        assert content is not None
        check_shapes((content["height"], content["width"], 3), recipe, content["name"])

    def start_of(self, request: JobRequest) -> Path | None:
        """The picture that a painting is to start from, if it is to. Raises UnknownError."""
        key = request.start
        if key is None:
            return None
        job = self._index.job(key)
        if job is None or not self.picture_of(job).exists():
            raise UnknownError(f"job {key}: it has no picture to start from")
        return self.picture_of(job)

    def picture_of(self, job: Row) -> Path:
        return self._folder.job(job["id"]) / f"picture.{job['request']['format']}"

    def paint(self, job: Row) -> dict[str, Any]:
        """The task of a job of the index."""
        request, place = JobRequest(**job["request"]), self._folder.job(job["id"])
        start = start_in(place)
        return self._task("paint", job["id"], request, self.picture_of(job), recipe_of(request)) | {
            "trace": str(place / "trace.jsonl"),
            "view": str(view_of(place)),
            "initial": str(start) if start.exists() else None,
        }

    def estimate(self, key: str, request: JobRequest) -> dict[str, Any]:
        out = self._folder.path / "picks" / f"{key}.png"
        return self._task("estimate", key, request, out, recipe_of(request))

    def small(self, key: str, request: JobRequest, out: Path) -> dict[str, Any]:
        """A small painting by the small network, from what is shown of the pictures: they are small enough."""
        request = request.model_copy(update={"size": SMALL_SIZE, "network": "mini", "start": None})
        task = self._task("small", key, request, out, small(recipe_of(request)))
        content, *styles = (str(view_of(self._folder.picture(key))) for key in _pictures_of(request))
        names = dict(zip([content, *styles], task["names"].values(), strict=False))
        return task | {"content": content, "styles": styles, "names": task["names"] | names}

    def _task(self, do: str, key: str, request: JobRequest, out: Path, recipe: Recipe) -> dict[str, Any]:
        pictures, masks = _pictures_of(request), _masks_of(request)
        names = {}
        for picture in [*pictures, *masks]:
            row = self._index.picture(picture)
            names[str(self._folder.original(picture))] = row["name"] if row else "a picture that is gone"
        content, *styles = (str(self._folder.original(picture)) for picture in pictures)
        return {
            "do": do, "id": key, "content": content, "styles": styles, "out": str(out),
            "masks": [str(self._folder.original(mask)) for mask in masks], "initial": None,
            "recipe": json.loads(recipe.to_json()), "network": request.network, "device": self._computer.device,
            "threads": self._computer.threads, "keep_metadata": request.keep_metadata,
            "names": {**names, str(self._folder.path): "the studio's folder"},
        }  # fmt: skip


def small(recipe: Recipe) -> Recipe:
    """The recipe as a small painting has it: one size, a handful of evaluations."""
    return dataclasses.replace(recipe, scales=1, rounds=1, evaluations=(SMALL_EVALUATIONS,), draft="none")


def _pictures_of(request: JobRequest) -> list[str]:
    return [request.content, *(style.picture for style in used_styles(request))]


def _masks_of(request: JobRequest) -> list[str]:
    return [key for key in (request.content_mask, *(style.mask for style in request.styles)) if key is not None]
