"""``--resume``: the job that goes on, from what its checkpoint says and what is given beside it."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from ..errors import RecipeError, require
from ..job.checkpoint import Kept, find_kept
from ..job.description import Job
from ..job.options import changed, start_file
from ..job.recipefile import named_recipe
from .parser import job_of

# Options of the machine, which a resumed run may be given anew.
_MACHINE = ("network", "weights_dir", "device", "threads", "dtype", "precision")


def resumed(options: argparse.Namespace) -> tuple[Job, Kept]:
    """The job to go on with, and its checkpoint. What is given of pictures and recipe has to be what it was.

    Raises CheckpointError, RecipeError, ImageError.
    """
    kept = find_kept(options.resume, overwrite=options.overwrite)
    job = kept.job
    if options.pictures:
        count = len(options.pictures)
        require(
            count >= 3,
            "--resume",
            "no pictures, or CONTENT, STYLE and OUT",
            f"{count} file{'' if count == 1 else 's'}",
            RecipeError,
        )
        job = dataclasses.replace(job, content=options.pictures[0], styles=tuple(options.pictures[1:-1]),
                                  out=options.pictures[-1])  # fmt: skip
    recipe = changed(job.recipe if options.recipe is None else named_recipe(options.recipe), options, job.content)
    return dataclasses.replace(job, recipe=recipe, **_given(options, job)), kept


def _given(options: argparse.Namespace, job: Job) -> dict[str, Any]:
    """The options that were given beside the pictures and the recipe."""
    options.content, options.styles, options.out = job.content, job.styles, job.out
    usual = {"depth": None, "quality": 95, "keep_metadata": False, "overwrite": False, "also_read": ()}
    asked = job_of(options, job.recipe)
    names = ("depth", "dpi", "quality", "keep_metadata", "overwrite", "save_every", "trace", "plot", "sheet", "memory")
    given = {
        name: getattr(asked, name) for name in (*names, "checkpoint", "bands", "masks", "checkpoints", "also_read")
    }
    given |= {"initial": start_file(options)}
    given = {name: value for name, value in given.items() if value is not None and value != usual.get(name)}
    machine = {name: getattr(options, name) for name in _MACHINE}
    machine = {name: value for name, value in machine.items() if value is not None}
    return {**given, "machine": dataclasses.replace(job.machine, **machine)}
