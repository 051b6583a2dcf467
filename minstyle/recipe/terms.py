"""Loss terms as data: which formula, at which layer, how much. No arithmetic here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import RecipeError, require
from ..suggest import did_you_mean
from .settings import MAX_WEIGHT, check, check_number, shown

# What each kind of loss term serves: its weight is multiplied by the recipe's content_weight, style_weight or
# tv_weight. The formulas are in losses.py; ``register_loss`` adds one's own.
_roles = {
    "content_sum": "content",
    "content_half": "content",
    "content_mean": "content",
    "content_relative": "content",
    "gram_image": "style",
    "gram_paper": "style",
    "gram_code": "style",
    "gram_mean": "style",
    "gram_relative": "style",
    "covariance": "style",
    "mean_std": "style",
    "wasserstein": "style",
    "histogram": "style",
    "total_variation": "tv",
    "tv_squared": "tv",
    "tv_absolute": "tv",
    "tv_mean": "tv",
    "tv_sum": "tv",
    "tv_stencil": "tv",
}
ROLES: Mapping[str, str] = MappingProxyType(_roles)
OURS = frozenset(_roles)

ORDER = ("content", "style", "tv")  # of the roles
IMAGE = "image"  # the "layer" of a term that reads the image itself


def add_kind(kind: str, role: str) -> None:
    """Let terms be of a new kind. Raises RecipeError for a name that is not a word, or is one of our own kinds."""
    good = _is_word(kind) and kind not in OURS
    expected = "a word that is not the name of one of minstyle's losses"
    require(good, "name of a loss", expected, shown(kind), RecipeError)
    require(role in ORDER, f"role of {kind}", " or ".join(ORDER), shown(role), RecipeError)
    _roles[kind] = role


def _is_word(kind: object) -> bool:
    """Whether a loss can have that name."""
    return isinstance(kind, str) and re.fullmatch(r"[A-Za-z]\w{0,99}", kind) is not None


class UnknownLossError(RecipeError):
    """A recipe has an unknown loss: one of the user's that is not registered yet, or a misspelt one."""


@dataclass(frozen=True)
class Term:
    """One loss term: the formula's name (a key of ROLES), the layer it reads, its weight within its role."""

    kind: str
    layer: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ROLES:
            near = did_you_mean(str(self.kind), ROLES)
            known = f"known are {', '.join(ROLES)}; minstyle.register_loss adds your own"
            error = UnknownLossError if _is_word(self.kind) else RecipeError
            raise error(f"unknown loss {shown(self.kind)}: {near}{known}")
        good = isinstance(self.layer, str) and self.layer.isprintable() and len(self.layer) <= 100
        check(good, f"layer of {self.kind}", "a name", self.layer)
        check_number(f"weight of {self.kind} at {self.layer}", self.weight, minimum=0, maximum=MAX_WEIGHT)

    @property
    def name(self) -> str:
        return self.kind if self.layer == IMAGE else f"{self.kind} {self.layer}"

    @property
    def role(self) -> str:
        return ROLES[self.kind]
