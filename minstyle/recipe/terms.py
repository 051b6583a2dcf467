"""Loss terms as data: which formula, at which layer, how much. No arithmetic here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import RecipeError
from .settings import MAX_WEIGHT, check, check_number, shown

# What each kind of loss term serves: its weight is multiplied by the recipe's content_weight, style_weight or
# tv_weight. The formulas are in losses.py.
ROLES: Mapping[str, str] = MappingProxyType(
    {
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
)

ORDER = ("content", "style", "tv")  # of the roles
IMAGE = "image"  # the "layer" of a term that reads the image itself


@dataclass(frozen=True)
class Term:
    """One loss term: the formula's name (a key of ROLES), the layer it reads, its weight within its role."""

    kind: str
    layer: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ROLES:
            raise RecipeError(f"unknown loss {shown(self.kind)}: known are {', '.join(ROLES)}")
        good = isinstance(self.layer, str) and self.layer.isprintable() and len(self.layer) <= 100
        check(good, f"layer of {self.kind}", "a name", self.layer)
        check_number(f"weight of {self.kind} at {self.layer}", self.weight, minimum=0, maximum=MAX_WEIGHT)

    @property
    def name(self) -> str:
        return self.kind if self.layer == IMAGE else f"{self.kind} {self.layer}"

    @property
    def role(self) -> str:
        return ROLES[self.kind]
