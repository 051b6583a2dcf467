"""The picture that a job writes: with all that belongs into its file, and never lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import FileError, MinstyleError
from ..files import replacing
from ..images import Picture, save_image
from ..recipe.recipe import Recipe
from ..run.saving import save_painted
from ..watch.snapshots import Save


def writer(
    recipe: Recipe,
    content: Picture,
    *,
    depth: int | None = None,
    dpi: float | None = None,
    quality: int = 95,
    keep_metadata: bool = False,
    made_of: Mapping[str, str] | None = None,
) -> Save:
    """A function that writes an image with all that goes with it: the recipe, and what the content has beside colours.

    ``depth`` and ``dpi`` None are the content's own.
    """

    def save(image: np.ndarray, path: Path) -> None:
        save_painted(image, path, recipe, content, depth=depth, dpi=dpi, quality=quality,
                     keep_metadata=keep_metadata, made_of=made_of)  # fmt: skip

    return save


def save_or_rescue(image: np.ndarray, path: Path, save: Save) -> None:
    """Write the picture; where that fails, for whatever reason, in another place and form: the work is not lost.

    A Ctrl-C that nobody holds back begins the writing again, and is raised after it; a second one ends it.
    Raises FileError, which then names the file that the picture was saved as.
    """
    try:
        _save_or_rescue(image, path, save)
    except KeyboardInterrupt:
        _save_or_rescue(image, path, save)
        raise


def _save_or_rescue(image: np.ndarray, path: Path, save: Save) -> None:
    try:
        save(image, path)
        return
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # what was computed there, which memory may be short of
        why = "not enough memory" if isinstance(error, MemoryError) else repr(error)
        cause, reason = error, str(error) if isinstance(error, MinstyleError) else f"cannot write {path}: {why}"
    # The first form has all that the file was to have; the last needs no memory and knows no limits.
    forms: tuple[tuple[str, Save], ...]
    forms = (("picture.png", save), ("picture.png", save_image), ("picture.npy", _save_array))
    for (name, form), folder in itertools.product(forms, (None, path.parent, os.path.expanduser("~"))):
        rescue = _saved_in(folder, image, name, form)
        if rescue is not None:
            how = (
                "move it"
                if rescue.suffix == ".png"
                else "read it with numpy.load and write it with minstyle.save_image"
            )
            raise FileError(f"{reason}. The picture was saved as {rescue} instead: {how}") from cause
    raise FileError(reason) from cause


def _saved_in(folder: str | Path | None, image: np.ndarray, name: str, save: Save) -> Path | None:
    """The picture in a new folder in ``folder``, None: the one for temporary files; None where that fails."""
    try:
        path = Path(tempfile.mkdtemp(prefix="minstyle-", dir=folder)) / name
    except OSError:
        return None
    try:
        save(image, path)
        return path
    except Exception:
        return None
    finally:
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # if it is empty


def _save_array(image: np.ndarray, path: Path) -> None:
    with replacing(path) as temporary:
        np.save(temporary, image)
