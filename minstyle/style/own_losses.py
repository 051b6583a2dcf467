"""Losses of one's own, beside those of ``losses``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..recipe.sizes import Shape
from ..recipe.terms import add_kind
from .features import Features
from .losses import LOSSES, Loss

# What is compared where nobody says otherwise: features, their second moments, nothing.
_USUAL: dict[str, Callable[[Features], Any]] = {
    "content": lambda f: f.map,
    "style": lambda f: f.raw,
    "tv": lambda f: (),
}


def register_loss(
    name: str,
    role: str,
    loss: Callable[[Features, Any], Any],
    *,
    statistic: Callable[[Features], Any] | None = None,
    target: Callable[..., Any] | None = None,
    degree: float = 0.0,
    per_channel: int = 0,
) -> None:
    """Make a loss known, so that recipes may have it: ``Term(name, layer, weight)``, also at the layer "image".

    ``role`` ("content", "style" or "tv") says which picture it compares with, and which of the recipe's three weights
    multiplies its own. In the order in which they are called, the arguments are:

    - ``statistic(features)`` -> an array or several, once for the content or for each style picture; several styles'
      are averaged. By default the feature map (H, W, C) of the content, the second moments (C, C) of a style.
    - ``target(*arrays)`` -> what to compare with, once. By default the statistic itself.
    - ``loss(features, target)`` -> a scalar, at each evaluation, for the picture being painted. It is made of ops
      (``minstyle.engine.ops``), or of your own, so that it can be differentiated.

    ``features`` has ``map`` (H, W, C), the moments ``raw`` (C, C) and ``mean`` (C,), ``shape``, and in a region
    ``weights`` (H, W) of the positions, with the sum 1 (else None). ``degree`` is the loss's in the features, and
    ``per_channel`` the power of C that it divides by: with them, a weight means the same on any network.

    A name may be registered again. Each process has to do it itself. Raises RecipeError for a name that is no word or
    one of minstyle's losses, and for an unknown role.
    """
    add_kind(name, role)
    first = _USUAL[role] if statistic is None else statistic

    def arrays(f: Features) -> tuple[Any, ...]:
        found = first(f)
        return found if isinstance(found, tuple) else (found,)

    def goal(*found: Any, unit: float) -> Any:
        if target is not None:
            return target(*found)
        return found[0] if len(found) == 1 else found

    def value(f: Features, compared: Any, image_shape: Shape) -> Any:
        return loss(f, compared)

    LOSSES[name] = Loss(degree, arrays, goal, value, per_channel)
