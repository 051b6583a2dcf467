"""From paths and options to a run and a saved picture: what all callers share."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import FileError, ImageError, MinstyleError, RecipeError, require
from ..images import (
    Picture,
    load_image,
    resize_values,
    save_image,
    save_picture,
)
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, fitted_shape, shapes_of
from ..run.observer import Observer, Plan
from ..run.result import Result
from ..style.regions import Regions, from_masks, with_opacity
from ..version import __version__
from ..watch.contact_sheet import Sheet
from ..watch.plot import Plot
from ..watch.progress import Progress
from ..watch.snapshots import Save, Snapshots
from ..watch.trace import Trace
from ..weights.locate import find_weights, load_network


def _regions(
    options: argparse.Namespace, recipe: Recipe, content: Picture, styles: Sequence[Picture]
) -> Regions | None:
    """From masks and transparency, at the size that the run ends with: more than that nobody sees."""
    shape = shapes_of(content.image.shape, recipe)[-1]
    if min(shape) < SMALLEST:
        return None  # a run refuses it, in words
    shapes = [fitted_shape(style.image.shape, shape, recipe, i) for i, style in enumerate(styles)]
    regions = None
    if options.mask is not None:
        require(len(options.mask) == 1 + len(styles), "--mask",
                f"{1 + len(styles)} files, for the content and each style", len(options.mask), RecipeError)  # fmt: skip
        masks = [load_image(path) for path in options.mask]
        for path, mask, picture in zip(options.mask, masks, [content, *styles], strict=True):
            if mask.shape != picture.image.shape:
                size, own = (f"{a.shape[1]} x {a.shape[0]}" for a in (picture.image, mask))
                print(f"minstyle: {path} is {own}, its picture {size}: resampled to fit", file=sys.stderr)
        regions = from_masks(masks[0], masks[1:], content_shape=shape, style_shapes=shapes, feather=recipe.feather)
        for warning in regions.warnings:
            if warning.endswith("left out"):  # those about sizes are about the run's, which nobody knows
                print(f"minstyle: {warning}", file=sys.stderr)
    if all(picture.opacity is None for picture in (content, *styles)):
        return regions
    pictures, sizes = (content, *styles), (shape, *shapes)
    seen = [None if p.opacity is None else resize_values(p.opacity[:, :, None], *s)[:, :, 0].clip(0, 1)
            for p, s in zip(pictures, sizes, strict=True)]  # fmt: skip
    return with_opacity(regions, seen[0], seen[1:], content_shape=shape, style_shapes=shapes)


def _network(options: argparse.Namespace, observers: list[Observer]) -> Network:
    weights = find_weights(options.network, options.weights_dir)
    network = load_network(str(weights), device=options.device, dtype=options.dtype)
    if not options.quiet:
        observers.insert(0, _Announce(network, weights, options.dtype))
    return network


class _Announce(Observer):
    """Says what computes, once the input has been found good."""

    def __init__(self, network: Network, weights: Path, dtype: str) -> None:
        self._network, self._weights, self._dtype = network, weights, dtype

    def start(self, plan: Plan) -> None:
        network = self._network
        if network.device.note:
            print(f"minstyle: {network.device.note}", file=sys.stderr)
        name = f"small network in place of {network.name}" if network.small else network.name
        text = f"{name} from {self._weights}, recipe {plan.recipe.name}, {self._dtype}, {network.device.name}"
        if plan.recipe.draft != "none" and not network.small:
            text += f", draft by {plan.recipe.draft}"
        if network.small:
            text += f". For the pictures of {network.name} itself: python -m minstyle.weights fetch {network.name}"
        print(f"minstyle: {text}", file=sys.stderr)


def _observers(options: argparse.Namespace, content: Picture, styles: Sequence[Picture], save: Save) -> list[Observer]:
    observers: list[Observer] = [] if options.quiet else [Progress()]
    if options.trace is not None:
        observers.append(Trace(options.trace))
    if options.plot is not None:
        observers.append(Plot(options.plot))
    if options.sheet is not None:
        observers.append(Sheet(options.sheet, content.image, [style.image for style in styles]))
    if options.save_every is not None:
        every = None if options.save_every == "round" else options.save_every
        observers.append(Snapshots(options.out, every, save))
    return observers


def _writer(recipe: Recipe, content: Picture, options: argparse.Namespace) -> Save:
    """Writes an image with all that goes with it: the recipe, and what the content's file has beside its colours."""

    def save(image: np.ndarray, path: Path) -> None:
        opacity = content.opacity
        if opacity is not None:
            opacity = resize_values(opacity[:, :, None], *image.shape[:2])[:, :, 0].clip(0, 1)
        save_picture(
            image,
            path,
            opacity=opacity,
            depth=content.depth if options.depth == "auto" else int(options.depth),
            profile=content.profile,
            exif=content.exif if options.keep_metadata else None,
            dpi=content.dpi,
            quality=options.quality,
            text={"minstyle": recipe.to_json(), "Software": f"minstyle {__version__}"},
        )

    return save


def _save(result: Result, path: Path, save: Save) -> Path:
    """Write the picture; where that fails after all, into a temporary folder, so that the work is not lost."""
    try:
        save(result.image, path)
        return path
    except (FileError, ImageError) as error:
        try:
            rescue = Path(tempfile.mkdtemp(prefix="minstyle-")) / "picture.png"
            save_image(result.image, rescue)
        except (MinstyleError, OSError):
            raise error from None
        raise FileError(f"{error}. The picture was saved as {rescue} instead: move it") from error
