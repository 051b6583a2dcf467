"""A recipe in a line: what of it differs from what is usual."""

from __future__ import annotations

import dataclasses
from typing import Any

from .terms import Term


def described(recipe: Any, base: Any) -> str:
    """ "Recipe('fine', sizes=(256,))": the name, and what differs from ``base``, if it is None from the defaults."""
    terms = f"<{len(recipe.terms)}>" if base is None else term_changes(base.terms, recipe.terms)
    parts = [repr(recipe.name), *([f"terms={terms}"] if terms else []), *setting_changes(recipe, base)]
    return f"Recipe({', '.join(parts)})"


def setting_changes(settings: Any, base: Any) -> list[str]:
    """ "style_weight=300.0" for each setting that differs from ``base``'s, if that is None from its default."""
    fields = [field for field in dataclasses.fields(settings) if "parse" in field.metadata]
    usual = {field.name: field.default if base is None else getattr(base, field.name) for field in fields}
    found = {name: getattr(settings, name) for name in usual}
    return [f"{name}={value!r}" for name, value in found.items() if value != usual[name]]


def term_changes(before: tuple[Term, ...], now: tuple[Term, ...]) -> str:
    """ "<-gram_mean block5_conv1 x 6, +tv_mean image>"; "" where nothing changed."""
    gone, new = ([term for term in a if term not in b] for a, b in ((before, now), (now, before)))
    signed = [*(("-", term) for term in gone), *(("+", term) for term in new)]
    parts = [f"{sign}{term.name}" + ("" if term.weight == 1 else f" x {term.weight:g}") for sign, term in signed]
    return "" if before == now else f"<{', '.join(parts) or 'in another order'}>"
