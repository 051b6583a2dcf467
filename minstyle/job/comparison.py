"""A comparison: small runs of several recipes, from paths to one saved sheet."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..engine.kernels import use_threads
from ..errors import ImageError, MinstyleError, require
from ..files import check_outputs
from ..images import check_image_path, load_picture, save_picture
from ..memory import tightest
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, Shape, check_shape, side_of
from ..run.compare import SmallRun, compare, small_recipe
from ..run.estimate import Estimator, check_room
from ..run.observer import Observer
from ..version import __version__
from ..watch.compare_sheet import compare_sheet
from ..watch.snapshots import Save
from .inputs import check_forgotten_out
from .machine import Machine, Networks, load_networks, weights_files
from .output import save_or_rescue


def paint_comparison(
    content: Path,
    styles: Sequence[Path],
    out: Path,
    recipes: Mapping[str, Recipe],
    machine: Machine,
    *,
    watch: Callable[[Networks], Sequence[Observer]] = lambda networks: (),
    size: int = 256,
    evaluations: int = 60,
    also_read: Sequence[Path] = (),
    memory: int | None = None,
    overwrite: bool = False,
) -> list[SmallRun]:
    """Run each of ``recipes`` (label to recipe) small, and save them side by side where any of them made a picture.

    ``watch``, given the networks once they are loaded, returns observers, who are told of each run in turn.
    ``also_read`` are files that the recipes were read from; ``memory``: no more bytes may be taken. Raises a
    MinstyleError that says what is wrong, before any run starts; errors of single runs stand in them.
    """
    check_outputs([out], [content, *styles, *also_read, *weights_files(machine, recipes.values())])
    check_forgotten_out(out, overwrite)
    check_image_path(out)
    exact = any(recipe.style_crop or recipe.resample == "nearest" for recipe in recipes.values())
    fit = None if exact else lambda shape: _enough(shape, size)
    pictures = [load_picture(path, fit) for path in (content, *styles)]
    for number, (path, picture) in enumerate(zip((content, *styles), pictures, strict=True)):
        check_shape(f"{'style' if number else 'content'} {path}", picture.image.shape)
        require(picture.opacity is None, f"comparison: {path}", "a picture without transparency", "one with it",
                ImageError)  # fmt: skip
    given, *paintings = (picture.image for picture in pictures)
    networks = load_networks(machine, recipes.values())
    with use_threads(machine.threads):
        small = [small_recipe(recipe, given.shape, networks.network, size=size, evaluations=evaluations)
                 for recipe in recipes.values()]  # fmt: skip
        _check_memory(given, paintings, small, networks, memory)
        runs = compare(given, paintings, recipes, network=networks.network, draft=networks.draft,
                       observers=watch(networks), size=size, evaluations=evaluations)  # fmt: skip
    if any(run.result is not None for run in runs):
        save_or_rescue(compare_sheet(given, paintings, runs), out, _saver(recipes))
    return runs


def _saver(recipes: Mapping[str, Recipe]) -> Save:
    """What writes a sheet, with the names of its recipes, so that it is known for ours."""
    text = {"minstyle": json.dumps({"comparison": list(recipes)}), "Software": f"minstyle {__version__}"}

    def save(image: np.ndarray, path: Path) -> None:
        save_picture(image, path, text=text)

    return save


def _check_memory(
    content: np.ndarray, styles: Sequence[np.ndarray], small: Sequence[Recipe], networks: Networks, memory: int | None
) -> None:
    """Raise ResourceError, with the largest size that fits, where one of the runs takes more memory than there is."""
    estimated = []
    for recipe in small:
        with contextlib.suppress(MinstyleError):  # it ends its own run, which tells it
            estimator = Estimator(content.shape, [style.shape for style in styles], recipe, networks.network,
                                  networks.draft, quick=True)  # fmt: skip
            estimated.append((estimator, estimator.estimate()))
    if estimated:
        largest = max(estimated, key=lambda pair: pair[1].memory)

        def advice(recipe: Recipe) -> str:  # a comparison's size is of the long side
            return str(recipe.sizes[-1] * max(content.shape[:2]) // side_of(content.shape, recipe))

        check_room(*largest, tightest(memory), advice)


def _enough(shape: Shape, size: int) -> Shape:
    """The (height, width) at which a picture is read that a run of ``size`` pixels sees: eight times that is plenty."""
    factor = 8 * size / max(shape)
    small = round(factor * shape[0]), round(factor * shape[1])
    return small if factor < 0.5 and min(small) >= SMALLEST else shape
