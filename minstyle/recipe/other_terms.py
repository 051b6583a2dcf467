"""A recipe with the terms of a role at other layers, or of other formulas."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..errors import RecipeError
from ..network.layers import canonical
from .recipe import Recipe
from .settings import shown
from .terms import IMAGE, ORDER, ROLES, Term


def with_layers(recipe: Recipe, role: str, layers: Mapping[str, float | None]) -> Recipe:
    """The terms of a role ("content", "style") at other layers, by each of its formulas.

    None is the weight that the recipe has at that layer, else the mean of its weights. A number is the first
    formula's weight; the others keep their mean's ratio to the first one's.
    """
    own = [term for term in recipe.terms if term.role == role]
    if not own:
        raise RecipeError(f"recipe {recipe.name} has no {role} terms: name a {role} loss too")
    new: list[Term] = []
    first = None  # the mean of the first formula's weights
    for kind in dict.fromkeys(term.kind for term in own):
        known = {canonical(term.layer): term.weight for term in own if term.kind == kind}
        mean = sum(known.values()) / len(known)
        first = first or mean
        ratio = mean / first if first else 1.0
        new += [Term(kind, at, known.get(canonical(at), mean) if w is None else ratio * w) for at, w in layers.items()]
    return _with_terms(recipe, role, new)


def with_losses(recipe: Recipe, role: str, kinds: Mapping[str, float | None]) -> Recipe:
    """The terms of a role by other formulas, each at the layers and with the layers' weights that the role has.

    A kind's own weight multiplies (None: 1).
    """
    for kind in kinds:
        if ROLES.get(kind) != role:
            known = ", ".join(name for name, serves in ROLES.items() if serves == role)
            raise RecipeError(f"{role} loss: expected {known}, got {shown(kind)}")
    own = [term for term in recipe.terms if term.role == role]
    layers: dict[str, float] = {} if own else {IMAGE: 1.0}
    for term in own:
        layers.setdefault(term.layer, term.weight)  # of its first formula
    new = [Term(kind, layer, (1 if w is None else w) * x) for kind, w in kinds.items() for layer, x in layers.items()]
    return _with_terms(recipe, role, new)


def _with_terms(recipe: Recipe, role: str, new: list[Term]) -> Recipe:
    terms = [*(term for term in recipe.terms if term.role != role), *new]
    return dataclasses.replace(recipe, terms=tuple(sorted(terms, key=lambda term: ORDER.index(term.role))))
