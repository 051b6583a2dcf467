"""The pictures of a run, made ready for each of its sizes: cropped, resized, recoloured; and the finished picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ImageError, RecipeError, require
from ..images import Picture, check_levels, is_finite, resize, resize_values
from ..recipe.recipe import FILE, Recipe
from ..recipe.sizes import (
    SMALLEST,
    Shape,
    blend_of,
    check_shape,
    check_styles,
    crop_of,
    fitted_shape,
    shapes_of,
    tiles_of,
)
from ..style.regions import Regions, at_layer, with_opacity
from .color import by_rows, grey_image, luminance, luminance_pair, match_colors, transfer_luminance
from .init import start_image

_COLOURLESS = 8.0  # levels between the channels of a pixel that compression may leave


@dataclass(frozen=True)
class Pictures:
    """What a run starts from: images (H, W, 3), RGB, 0..255, of any size, and regions of any resolution or None.

    Checks itself: ImageError for what is no image or too small, RecipeError where the recipe speaks of other styles.
    """

    content: np.ndarray
    styles: tuple[np.ndarray, ...]
    recipe: Recipe
    initial: np.ndarray | None = None
    regions: Regions | None = None

    def __post_init__(self) -> None:
        check_image("content", self.content)
        for style in self.styles:
            check_image("style", style)
        if self.initial is not None:
            check_image("initial", self.initial)
        check_start(self.recipe, self.initial)
        check_styles(self.recipe, len(self.styles))
        if self.regions is not None:
            self.regions.check_styles(len(self.styles))

    @classmethod
    def of(
        cls,
        content: np.ndarray | Picture,
        styles: Sequence[np.ndarray | Picture],
        recipe: Recipe,
        initial: np.ndarray | Picture | None = None,
        regions: Regions | None = None,
    ) -> Pictures:
        """Of images or ``Picture``s: what is transparent in content and styles counts in no region.

        Raises ImageError for an opacity of another shape than its image.
        """
        given = (content, *styles)
        named = [("content", content), *(("style", style) for style in styles), ("initial", initial)]
        for name, array in named:  # a file's levels are known: a dark picture may have none above 1
            if isinstance(array, np.ndarray):
                check_image(name, array)
                check_levels(name, array)
        images = [image_of(picture) for picture in given]
        start = None if initial is None else image_of(initial)
        pictures = cls(images[0], tuple(images[1:]), recipe, start, regions)
        opacities = [picture.opacity if isinstance(picture, Picture) else None for picture in given]
        shapes = last_shapes(recipe, *(image.shape for image in images))
        for picture, opacity in zip(images, opacities, strict=True):
            good = opacity is None or opacity.shape == picture.shape[:2]
            require(good, "opacity", picture.shape[:2], getattr(opacity, "shape", None), ImageError)
        if shapes is None or all(opacity is None for opacity in opacities):
            return pictures
        if regions is not None:
            height_and_width = [weights.shape[1:] for weights in (regions.content, *regions.styles)]
            shapes = [(height, width) for height, width in height_and_width]
        seen = [
            None if opacity is None else resize_values(opacity[:, :, None], *shape)[:, :, 0].clip(0, 1)
            for opacity, shape in zip(opacities, shapes, strict=True)
        ]
        visible = with_opacity(regions, seen[0], seen[1:], content_shape=shapes[0], style_shapes=shapes[1:])
        return dataclasses.replace(pictures, regions=visible)

    def cropped(self) -> Pictures:
        """With the parts of the style pictures that the recipe names in their place. Raises ImageError: too small."""
        styles, weights = [], []
        for number, style in enumerate(self.styles):
            height, width = style.shape[:2]
            left, top, right, bottom = crop_of(self.recipe, number)
            styles.append(style[_part(top, bottom, height), _part(left, right, width)])
            if self.regions is not None:
                w = self.regions.styles[number]
                weights.append(w[:, _part(top, bottom, w.shape[1]), _part(left, right, w.shape[2])])
        regions = self.regions if self.regions is None else dataclasses.replace(self.regions, styles=tuple(weights))
        return dataclasses.replace(self, styles=tuple(styles), regions=regions)

    def at(self, shape: Shape) -> ScaledPictures:
        """The pictures for images (height, width)."""
        recipe = self.recipe
        content = resize(self.content, *shape, recipe.resample)
        styles = [
            resize(style, *fitted_shape(style.shape, shape, recipe, number), recipe.resample)
            for number, style in enumerate(self.styles)
        ]
        weights = [None] * (1 + len(styles)) if self.regions is None else [self.regions.content, *self.regions.styles]
        own, *seen = (_visible(w, image) for w, image in zip(weights, [content, *styles], strict=True))
        if recipe.color == "match":
            styles = [
                match_colors(style, content, recipe.color_map, w, own).clip(0, 255)
                for style, w in zip(styles, seen, strict=True)
            ]
        elif recipe.color == "luminance":
            pairs = zip(styles, seen, strict=True)
            styles = [luminance_pair(content, style, "lab", own, w)[1] for style, w in pairs]
            content = by_rows(lambda rows: grey_image(luminance(rows, "lab"), "lab"), content)
        tiles = [tiles_of((s.shape[0], s.shape[1]), shape, recipe) for s in styles]
        styles = [_mirrored(style, n) for style, n in zip(styles, tiles, strict=True)]
        seen = [None if w is None else _mirrored(w, n) for w, n in zip(seen, tiles, strict=True)]
        regions = self.regions
        if regions is not None:
            weights_of_styles = zip(regions.styles, tiles, strict=True)
            mirrored = tuple(np.moveaxis(_mirrored(np.moveaxis(w, 0, 2), n), 2, 0) for w, n in weights_of_styles)
            regions = dataclasses.replace(regions, styles=mirrored)
        return ScaledPictures(content, tuple(styles), recipe, regions, tuple(seen))

    def grey(self) -> bool:
        """Whether no pixel of content and styles has a colour, but for what compression and rounding leave."""
        pictures = (self.content, *self.styles)
        return all(float(np.ptp(picture, axis=2).max()) <= _COLOURLESS for picture in pictures)

    def finished(self, image: np.ndarray) -> np.ndarray:
        """What was painted (H, W, 3), of any of the run's sizes, with the colours that the recipe wants."""
        color = self.recipe.color
        if color == "auto":
            return by_rows(lambda rows: grey_image(luminance(rows)), image) if self.grey() else image
        if color not in ("content", "luminance", "match-after"):
            return image
        original = resize(self.content, image.shape[0], image.shape[1], self.recipe.resample)
        if color == "match-after":
            seen = _visible(None if self.regions is None else self.regions.content, original)
            finished = match_colors(image, original, self.recipe.color_map, seen, seen).clip(0, 255)
        else:
            finished = by_rows(transfer_luminance, image, original)
        return np.asarray(finished)


@dataclass(frozen=True)
class ScaledPictures:
    """The pictures at one size: content and styles as the network is to see them.

    ``visible``: how much each pixel of each style counts, or None where all do.
    """

    content: np.ndarray
    styles: tuple[np.ndarray, ...]
    recipe: Recipe
    regions: Regions | None
    visible: tuple[np.ndarray | None, ...]

    def start(self, mean_color: Sequence[float], initial: np.ndarray | None = None) -> np.ndarray:
        """The recipe's start image, or ``initial`` in its place, with noise mixed in. -> (H, W, 3)"""
        recipe, start = self.recipe, self.content
        grey = 255 / recipe.white  # the network's mean colour is what it takes for 0
        if initial is not None:
            start = resize(initial, self.content.shape[0], self.content.shape[1], recipe.resample)
        return start_image(
            recipe.init if initial is None else "content",
            start,
            self.styles,
            noise=recipe.noise,
            mix=recipe.mix,
            seed=recipe.seed,
            mean_color=[value * grey for value in mean_color],
            deviation=recipe.deviation * grey,
            blend=blend_of(recipe, len(self.styles)),
            opacities=self.visible,
        )


def last_shapes(recipe: Recipe, content: tuple[int, ...], *styles: tuple[int, ...]) -> list[Shape] | None:
    """(height, width) of the content and of each style at the last size of a run: more than that nobody sees.

    None for a content that is too small to paint there: ``plan_stages`` in run/stages.py refuses it, in words.
    """
    shape = shapes_of(content, recipe)[-1]
    if min(shape) < SMALLEST:
        return None
    return [shape, *(fitted_shape(style, shape, recipe, number) for number, style in enumerate(styles))]


def cropped_shape(recipe: Recipe, number: int, shape: tuple[int, ...]) -> Shape:
    """(height, width) of the part that counts of the style picture of that number, of shape (H, W, ...)."""
    left, top, right, bottom = crop_of(recipe, number)
    rows, columns = _part(top, bottom, shape[0]), _part(left, right, shape[1])
    return rows.stop - rows.start, columns.stop - columns.start


def check_start(recipe: Recipe, initial: object) -> None:
    """Raise RecipeError for a recipe that starts from a file where there is none."""
    good = recipe.init != FILE or initial is not None
    require(good, f"recipe {recipe.name}", "the picture that it starts from (--init FILE, in the library initial=), or "
            "another start, as in --init content", "none", RecipeError)  # fmt: skip


def image_of(picture: np.ndarray | Picture) -> np.ndarray:
    """The image (H, W, 3) itself."""
    return picture.image if isinstance(picture, Picture) else picture


def _visible(weights: np.ndarray | None, image: np.ndarray) -> np.ndarray | None:
    """How much each pixel of an image (H, W, 3) counts, by the weights (R, h, w) of all regions: (H, W), sum 1."""
    if weights is None:
        return None
    return at_layer(weights.sum(axis=0), (image.shape[0], image.shape[1]), "picture")


def _mirrored(array: np.ndarray, tiles: int) -> np.ndarray:
    """(H, W, ...) -> (tiles H, tiles W, ...), each tile the mirror image of its neighbours."""
    if tiles == 1:
        return array
    more = [((tiles - 1) * length if axis < 2 else 0) for axis, length in enumerate(array.shape)]
    return np.pad(array, [(0, n) for n in more], mode="symmetric")


def _part(first: float, last: float, length: int) -> slice:
    return slice(round(first * length), max(round(first * length) + 1, round(last * length)))


def check_image(name: str, image: object) -> None:
    """Raise ImageError unless it is an image (H, W, 3) of finite pixels, large enough for the network."""
    good = isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3
    require(good, name, "an image (H, W, 3)", getattr(image, "shape", type(image)), ImageError)
    assert isinstance(image, np.ndarray)
    require(image.dtype.kind in "fuib", name, "real numbers", image.dtype, ImageError)
    check_shape(name, image.shape)
    require(is_finite(image), name, "finite pixels", "NaN or infinite ones", ImageError)
