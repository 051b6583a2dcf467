"""What the page, or any program, asks for and is told: the server's JSON, checked."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ..errors import RecipeError
from ..recipe.presets import RECIPES
from ..recipe.recipe import Recipe
from ..recipe.settings import json_value, shown
from ..suggest import meant
from .views import LARGEST

MOST_STYLES = 8
MOST_CELLS = 12  # small paintings of one row of the picker

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Responses = dict[int | str, dict[str, Any]]  # as FastAPI documents them
Side = Annotated[int, Field(ge=64, le=LARGEST)]

# What JobRequest has under names of its own.
_NOT_SETTINGS = {"sizes", "size_of", "blend", "style_scale", "style_crop"}
SETTINGS = tuple(field.name for field in dataclasses.fields(Recipe)
                 if "parse" in field.metadata and field.name not in _NOT_SETTINGS)  # fmt: skip


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class StyleChoice(Asked):
    """A style picture, how much it counts beside the others, and how large its strokes are.

    Without a mask, where the photograph has one, it has no place yet, and is left out.
    """

    picture: Id
    weight: float = Field(1.0, ge=0, le=1000)
    scale: float = Field(1.0, ge=0.05, le=20)
    mask: Id | None = None


class JobRequest(Asked):
    """A painting: pictures by their ids, a recipe by its name, and what is to be changed in it.

    ``strength`` multiplies the recipe's style weight, ``effort`` its evaluations. ``size`` is of the longer side.
    ``settings`` are fields of the recipe. ``start`` is a job whose picture the painting starts from.
    """

    content: Id
    styles: list[StyleChoice] = Field(min_length=1, max_length=MOST_STYLES)
    content_mask: Id | None = None
    recipe: str = Field("fine", max_length=100, json_schema_extra={"enum": list(RECIPES)})
    size: int = Field(512, ge=32, le=20_000)
    strength: float = Field(1.0, ge=0.001, le=1000)
    effort: float = Field(1.0, ge=0.01, le=20)
    settings: dict[str, Any] = Field(
        default_factory=dict, max_length=len(SETTINGS), json_schema_extra={"propertyNames": {"enum": list(SETTINGS)}}
    )
    network: Literal["auto", "vgg19", "mini"] = "auto"
    start: Id | None = None
    format: Literal["png", "jpg", "webp", "tiff"] = "png"
    keep_metadata: bool = False


class Crop(Asked):
    """The part of a picture that is kept, in parts of its width and height."""

    left: float = Field(ge=0, le=1)
    top: float = Field(ge=0, le=1)
    right: float = Field(ge=0, le=1)
    bottom: float = Field(ge=0, le=1)


class PickRequest(Asked):
    """A row of small paintings to choose from: each as its job would be, at a size of some hundred pixels."""

    cells: list[JobRequest] = Field(min_length=1, max_length=MOST_CELLS)


class PictureView(BaseModel):
    """A picture that was uploaded; the times, in seconds since 1970, say when it last was a photograph or a style."""

    id: Id
    name: str
    width: int
    height: int
    as_content: float | None
    as_style: float | None


class Progress(BaseModel):
    """How far a painting is: ``part`` 0..1 of its work, ``left`` seconds, ``pictures`` counts those to look at."""

    part: float = 0.0
    left: float | None = None
    evaluation: int = 0
    evaluations: int = 0
    loss: float | None = None
    width: int = 0
    height: int = 0
    stage: int = 0
    stages: int = 0
    seconds: float = 0.0
    pictures: int = 0
    notices: list[str] = []


class JobView(BaseModel):
    """A job as it stands. ``error`` is one line; numbers grow from job to job, ``position`` is that in the queue.

    ``stopping``: it was asked to stop, and ends after the step that it is at.
    """

    id: Id
    number: int
    created: float
    state: Literal["queued", "running", "done", "stopped", "failed"]
    request: JobRequest
    progress: Progress
    error: str | None
    position: int | None
    has_picture: bool
    can_continue: bool
    stopping: bool


class Losses(BaseModel):
    """One entry an evaluation, thinned to some thousand: its number, the size it is of from 1, its loss."""

    evaluation: list[int]
    stage: list[int]
    loss: list[float]


class EstimateView(BaseModel):
    """What a painting will take: seconds, bytes, and, where it does not fit the memory there is, why in one line."""

    seconds: float
    memory: int
    refused: str | None


class CellView(BaseModel):
    state: Literal["waiting", "done", "failed"]
    error: str | None = None


class PickView(BaseModel):
    id: Id
    cells: list[CellView]


class About(BaseModel):
    """What the page needs to know: the version, recipes' names, settings, and limits."""

    version: str
    recipes: list[str]
    settings: list[str]
    most_styles: int
    upload_bytes: int
    upload_pixels: int


class Problem(BaseModel):
    """What is wrong, in one line."""

    detail: str


def recipe_of(request: JobRequest) -> Recipe:
    """The recipe that was asked for. Raises RecipeError."""
    recipe, styles = RECIPES[request.recipe], used_styles(request)
    for name in request.settings:
        if name not in SETTINGS:
            raise RecipeError(f"unknown setting {shown(name)}: {meant(name, SETTINGS)}")
    try:
        changes = {name: json_value(value) for name, value in request.settings.items()}
    except ValueError as error:
        raise RecipeError(f"settings: {error}") from None
    recipe = dataclasses.replace(recipe, **changes)
    budget = recipe.evaluations[-1:] if request.start else recipe.evaluations
    return dataclasses.replace(
        recipe,
        sizes=(request.size,),
        size_of="long",
        scales=1 if request.start else recipe.scales,  # what was painted is gone on from, at its new size
        style_weight=recipe.style_weight * request.strength,
        evaluations=tuple(max(1, round(count * request.effort)) for count in budget),
        blend=tuple(style.weight for style in styles) if len(styles) > 1 else (),
        style_scale=tuple(style.scale for style in styles),
    )


def used_styles(request: JobRequest) -> list[StyleChoice]:
    """All styles; where there are regions, those that have a mask."""
    return [style for style in request.styles if request.content_mask is None or style.mask is not None]
