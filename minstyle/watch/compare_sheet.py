"""Small runs side by side, to choose a recipe or a weight by looking: nobody guesses weights."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MinstyleError, RecipeError, require
from ..images.grid import Picture, fit, grid, note
from ..job.recipefile import named_recipe
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, of_size, side_of, sizes_of
from ..run.observer import Observer
from ..run.result import Result
from ..run.stylize import stylize


@dataclass(frozen=True)
class Run:
    """One of the runs: its label, its small recipe, and the result, or the error that left none."""

    label: str
    recipe: Recipe
    result: Result | None = None
    error: BaseException | None = None


def compare(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    recipes: Mapping[str, Recipe],
    *,
    network: Network,
    size: int = 256,
    evaluations: int = 60,
    observers: Sequence[Observer] = (),
) -> list[Run]:
    """Run each of ``recipes`` (label to recipe) small, one after the other: see ``small_recipe``.

    Images are as for ``stylize``; the observers are told of each run in turn. An error ends its own run only and
    stands in ``Run.error``, or in the result's where a picture was made before. An interrupt ends all: what was made
    until then is returned; where that is nothing it is raised.
    """
    require(len(recipes) > 0, "comparison", "at least one recipe", "none", RecipeError)
    runs: list[Run] = []
    for label, recipe in recipes.items():
        small = small_recipe(recipe, content.shape, network, size=size, evaluations=evaluations)
        try:
            result = stylize(content, styles, small, network=network, observers=observers)
        except (MinstyleError, OSError, MemoryError) as error:
            runs.append(Run(label, small, error=error))
            continue
        except KeyboardInterrupt:
            if not any(run.result for run in runs):
                raise
            return runs
        runs.append(Run(label, small, result))
        if isinstance(result.error, KeyboardInterrupt):
            return runs
    return runs


def small_recipe(
    recipe: Recipe, content: tuple[int, ...], network: Network, *, size: int = 256, evaluations: int = 60
) -> Recipe:
    """The recipe with its last size made ``size`` pixels of the long side, the others in proportion.

    What its sizes are of stays: style pictures go by that side. Sizes below what the network takes for a ``content``
    of shape (H, W, 3) are left out; the last is made that large. The budget falls to about ``evaluations`` in all, in
    as many rounds of the recipe's own length as that allows, at each size in proportion.
    """
    require(evaluations >= 1, "evaluations of a comparison", "1 or more", evaluations, RecipeError)
    side, own = side_of(content, recipe), sizes_of(recipe)
    smallest = math.ceil(SMALLEST * side / max(1, min(content[:2])))
    last = max(round(size * side / max(content[:2])), smallest)
    scaled = {max(1, round(last * s / own[-1])): of_size(recipe.evaluations, i) for i, s in enumerate(own)}
    budget = {s: n for s, n in sorted(scaled.items()) if s >= smallest}
    stages = [*budget.values()] + [budget[last]] * (recipe.draft != "none" and not network.small)
    rounds = min(recipe.rounds, max(1, round(evaluations / sum(stages))))
    part = min(1.0, evaluations / (rounds * sum(stages)))
    return dataclasses.replace(
        recipe,
        sizes=tuple(budget),
        scales=1,
        rounds=rounds,
        evaluations=tuple(max(1, round(part * n)) for n in budget.values()),
    )


def compare_sheet(
    content: np.ndarray, styles: Sequence[np.ndarray], runs: Sequence[Run], *, height: int = 256
) -> np.ndarray:
    """The runs as a labelled grid, content and styles first -> image (H, W, 3), float32, 0..255.

    Under each picture stand its label, seconds and evaluations, and the recipe's main weights; in the place of a
    picture that was not made stands the reason.
    """
    given: list[Picture] = [("content", content)]
    given += [(f"style {i}" if len(styles) > 1 else "style", style) for i, style in enumerate(styles, start=1)]
    return grid([*given, *(_cell(run, content, height) for run in runs)], height=height)


def _cell(run: Run, content: np.ndarray, height: int) -> Picture:
    weights = ", ".join(
        f"{role} {value:g}" for role in ("content", "style", "tv") if (value := getattr(run.recipe, f"{role}_weight"))
    )
    if run.result is None:
        h, w, _ = fit(content, height).shape
        return f"{run.label}\nfailed\n{weights}", note(_reason(run.error), max(h, height // 2), max(w, height // 2))
    ended = ""
    if run.result.error is not None:
        ended = ", interrupted" if isinstance(run.result.error, KeyboardInterrupt) else ", ended early"
    took = f"{run.result.seconds:.1f} s, {run.result.evaluations} evaluations{ended}"
    return f"{run.label}\n{took}\n{weights}", run.result.image


def _reason(error: BaseException | None) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    return str(error) or type(error).__name__


# Variants by name


def parse_variants(text: str, changed: Callable[[Recipe], Recipe] = lambda recipe: recipe) -> dict[str, Recipe]:
    """ "document,gatys,document:style_weight=10" -> label to recipe; raises RecipeError.

    ``changed`` is done to each named recipe first.

    Commas part the variants, but one before a digit belongs to a value, as in ``gatys:sizes=128,256``.
    """
    variants: dict[str, Recipe] = {}
    for part in re.split(r",(?!\s*\d)", text):
        label, recipe = parse_variant(part, changed)
        require(label not in variants, "comparison", "variants that differ", f"{label!r} twice", RecipeError)
        variants[label] = recipe
    return variants


def parse_variant(text: str, changed: Callable[[Recipe], Recipe] = lambda recipe: recipe) -> tuple[str, Recipe]:
    """A recipe's name or JSON file and what to change in it -> (label, recipe); the label is the text.

    ``document:style_weight=10:init=content``: a field of ``Recipe`` or its option's name, and a value as on the command
    line. Raises RecipeError that names the part that is wrong.
    """
    label = text.strip()
    name, *changes = re.split(r":(?=[^:=/\\]*=)", label)
    recipe = changed(named_recipe(name))
    try:
        return label, dataclasses.replace(recipe, **dict(_parse_change(change) for change in changes))
    except RecipeError as error:
        raise RecipeError(f"{label!r}: {error}") from None


def _parse_change(text: str) -> tuple[str, Any]:
    """ "style-weight=10" -> ("style_weight", 10.0)"""
    name, _, value = (part.strip() for part in text.partition("="))
    fields = {field.name: field for field in dataclasses.fields(Recipe) if "parse" in field.metadata}
    flags = {(field.metadata["flag"] or "--" + key)[2:]: key for key, field in fields.items()}
    name = name.replace("-", "_")
    field = fields.get(flags.get(name, name))
    if field is None:
        raise RecipeError(f"unknown setting {name!r}: known are {', '.join(fields)}")
    try:
        return field.name, field.metadata["parse"](value)
    except ValueError:
        default = field.default
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else "1" if default is None else default
        raise RecipeError(f"{name}: expected a value such as {shown}, got {value!r}") from None
