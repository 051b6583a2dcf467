"""What is to be painted, as data."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..recipe.recipe import FILE, Recipe
from ..watch.checkpoints import checkpoint_of, generations
from ..watch.snapshots import snapshots_named
from .machine import Machine


@dataclass(frozen=True)
class Job:
    """What to paint, from which files and where to, as data.

    ``masks`` are those of the content and of each style; ``initial`` starts the run in place of the recipe's start
    image. ``depth`` None is the content's bits a channel, ``dpi`` None its dots an inch. ``save_every`` counts
    evaluations, 0 means after each round. ``memory`` is how many bytes the process may take at most, None what the
    machine and its limits leave.
    ``bands`` cuts the last size into so many, or each stage into its own number, None: as the memory asks for.
    ``checkpoint`` is where the run's checkpoints lie, None beside ``out``; ``checkpoints`` whether there are any, None:
    where it is estimated at over a minute, or ``checkpoint`` is named. ``also_read`` are files that the job was made
    from, such as its recipe's: they are not to be written over. ``overwrite``: ``out`` may be a picture that minstyle
    did not make. ``made_of`` is what a picture that is done says that it was made of, see ``done.made_of``; None:
    nothing.
    """

    content: Path
    styles: tuple[Path, ...]
    out: Path
    recipe: Recipe
    masks: tuple[Path, ...] | None = None
    initial: Path | None = None
    machine: Machine = field(default_factory=Machine)
    depth: int | None = None
    dpi: int | None = None
    quality: int = 95
    keep_metadata: bool = False
    save_every: int | None = None
    trace: Path | None = None
    plot: Path | None = None
    sheet: Path | None = None
    memory: int | None = None
    bands: int | tuple[int, ...] | None = None
    checkpoint: Path | None = None
    checkpoints: bool | None = None
    also_read: tuple[Path, ...] = ()
    overwrite: bool = False
    made_of: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.initial is not None:  # as the picture is to tell
            object.__setattr__(self, "recipe", dataclasses.replace(self.recipe, init=FILE))

    def files_read(self) -> list[Path]:
        """But for the weights."""
        pictures = [self.content, *self.styles, *(self.masks or ()), *([] if self.initial is None else [self.initial])]
        return [*pictures, *self.also_read]

    def files_written(self) -> list[Path]:
        """Of snapshots, whose names have numbers, those that would be a file that lies there, or another of these."""
        asked_for = [path for path in (self.out, self.trace, self.plot, self.sheet) if path is not None]
        written = [*asked_for, *(() if self.checkpoints is False else generations(self.checkpoint_path))]
        if self.save_every is None:
            return written
        names = [os.path.basename(os.path.realpath(path)) for path in written]
        names += [path.name for path in self.out.parent.glob("*")]
        return [*written, *snapshots_named(self.out, names, self.save_every)]

    @property
    def checkpoint_path(self) -> Path:
        return checkpoint_of(self.out) if self.checkpoint is None else self.checkpoint
