"""What a recipe's numbers mean for the pictures at hand, as pure functions of the recipe and the pictures' shapes.

A size is a number of the recipe, a scale its index, a shape (height, width); a stage (``run.stages``) is a shape with a
network and the recipe that is used there.

Sizes: (height, width) of the content at each scale, coarse to fine, and of each style picture beside it. Styles: the
part of each that is cut out, the share of each in a blend, and whether the recipe speaks of as many as there are.
"""

from __future__ import annotations

import math

from ..errors import ImageError, RecipeError, require
from .recipe import Recipe

SMALLEST = 32  # pixels on the shorter side: block 5 sees one sixteenth of them

Shape = tuple[int, int]  # (height, width)


def sizes_of(recipe: Recipe) -> tuple[int, ...]:
    """The recipe's sizes, coarse to fine: those it names, or those that lead to the only one it names."""
    if len(recipe.sizes) > 1:
        return recipe.sizes
    (last,) = recipe.sizes
    sizes = {round(last / recipe.ratio**i) for i in range(recipe.scales)}
    return tuple(sorted(size for size in sizes if size >= recipe.min_size or size == last))


def value_at_scale(numbers: tuple[int, ...], scale: int) -> int:
    """The number for a scale, counted from 0: the last one stands for all scales after it too."""
    return numbers[min(scale, len(numbers) - 1)]


def shapes_of(content: tuple[int, ...], recipe: Recipe) -> list[Shape]:
    """(height, width) of the content at each of the recipe's sizes, coarse to fine.

    Sizes that only lead to the one that the recipe names are left out where the content's shorter side is too small.
    """
    shapes = [working_shape(content, size, recipe) for size in sizes_of(recipe)]
    if len(recipe.sizes) > 1:
        return shapes
    return [shape for shape in shapes[:-1] if min(shape) >= SMALLEST] + shapes[-1:]


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise ImageError for a picture of shape (H, W, ...) that is too small for the network."""
    require(min(shape[:2]) >= SMALLEST, name, f"at least {SMALLEST} x {SMALLEST} pixels", f"{shape[1]} x {shape[0]}",
            ImageError)  # fmt: skip


def check_shapes(content: tuple[int, ...], recipe: Recipe, name: str = "content") -> None:
    """Raise ImageError, with a size that would do, where content (H, W, ...) is too small at a size of the recipe."""
    for shape in shapes_of(content, recipe):
        if min(shape) < SMALLEST:
            enough = math.ceil(SMALLEST * side_of(content, recipe) / min(content[:2]))
            while min(working_shape(content, enough, recipe)) < SMALLEST:  # rounding
                enough += 1
            raise ImageError(f"{name} at size {shape}: expected at least {SMALLEST} pixels on the shorter side, got "
                             f"{min(shape)}; --size {enough} would do")  # fmt: skip


def working_shape(shape: tuple[int, ...], size: int, recipe: Recipe) -> Shape:
    """(height, width) of the content at a size of the recipe; its aspect is kept, fractions of a pixel are cut off."""
    side = side_of(shape, recipe)
    return int(shape[0] * size / side), int(shape[1] * size / side)


def fitted_shape(style: tuple[int, ...], content: Shape, recipe: Recipe, number: int = 0) -> Shape:
    """(height, width), none below SMALLEST, of the style picture of that number beside a content of that shape.

    A style picture that keeps its shape is as large as the content on the side that ``size_of`` names, or in pixels.
    """
    factor = recipe.style_scale[0 if len(recipe.style_scale) == 1 else number]
    of: tuple[int, ...] = content
    if recipe.style_fit != "stretch":
        of = style[:2]
        if recipe.style_fit == "area":
            factor *= (math.prod(content) / math.prod(of)) ** 0.5
        else:
            factor *= side_of(content, recipe) / side_of(of, recipe)
        if recipe.style_fit == "native":
            factor = min(factor, 1.0)
    factor = max(factor, SMALLEST / min(of))  # both sides: the aspect stays
    return round(of[0] * factor), round(of[1] * factor)


def tiles_of(style: Shape, content: Shape, recipe: Recipe) -> int:
    """How many tiles a side, each the mirror image of its neighbours, make the style picture about as large.

    1 where it stays as it is.
    """
    if recipe.small_style == "plain":
        return 1
    return max(1, int((math.prod(content) / math.prod(style)) ** 0.5 + 0.01))  # 0.01: sides are whole pixels


def crop_of(recipe: Recipe, number: int) -> tuple[float, ...]:
    """(left, top, right, bottom), in parts of the picture, of the style picture of that number."""
    return recipe.style_crop[number] if recipe.style_crop else (0.0, 0.0, 1.0, 1.0)


def check_styles(recipe: Recipe, count: int) -> None:
    """Raise RecipeError where the recipe says something about another number of style pictures."""
    for name in ("blend", "style_scale", "style_crop"):
        _check_count(recipe, name, count)


def blend_of(recipe: Recipe, count: int) -> list[float]:
    """The share of each of ``count`` style pictures; they sum to 1. Raises RecipeError for a blend of others."""
    _check_count(recipe, "blend", count)
    blend = recipe.blend or (1.0,) * count
    return [weight / sum(blend) for weight in blend]


def _check_count(recipe: Recipe, name: str, count: int) -> None:
    """Of the field of that name, a tuple with a value for each style picture; () says nothing of any."""
    values = getattr(recipe, name)
    good = len(values) in (0, count) or (name == "style_scale" and len(values) == 1)
    require(good, name, f"a value for each style, {count} in all", len(values), RecipeError)


def side_of(shape: tuple[int, ...], recipe: Recipe) -> int:
    """The length of the side that the recipe's sizes are of."""
    height, width = shape[:2]
    return {"height": height, "width": width, "long": max(height, width), "short": min(height, width)}[recipe.size_of]
