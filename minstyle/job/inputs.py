"""The pictures that a job reads, and masks made into regions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import FileError, ImageError, RecipeError, require
from ..images import WRITERS, Picture, check_seen, lay_over, load_mask, load_picture, picture_shape, read_text
from ..notices import COLOURS_LOST, MASK_RESAMPLED, NO_STROKES, Notice
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, Shape, check_shape, check_shapes, crop_of, fitted_shape, shapes_of
from ..run.pictures import cropped_shape, last_shapes
from ..style.regions import Regions, from_masks

Notify = Callable[[Notice], None]
_ONE_COLOUR = 8  # levels that a picture's pixels may differ by, as JPEG makes them, and be of one colour
Given = Path | Picture  # a file, or what is read already


def check_forgotten_out(out: Path, overwrite: bool) -> None:
    """Raise FileError where ``out`` is a picture that minstyle did not make: a painting, after which OUT was left out.

    ``overwrite``: whatever it is.
    """
    if overwrite or out.suffix.lower() not in WRITERS or not os.path.isfile(out):
        return
    with contextlib.suppress(ImageError):  # it is no picture
        if read_text(out) is None:
            raise FileError(f"OUT is missing? The last file, {out}, exists and was not made by minstyle: name the "
                            "picture to write after it, or add --overwrite to replace it")  # fmt: skip


def check_headers(content: Given, styles: Sequence[Given], initial: Given | None, recipe: Recipe) -> None:
    """Raise ImageError for pictures too small or of an impossible shape, before any of them is decoded."""
    named = [("content", content), *(("style", style) for style in styles)]
    named += [] if initial is None else [("initial", initial)]
    shapes = [_shape_of(given) for _, given in named]
    names = [_name(role, given) for role, given in named]
    for name, shape in zip(names, shapes, strict=True):
        check_shape(name, shape)
    for number in range(len(styles)):
        name, shape = names[1 + number], shapes[1 + number]
        check_shape(f"the part of {name} that is cut out", cropped_shape(recipe, number, shape))
    check_shapes(shapes[0], recipe, names[0])


def _shape_of(given: Given) -> Shape:
    if not isinstance(given, Picture):
        return picture_shape(given)
    height, width = given.image.shape[:2]
    return height, width


def _name(role: str, given: Given) -> str:
    """What messages call a picture: "style painting.jpg"."""
    return role if isinstance(given, Picture) else f"{role} {given}"


def _read(given: Given, fit: Callable[[Shape], Shape] | None) -> Picture:
    return given if isinstance(given, Picture) else load_picture(given, fit)


def read_pictures(
    content: Given, styles: Sequence[Given], recipe: Recipe, notify: Notify
) -> tuple[Picture, tuple[Picture, ...]]:
    """The content and the style pictures; files far larger than a run sees them are read at twice its largest size.

    ``notify`` hears of colours that are lost, and of a style without strokes. Raises ImageError.
    """
    photograph = _read(content, lambda shape: _enough(shape, lambda own: shapes_of(own, recipe), recipe))
    largest = max(shapes_of(photograph.image.shape, recipe))

    def style_shapes(number: int) -> Callable[[Shape], list[Shape]]:
        return lambda own: [fitted_shape(own, largest, recipe, number)]

    paintings = []
    for number, given in enumerate(styles):
        whole = crop_of(recipe, number) == (0.0, 0.0, 1.0, 1.0) and min(largest) >= SMALLEST
        seen = style_shapes(number)
        fit = (lambda shape, seen=seen: _enough(shape, seen, recipe)) if whole else None
        paintings.append(_read(given, fit))
    roles = ("content", *("style" for _ in styles))
    for role, given, picture in zip(roles, (content, *styles), (photograph, *paintings), strict=True):
        name = role if isinstance(given, Picture) else str(given)
        check_seen(name, picture.opacity)
        if picture.outside > 0.005:
            text = f"{name}: {picture.outside:.0%} of it has colours outside sRGB; the nearest ones inside are used"
            notify(Notice(COLOURS_LOST, text))
        if role == "style" and not np.ptp(picture.image.reshape(-1, 3), axis=0).max() > _ONE_COLOUR:
            text = f"{name}: it has one colour and no strokes, so that little but specks can be painted of it"
            notify(Notice(NO_STROKES, text))
    return photograph, tuple(paintings)


def read_initial(given: Given, content: Picture, recipe: Recipe) -> Picture:
    """The start image, over white where it is transparent; as ``read_pictures``, read at twice the largest size."""
    shapes = shapes_of(content.image.shape, recipe)
    picture = _read(given, lambda own: _enough(own, lambda _: shapes, recipe))
    check_seen("initial" if isinstance(given, Picture) else str(given), picture.opacity)
    return Picture(lay_over(picture.image, picture.opacity))


def _enough(shape: Shape, seen: Callable[[Shape], list[Shape]], recipe: Recipe) -> Shape:
    """The (height, width) at which a picture of that ``shape`` is read, of the shapes in which a run sees it.

    Itself, unless it is more than four times as high and wide as that, and the run has the same sizes either way.
    """
    height, width = max(seen(shape))
    twice = (2 * height, 2 * width)
    far_larger = shape[0] > 4 * height and shape[1] > 4 * width and min(height, width) >= SMALLEST
    exact = recipe.resample == "nearest"  # takes single pixels of the picture itself
    return twice if far_larger and not exact and seen(twice)[-1] == seen(shape)[-1] else shape


def read_regions(
    masks: Sequence[Path | np.ndarray], recipe: Recipe, content: Picture, styles: Sequence[Picture], notify: Notify
) -> Regions | None:
    """The regions that masks draw, the content's first, at the last size of the run; ``notify`` hears what is odd.

    Masks are files or arrays (H, W, 3).

    None for a content that is too small to paint: a run refuses it, in words. Raises RecipeError for another number of
    masks than pictures, ImageError.
    """
    pictures = [content, *styles]
    shapes = last_shapes(recipe, *(picture.image.shape for picture in pictures))
    if shapes is None:
        return None
    require(len(masks) == len(pictures), "masks", f"{len(pictures)}: one for the photograph and one for each style",
            len(masks), RecipeError)  # fmt: skip
    images = [load_mask(mask) if isinstance(mask, Path) else mask for mask in masks]
    roles = [f"{'style' if number else 'content'} mask" for number in range(len(masks))]
    names = [f"{role} {mask}" if isinstance(mask, Path) else role for role, mask in zip(roles, masks, strict=True)]
    for given, name, mask, picture in zip(masks, names, images, pictures, strict=True):
        shape = picture.full or picture.image.shape[:2]
        if mask.shape[:2] != shape:
            size, own = (f"{width} x {height}" for height, width in (shape, mask.shape[:2]))
            place = given if isinstance(given, Path) else f"the {name}"
            notify(Notice(MASK_RESAMPLED, f"{place} is {own}, its picture {size}: resampled to fit"))
    regions = from_masks(images[0], images[1:], content_shape=shapes[0], style_shapes=shapes[1:],
                         feather=recipe.feather, names=names)  # fmt: skip
    for notice in regions.notices:
        # That masks were resampled to the run's size, of which nobody knows, is not worth a word.
        if notice.kind != MASK_RESAMPLED:
            notify(notice)
    return regions
