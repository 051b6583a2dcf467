"""The contact sheet of many pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import MinstyleError
from ..images import WRITERS, lay_over, load_picture, save_image
from ..images.grid import Labelled, fit, grid, note
from .plan import is_ours

_PIXELS = 30_000_000  # of a sheet, at most, about
_HIGHEST, _LOWEST = 256, 32  # pixels of each picture


def save_sheet(outs: Sequence[Path], failures: Mapping[Path, str], path: Path) -> None:
    """Write the pictures at ``outs``, small, with their names; in the place of one that failed stands the reason."""
    height = max(_LOWEST, min(_HIGHEST, math.isqrt(_PIXELS // max(1, len(outs)))))
    save_image(grid([_cell(out, failures.get(out), height) for out in outs], height=height), path)


def others_in(folder: Path, known: Sequence[Path]) -> list[Path]:
    """The other pictures in the folder that minstyle made, by their names: earlier commands may have."""
    own = {path.name for path in known}
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in WRITERS and path.name not in own)
    return [path for path in files if path.is_file() and is_ours(path)]


def _cell(out: Path, failure: str | None, height: int) -> Labelled:
    if failure is None:
        try:
            picture = load_picture(out, lambda shape: _enough(shape, height))
            return out.stem, fit(lay_over(picture.image, picture.opacity), height)
        except MinstyleError as error:
            failure = str(error)
    return out.stem, note(failure, height, height)


def _enough(shape: tuple[int, int], height: int) -> tuple[int, int]:
    factor = min(1.0, 2 * height / min(shape))
    return max(1, round(factor * shape[0])), max(1, round(factor * shape[1]))
