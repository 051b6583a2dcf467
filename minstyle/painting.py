"""The library's one call: pictures of any kind in, a painted one out, by the same code as the command line."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .engine.kernels import use_threads
from .errors import RecipeError, require
from .images import WRITERS, Given, Picture, mask_of, picture_of, picture_shape
from .job import inputs
from .job.changes import from_start_file
from .job.machine import load_draft
from .job.recipefile import named_recipe
from .memory import resident, tightest
from .network.vgg import Network
from .recipe.presets import DEFAULT_RECIPE
from .recipe.recipe import Recipe
from .recipe.settings import shown
from .recipe.sizes import check_styles, shapes_of, side_of
from .run.estimate import Estimate, Estimator, check_room
from .run.fitting import fitted
from .run.minimise import optimizer_bytes
from .run.observer import Observer
from .run.pictures import check_start
from .run.result import Result
from .run.state import RunState
from .run.stylize import stylize as run
from .style.regions import Regions
from .suggest import did_you_mean
from .watch.bystander import Bystander
from .watch.logged import LOG, Logged
from .watch.progress import Progress
from .weights.locate import load_network

_SHORT = {"size": "sizes", "steps": "evaluations"}  # other names of settings, as on the command line
ORIGINAL = "original"
_PLENTY = 2000  # bytes a pixel, several times what an evaluation takes: a run that has so many need not be estimated
# What is meant by keywords that others have, or that are options of the command line alone.
_INSTEAD = {
    "preserve_color": 'it is color="content"',
    **dict.fromkeys(("out", "output", "path"), 'to save the picture: result.save("out.png")'),
    "mask": "it is masks=[of the content, of each style]",
    "style": "it is styles, one or a list",
    "memory": "it is for the command line; minstyle.run.estimate says what a run takes",
}


def stylize(
    content: Given,
    styles: Given | Sequence[Given],
    recipe: str | Path | Recipe = DEFAULT_RECIPE,
    *,
    network: str | Path | Network = "auto",
    draft: str | Path | Network | None = "auto",
    device: str = "auto",
    dtype: Any = "float32",
    threads: int | None = None,
    initial: Given | None = None,
    masks: Sequence[Given] | None = None,
    regions: Regions | None = None,
    progress: bool = False,
    observers: Sequence[Observer] = (),
    estimate: Estimate | None = None,
    state: RunState | None = None,
    bands: int = 0,
    on_interrupt: str = "return",
    **settings: Any,
) -> Result:
    """Paint ``content`` in the style of ``styles``, one or a list. The defaults are those of the command line.

        minstyle.stylize("photo.jpg", "painting.jpg", size=512, progress=True).save("out.png")

    A picture (``Given``) is a path, a Pillow image, a ``Picture``, bytes, a file object, or an array (H, W, 3), RGB, of
    uint8, uint16 or floats from 0 to 255. ``recipe`` is a name, a recipe's JSON file, a picture that minstyle made, or
    a ``Recipe``; ``settings`` are its fields, ``style_weight=300``, with ``size`` (a number, or "original": that of the
    content) for ``sizes`` and ``steps`` for ``evaluations``. ``network`` is a name, a weights file, or a network, which
    has its own device and dtype; ``draft`` the network that the recipe's draft is painted with, None: without a draft.
    ``masks``, the content's and one of each style, say which part takes its style from where: pictures, or arrays (H,
    W) of labels or bools. ``threads`` None: as many as ``use_threads`` says, otherwise one per core.

    ``progress`` shows a bar; without it messages go to the logger "minstyle". ``initial``, ``regions``, ``observers``,
    ``estimate``, ``state``, ``bands`` and ``on_interrupt`` are explained at ``minstyle.run.stylize.stylize``, which
    takes pictures and networks only, and loads nothing. A run that would not fit into memory is cut into bands, with a
    shorter history if need be, as by the command line; what does not fit then raises ResourceError before it begins.
    Raises a MinstyleError that says what is wrong, TypeError for an unknown keyword.
    """
    several: Any = styles if isinstance(styles, list | tuple) else [styles]
    given = [_given("content", content), *(_given("style", style) for style in several)]
    start = None if initial is None else _given("initial", initial)
    chosen = _recipe(recipe, settings, given[0], start is not None)
    photograph, paintings, beginning = _read(given, start, chosen)
    own, other = _networks(network, draft, device, dtype, chosen)
    LOG.info("%s, %s", chosen, own)
    regions = _regions(masks, regions, chosen, photograph, paintings)
    watching = [*observers, Bystander(Progress()) if progress else Logged()]
    with contextlib.nullcontext() if threads is None else use_threads(threads):
        chosen, cut = _fitted(chosen, photograph, paintings, (own, other), regions, bands, state)
        return run(photograph, paintings, chosen, network=own, draft=other, initial=beginning, regions=regions,
                   observers=watching, estimate=estimate, state=state, bands=cut,
                   on_interrupt=on_interrupt)  # fmt: skip


def _fitted(
    recipe: Recipe,
    photograph: Picture,
    paintings: Sequence[Picture],
    networks: tuple[Network, Network | None],
    regions: Regions | None,
    bands: int,
    state: RunState | None,
) -> tuple[Recipe, int | Sequence[int]]:
    """The recipe, and the bands of each size, with which the run fits into memory. Raises ResourceError."""
    network, draft = networks
    there = tightest(None)
    most = _PLENTY + optimizer_bytes(recipe, recipe.evaluations[-1], network.dtype.itemsize)
    pixels = math.prod(shapes_of(photograph.image.shape, recipe)[-1])
    if network.device.name != "cpu" or there is None or resident() + most * pixels < there.bytes:
        return recipe, bands
    count = 0 if regions is None else len(regions.names)
    shapes = [painting.image.shape for painting in paintings]
    estimator = Estimator(photograph.image.shape, shapes, recipe, network, draft, regions=count, quick=True)
    goes_on = state is not None and bool(state.history)
    recipe, estimate, said = fitted(estimator, recipe, there, bands or None, shorter=not goes_on)
    check_room(estimator, estimate, there, in_bands=not bands)
    for notice in said:
        LOG.warning(notice.text)
    return recipe, [stage.bands for stage in estimate.stages]


def _given(name: str, given: Given) -> inputs.Given:
    """A path as it is, to be read at the size that the run wants; anything else as a picture."""
    return Path(given) if isinstance(given, str | Path) else picture_of(name, given)


def _advice(name: str, settings: Sequence[str]) -> str:
    """What to do in place of a keyword that ``stylize`` does not have."""
    if name in _INSTEAD:
        return _INSTEAD[name]
    known = [*inspect.signature(stylize).parameters, *_SHORT, *settings]
    return (f"{did_you_mean(name, known)}settings are named as the command line's options, with _ for -, as in "
            "style_weight=300; help(minstyle.Recipe) lists them")  # fmt: skip


def _named(recipe: str | Path) -> Recipe:
    """The recipe of that name; a picture that carries none was meant to be written."""
    try:
        return named_recipe(str(recipe))
    except RecipeError as error:
        if Path(recipe).suffix.lower() not in WRITERS:
            raise
        save = f'to save the picture: result = minstyle.stylize(content, styles), then result.save("{recipe}")'
        expected = "a name, a JSON file or a picture that minstyle made"
        raise RecipeError(f"recipe: expected {expected}, got {shown(str(recipe))}; {save}") from error


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, lists as tuples."""
    value = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def _recipe(recipe: str | Path | Recipe, settings: dict[str, Any], content: inputs.Given, from_file: bool) -> Recipe:
    found = recipe if isinstance(recipe, Recipe) else _named(recipe)
    known = [field.name for field in dataclasses.fields(Recipe)]
    for name in settings:
        if name not in known and name not in _SHORT:
            raise TypeError(f"stylize() got an unexpected keyword argument {name!r}; {_advice(name, known)}")
    changes = {_SHORT.get(name, name): _plain(value) for name, value in settings.items()}
    if changes.get("sizes") == ORIGINAL:
        sized = dataclasses.replace(found, size_of=changes.get("size_of", found.size_of))
        shape = content.image.shape if isinstance(content, Picture) else picture_shape(content)
        changes["sizes"] = side_of(shape, sized)
    if isinstance(changes.get("sizes"), int):
        changes["sizes"] = (changes["sizes"],)
    try:
        return dataclasses.replace(found, **(from_start_file(found, changes) if from_file else changes))
    except RecipeError as error:
        field, _, told = str(error).partition(": ")
        given = next((name for name in settings if _SHORT.get(name) == field), None)
        raise error if given is None else RecipeError(f"{given}: {told}") from error


def _read(
    given: Sequence[inputs.Given], start: inputs.Given | None, recipe: Recipe
) -> tuple[Picture, Sequence[Picture], Picture | None]:
    """The content, the styles and the start image, read; what is odd goes to the log."""
    content, *styles = given
    check_styles(recipe, len(styles))
    check_start(recipe, start)
    inputs.check_headers(content, styles, start, recipe)
    photograph, paintings = inputs.read_pictures(content, styles, recipe, Logged().notice)
    return photograph, paintings, None if start is None else inputs.read_initial(start, photograph, recipe)


def _regions(
    masks: Sequence[Given] | None,
    regions: Regions | None,
    recipe: Recipe,
    content: Picture,
    styles: Sequence[Picture],
) -> Regions | None:
    if masks is None:
        return regions
    require(regions is None, "stylize", "masks or regions", "both", RecipeError)
    several = isinstance(masks, list | tuple)
    require(several, "masks", "a list: the content's mask, and one of each style", type(masks).__name__, RecipeError)
    found = [Path(mask) if isinstance(mask, str | Path) else mask_of("mask", mask) for mask in masks]
    return inputs.read_regions(found, recipe, content, styles, Logged().notice)


def _networks(
    network: str | Path | Network, draft: str | Path | Network | None, device: str, dtype: Any, recipe: Recipe
) -> tuple[Network, Network | None]:
    own = network if isinstance(network, Network) else load_network(str(network), device=device, dtype=dtype)
    if draft == "auto":
        return own, load_draft(own, [recipe])[0]
    if isinstance(draft, str | Path):
        return own, load_network(str(draft), device=own.device.name, dtype=own.dtype)
    return own, draft
