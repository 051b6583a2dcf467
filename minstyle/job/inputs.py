"""The pictures that a job reads: checked against what it writes, and masks made into regions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import FileError, RecipeError, require
from ..images import WRITERS, Picture, load_image, read_text
from ..notices import Notice
from ..recipe.recipe import Recipe
from ..run.pictures import last_shapes
from ..style.regions import Regions, from_masks


def check_out(out: Path, read: Iterable[Path], styles: int) -> None:
    """Raise FileError where ``out`` is a picture that is read: with several styles, OUT is easily left out."""
    for path in read:
        same = os.path.exists(path) and os.path.exists(out) and os.path.samefile(path, out)
        require(not same, f"{out}", "a file of its own for the result", "a picture that is read", FileError)
    if styles > 1 and out.suffix.lower() in WRITERS and os.path.isfile(out):
        # The last of several paintings, where the result was to be named after it?
        require(read_text(out) is not None, f"{out}", "a new file, or a picture that minstyle made, "
                "after several styles", "another picture", FileError)  # fmt: skip


def read_regions(
    masks: Sequence[Path], recipe: Recipe, content: Picture, styles: Sequence[Picture]
) -> tuple[Regions | None, list[Notice]]:
    """The regions that mask files draw, the content's first, at the last size of the run; and what to say of them.

    None for a content that is too small to paint: a run refuses it, in words. Raises RecipeError for another number of
    masks than pictures, ImageError.
    """
    pictures = [content, *styles]
    shapes = last_shapes(recipe, *(picture.image.shape for picture in pictures))
    if shapes is None:
        return None, []
    require(len(masks) == len(pictures), "--mask", f"{len(pictures)} files, for the content and each style",
            len(masks), RecipeError)  # fmt: skip
    images = [load_image(path) for path in masks]
    notices = []
    for path, mask, picture in zip(masks, images, pictures, strict=True):
        if mask.shape != picture.image.shape:
            size, own = (f"{a.shape[1]} x {a.shape[0]}" for a in (picture.image, mask))
            notices.append(Notice("mask resampled", f"{path} is {own}, its picture {size}: resampled to fit"))
    regions = from_masks(
        images[0], images[1:], content_shape=shapes[0], style_shapes=shapes[1:], feather=recipe.feather
    )
    # The masks were resampled to the run's size, of which nobody knows: that is not worth a word.
    return regions, [*notices, *(notice for notice in regions.notices if notice.kind != "mask resampled")]
