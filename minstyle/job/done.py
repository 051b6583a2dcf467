"""Whether a picture is done already: it says so itself, by its recipe and the files that it was made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import MinstyleError
from ..images import read_text
from ..recipe.stored import read_stored
from .checkpoint import files_of
from .description import Job
from .machine import Networks


def made_of(job: Job, networks: Networks, digest: Callable[[Path], str]) -> dict[str, str]:
    """The SHA-256 of each file that the picture is made of, and what else than its recipe makes it what it is."""
    machine = job.machine
    said = {"numbers": f"{machine.dtype} {machine.precision or ''}".strip(),
            "history": f"{job.recipe.history}, or less for want of memory",
            "file": f"depth {job.depth or 'auto'}, quality {job.quality}, metadata {job.keep_metadata}"
            + ("" if job.dpi is None else f", dpi {job.dpi}")}  # fmt: skip
    return {name: digest(path) for name, path in files_of(job, networks).items()} | said


def is_done(job: Job, made: Mapping[str, str]) -> bool:
    """Whether the job's picture is there and was painted to its end, by the same recipe, of what ``made`` says."""
    try:
        text = read_text(job.out) if job.out.exists() else None
        if text is None:
            return False
        recipe, said = read_stored(text)
        # With little memory it was painted with a shorter history than was asked for, which ``made`` tells.
        return said == made and dataclasses.replace(recipe, history=job.recipe.history) == job.recipe
    except MinstyleError:
        return False
