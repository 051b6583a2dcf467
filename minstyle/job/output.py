"""The picture that a job writes: with all that belongs into its file, and never lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ..errors import FileError, ImageError, MinstyleError
from ..images import Picture, resize_values, save_image, save_picture
from ..recipe.recipe import Recipe
from ..version import __version__
from ..watch.snapshots import Save


def writer(
    recipe: Recipe,
    content: Picture,
    *,
    depth: int | None = None,
    quality: int = 95,
    keep_metadata: bool = False,
) -> Save:
    """A function that writes an image with all that goes with it: the recipe, and what the content has beside colours.

    ``depth`` None is the content's own.
    """

    def save(image: np.ndarray, path: Path) -> None:
        opacity = content.opacity
        if opacity is not None:
            opacity = resize_values(opacity[:, :, None], *image.shape[:2])[:, :, 0].clip(0, 1)
        save_picture(
            image,
            path,
            opacity=opacity,
            depth=content.depth if depth is None else depth,
            profile=content.profile,
            exif=content.exif if keep_metadata else None,
            dpi=content.dpi,
            quality=quality,
            text={"minstyle": recipe.to_json(), "Software": f"minstyle {__version__}"},
        )

    return save


def save_or_rescue(image: np.ndarray, path: Path, save: Save) -> None:
    """Write the picture; where that fails after all, into a temporary folder, so that the work is not lost.

    Raises FileError, which then names the file that the picture was saved as.
    """
    try:
        save(image, path)
    except (FileError, ImageError) as error:
        try:
            rescue = Path(tempfile.mkdtemp(prefix="minstyle-")) / "picture.png"
            save_image(image, rescue)
        except (MinstyleError, OSError):
            raise error from None
        raise FileError(f"{error}. The picture was saved as {rescue} instead: move it") from error
