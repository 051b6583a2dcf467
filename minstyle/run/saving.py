"""A painted image to a file, with all that belongs there: its recipe, and what the photograph has beside colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from ..images import Picture, resize_values, save_picture
from ..recipe.recipe import Recipe
from ..recipe.stored import stored
from ..version import __version__


def save_painted(
    image: np.ndarray,
    path: str | Path | IO[bytes],
    recipe: Recipe,
    content: Picture,
    *,
    extension: str = ".png",
    depth: int | None = None,
    dpi: float | None = None,
    quality: int = 95,
    keep_metadata: bool = False,
    made_of: Mapping[str, str] | None = None,
) -> None:
    """Write an image (H, W, 3) that ``recipe`` made of ``content``; ``depth`` and ``dpi`` (dots an inch) None are the
    content's own.

    ``made_of`` is put beside the recipe, see ``job.done``. Into a file object it is written in the format of
    ``extension``. Raises ImageError, FileError.
    """
    save_picture(
        image,
        path,
        extension=extension,
        opacity=opacity_at(image, content),
        depth=content.depth if depth is None else depth,
        profile=content.profile,
        exif=content.exif if keep_metadata else None,
        dpi=content.dpi if dpi is None else (dpi, dpi),
        quality=quality,
        text={"minstyle": stored(recipe, made_of), "Software": f"minstyle {__version__}"},
    )


def opacity_at(image: np.ndarray, content: Picture) -> np.ndarray | None:
    """The content's opacity at the size of an image (H, W, 3): (H, W), 0..1, or None."""
    if content.opacity is None:
        return None
    opacity: np.ndarray = resize_values(content.opacity[:, :, None], *image.shape[:2])[:, :, 0].clip(0, 1)
    return opacity
