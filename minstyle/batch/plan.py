"""From rows to jobs: all that can be refused before the first picture is, and what is done already is found."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileError, ImageError, MinstyleError, RecipeError, require, short
from ..files import check_outputs, check_writable
from ..images import check_image_path, picture_shape, read_text
from ..job.description import Job
from ..job.done import is_done, made_of
from ..job.machine import Networks, weights_files
from ..job.options import changed, of_every_picture, start_file
from ..job.recipefile import named_recipe, recipe_file
from ..job.values import ORIGINAL
from ..recipe.presets import DEFAULT_RECIPE
from ..recipe.recipe import Recipe
from ..recipe.sizes import check_styles
from ..run.pictures import check_start
from ..run.stages import plan_stages, planned_evaluations, relative_cost
from ..weights.checksums import digest
from .options import picture_name
from .rows import Row

_LONGEST = 200  # bytes of a name: checkpoints and temporary files add to it


@dataclass(frozen=True)
class Task:
    """A job, what it costs beside the others, and why it cannot be painted, where that is known already."""

    job: Job
    cost: float = 0.0
    failure: str | None = None
    done: bool = False


def jobs_of(rows: Sequence[Row], options: argparse.Namespace, folder: Path) -> list[Task]:
    """A job for each row, of unknown cost; a photograph without a size is a failure of its own where sizes are of it.

    Raises RecipeError, ImageError; FileError for a name that two of them have.
    """
    names: dict[str, Row] = {}
    recipe_of = _recipes(options)
    tasks = []
    for number, row in enumerate(rows, start=1):
        recipe, failure = recipe_of(row)
        check_styles(recipe, len(row.styles))
        check_start(recipe, start_file(options))
        name = _name(row, options.name, recipe, number)
        if (other := names.setdefault(name.casefold(), row)) is not row:
            raise FileError(f"two pictures would be called {name}: {_said(other)}, and {_said(row)}; put {{content}}, "
                            "{style} or {number} into --name")  # fmt: skip
        tasks.append(Task(_job(row, options, recipe, folder / name), failure=failure))
    return tasks


def _recipes(options: argparse.Namespace) -> Callable[[Row], tuple[Recipe, str | None]]:
    named = functools.cache(named_recipe)

    def recipe_of(row: Row) -> tuple[Recipe, str | None]:
        recipe, failure = named(row.recipe or options.recipe or DEFAULT_RECIPE), None
        if options.print is not None and (own := sorted({"sizes", "size_of"} & row.settings.keys())):
            raise RecipeError(f"{_said(row)}: expected no {', '.join(own)} beside --print, which sets the size")
        try:
            recipe = changed(recipe, options, row.content)
        except MinstyleError as error:
            if options.print is None and ORIGINAL not in (options.sizes or ()):
                raise  # else it is about this photograph: its size is none, or too small
            failure = " ".join(str(error).split())
        return dataclasses.replace(recipe, **row.settings), failure

    return recipe_of


def _said(row: Row) -> str:
    return f"{row.content} by {', '.join(map(str, row.styles))}"


def _name(row: Row, pattern: str, recipe: Recipe, number: int) -> str:
    styles = "+".join(style.stem for style in row.styles)
    name = row.out or pattern.format(content=row.content.stem, style=styles, recipe=recipe.name, number=number)
    try:
        name = picture_name(name)
    except argparse.ArgumentTypeError as error:
        raise RecipeError(f"{_said(row)}: {error}") from None
    good = len(os.fsencode(name)) <= _LONGEST
    require(good, _said(row), f"a name of at most {_LONGEST} bytes", short(repr(name)), RecipeError)
    return name


def _job(row: Row, options: argparse.Namespace, recipe: Recipe, out: Path) -> Job:
    files = [recipe_file(name) for name in (row.recipe, options.recipe) if name is not None]
    return Job(
        content=row.content,
        styles=row.styles,
        out=out,
        recipe=recipe,
        masks=row.masks,
        **of_every_picture(options),
        checkpoints=options.checkpoints is None,
        also_read=tuple(path for path in [*files, options.table] if path is not None),
    )


def check_places(jobs: Sequence[Job], folder: Path, sheet: Path) -> None:
    """Raise FileError where something would be written over that is no picture of ours, or could not be written.

    ImageError where a file to read is not there. The folder is made where there is none, with those that it is in.
    """
    read = list(dict.fromkeys(path for job in jobs for path in job.files_read()))
    for path in read:
        if not os.path.exists(path):
            picture_shape(path)  # which says so
        if os.path.realpath(path.parent) == os.path.realpath(folder):
            raise FileError(f"--out must not be a folder that files are read from, and {path} is in it: name another")
    weights = weights_files(jobs[0].machine, [job.recipe for job in jobs])
    check_outputs([sheet, *(path for job in jobs for path in job.files_written())], [*weights, *read])
    for job in jobs:
        if os.path.lexists(job.out) and not job.overwrite:
            require(is_ours(job.out), f"{job.out}", "a new file, or a picture that minstyle made (--overwrite "
                    "replaces any)", "another file", FileError)  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"--out {folder}: cannot be made ({error.strerror or error})") from error
    check_writable(folder / "picture")
    check_image_path(sheet)


def is_ours(path: Path) -> bool:
    """Whether the file is a picture that minstyle made."""
    try:
        return read_text(path) is not None
    except ImageError:
        return False


def ordered(tasks: Iterable[Task], networks: Networks) -> list[Task]:
    """The tasks with their costs, in the order in which they are painted: those of a size together, small first."""
    known = functools.cache(digest)
    looked_at = [task if task.failure else _looked_at(task.job, networks, known) for task in tasks]
    return sorted(looked_at, key=lambda task: (task.cost, [str(style) for style in task.job.styles]))


def _looked_at(job: Job, networks: Networks, known: Callable[[Path], str]) -> Task:
    try:
        made = made_of(job, networks, known)
        job = dataclasses.replace(job, made_of=made)
        stages = plan_stages((*picture_shape(job.content), 3), job.recipe, networks.network, networks.draft)
    except MinstyleError as error:
        return Task(job, failure=" ".join(str(error).split()))
    counts = planned_evaluations(stages, job.recipe)
    cost = sum(relative_cost(stage) * count for stage, count in zip(stages, counts, strict=True))
    return Task(job, cost, done=is_done(job, made))
