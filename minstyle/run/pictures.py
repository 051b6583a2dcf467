"""The pictures of a run, made ready for each of its sizes: cropped, resized, recoloured; and the finished picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ImageError, require
from ..images import resize
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, Shape, blend_of, check_styles, crop_of, fitted_shape
from ..style.regions import Regions, at_layer
from .color import grey_image, luminance, luminance_pair, match_colors, transfer_luminance
from .init import start_image


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
        check_styles(self.recipe, len(self.styles))
        if self.regions is not None:
            self.regions.check_styles(len(self.styles))

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

    def at(self, shape: Shape) -> Working:
        """The pictures for images (height, width)."""
        recipe = self.recipe
        content = resize(self.content, *shape, recipe.resample)
        styles = [
            resize(style, *fitted_shape(style.shape, shape, recipe, number), recipe.resample)
            for number, style in enumerate(self.styles)
        ]
        original, (own, *seen) = content, self._visible([content, *styles])
        if recipe.color == "match":
            styles = [
                match_colors(style, content, recipe.color_map, weights, own).clip(0, 255)
                for style, weights in zip(styles, seen, strict=True)
            ]
        elif recipe.color == "luminance":
            pairs = zip(styles, seen, strict=True)
            styles = [luminance_pair(original, style, "lab", own, weights)[1] for style, weights in pairs]
            content = grey_image(luminance(original, "lab"), "lab")
        return Working(original, content, tuple(styles), recipe, self.regions, (own, *seen))

    def _visible(self, images: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """How much each pixel of content and styles counts at their working sizes: transparent ones do not."""
        if self.regions is None:
            return [None] * len(images)
        weights = (self.regions.content, *self.regions.styles)
        return [
            at_layer(w.sum(axis=0), (image.shape[0], image.shape[1]), "picture")
            for w, image in zip(weights, images, strict=True)
        ]


@dataclass(frozen=True)
class Working:
    """The pictures at one size: the content as it is, and content and styles as the network is to see them.

    ``visible``: how much each pixel of the content and of each style counts, or None where all do.
    """

    original: np.ndarray
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
            opacities=self.visible[1:],
        )

    def finished(self, image: np.ndarray) -> np.ndarray:
        """What was painted (H, W, 3), with the colours that the recipe wants."""
        if self.recipe.color in ("content", "luminance"):
            image = transfer_luminance(image, self.original)
        elif self.recipe.color == "match-after":
            image = match_colors(image, self.original, self.recipe.color_map, self.visible[0], self.visible[0]).clip(
                0, 255
            )
        return image


def _part(first: float, last: float, length: int) -> slice:
    return slice(round(first * length), max(round(first * length) + 1, round(last * length)))


def check_image(name: str, image: object) -> None:
    """Raise ImageError unless it is an image (H, W, 3) of finite pixels, large enough for the network."""
    good = isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3
    require(good, name, "an image (H, W, 3)", getattr(image, "shape", type(image)), ImageError)
    assert isinstance(image, np.ndarray)
    require(min(image.shape[:2]) >= SMALLEST, name, f"at least {SMALLEST} x {SMALLEST} pixels",
            f"{image.shape[1]} x {image.shape[0]}", ImageError)  # fmt: skip
    require(bool(np.isfinite(image).all()), name, "finite pixels", "NaN or infinite ones", ImageError)
