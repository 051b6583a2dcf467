"""A recipe with single things changed: its losses, their layers, its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..recipe.other_terms import with_layers, with_losses
from ..recipe.recipe import FILE, Recipe
from ..recipe.terms import ORDER

Weighted = Mapping[str, float | None]  # names of losses or layers, and their weights, None for the usual one


def change_recipe(
    recipe: Recipe, losses: Mapping[str, Weighted], layers: Mapping[str, Weighted], settings: Mapping[str, Any]
) -> Recipe:
    """``losses`` and ``layers`` are by role (content, style, tv); ``settings`` by field. Raises RecipeError."""
    for role in ORDER:
        if role in layers:  # a loss's number multiplies those of the layers: it comes after them
            recipe = with_losses(recipe, role, dict.fromkeys(losses[role])) if role in losses else recipe
            recipe = with_layers(recipe, role, layers[role])
        if role in losses:
            recipe = with_losses(recipe, role, losses[role])
    return dataclasses.replace(recipe, **settings)


def from_start_file(recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` of a run that starts from a picture: it goes on at the last size, not painted anew from the first.

    Unless they have several sizes, or say how many.
    """
    sizes = settings.get("sizes") or ()
    one = {"scales": 1, "sizes": (sizes or recipe.sizes)[-1:]}
    if settings.get("evaluations") is None:
        one["evaluations"] = recipe.evaluations[-1:]
    return {**settings, "init": FILE, **(one if settings.get("scales") is None and len(sizes) < 2 else {})}
