"""Variants of recipes by their names: ``document:style_weight=10``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import RecipeError, require
from ..recipe.recipe import Recipe
from ..recipe.settings import expectation, shown
from ..suggest import meant
from .recipefile import named_recipe, recipe_file


def parse_variants(text: str, changed: Callable[[Recipe], Recipe] = lambda recipe: recipe) -> dict[str, Recipe]:
    """ "document,gatys,document:style_weight=10" -> label to recipe; raises RecipeError.

    ``changed`` is done to each named recipe first.

    Commas part the variants, but one before a digit belongs to a value, as in ``gatys:sizes=128,256``.
    """
    variants: dict[str, Recipe] = {}
    for part in _parts(text):
        label, recipe = parse_variant(part, changed)
        require(label not in variants, "comparison", "variants that differ", f"{label!r} twice", RecipeError)
        variants[label] = recipe
    return variants


def variant_files(text: str) -> list[Path]:
    """The recipe files that ``parse_variants`` reads."""
    found = (recipe_file(_split(part)[0]) for part in _parts(text))
    return [path for path in found if path is not None]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?!\s*\d)", text)]


def _split(label: str) -> list[str]:
    """A recipe's name or file, and what to change in it."""
    return re.split(r":(?=[^:=/\\]*=)", label)


def parse_variant(text: str, changed: Callable[[Recipe], Recipe] = lambda recipe: recipe) -> tuple[str, Recipe]:
    """A recipe's name or JSON file and what to change in it -> (label, recipe); the label is the text.

    ``document:style_weight=10:init=content``: a field of ``Recipe`` or its option's name, and a value as on the command
    line. Raises RecipeError that names the part that is wrong.
    """
    label = text.strip()
    name, *changes = _split(label)
    recipe = changed(named_recipe(name))
    try:
        return label, dataclasses.replace(recipe, **dict(parse_change(*_parted(change)) for change in changes))
    except RecipeError as error:
        raise RecipeError(f"{label!r}: {error}") from None


def _parted(change: str) -> tuple[str, str]:
    name, _, value = (part.strip() for part in change.partition("="))
    return name, value


def parse_change(name: str, value: str, others: Sequence[str] = ()) -> tuple[str, Any]:
    """("style-weight", "10") -> ("style_weight", 10.0): a setting as on the command line. Raises RecipeError.

    ``others`` are names that may be meant too where ``name`` is no setting.
    """
    fields = {field.name: field for field in dataclasses.fields(Recipe) if "parse" in field.metadata}
    flags = {(field.metadata["flag"] or "--" + key)[2:]: key for key, field in fields.items()}
    name = name.replace("-", "_")
    field = fields.get(flags.get(name, name))
    if field is None:
        raise RecipeError(f"unknown setting {shown(name)}: {meant(name, (*others, *fields))}")
    try:
        parsed = field.metadata["parse"](value)
    except ValueError:
        default = field.default
        such = ",".join(map(str, default)) if isinstance(default, tuple) else "1" if default is None else default
        raise RecipeError(f"{name}: expected a value such as {such}, got {shown(value)}") from None
    expected, _ = expectation(field, parsed)
    require(not expected, name, expected, shown(value), RecipeError)
    return field.name, parsed
