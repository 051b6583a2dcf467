"""Recipes: every choice that makes a picture, as frozen data. No arithmetic here.

A recipe names its loss terms and all other settings. The command line's options are made from the fields below, so
that a default and its help text stand in one place.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .errors import RecipeError, require

# What each kind of loss term serves: its weight is multiplied by the recipe's content_weight, style_weight or
# tv_weight. The formulas are in losses.py.
ROLES: Mapping[str, str] = MappingProxyType(
    {
        "content_sum": "content",
        "content_half": "content",
        "gram_image": "style",
        "gram_paper": "style",
        "total_variation": "tv",
    }
)


@dataclass(frozen=True)
class Term:
    """One loss term: the formula's name (a key of ROLES), the layer it reads, its weight within its role."""

    kind: str
    layer: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ROLES:
            raise RecipeError(f"unknown loss {self.kind!r}: known are {', '.join(ROLES)}")
        if not isinstance(self.layer, str):
            raise RecipeError(f"layer of {self.kind}: expected a name, got {self.layer!r}")
        _check_number(f"weight of {self.kind} at {self.layer}", self.weight, minimum=0)

    @property
    def name(self) -> str:
        return self.kind if self.layer == IMAGE else f"{self.kind} {self.layer}"

    @property
    def role(self) -> str:
        return ROLES[self.kind]


IMAGE = "image"  # the "layer" of a term that reads the image itself
LARGEST = 2**31 - 1  # of a whole number: within what every library takes


def parse_sizes(text: str) -> tuple[int, ...]:
    """ "128,256" -> (128, 256); raises ValueError."""
    return tuple(int(part) for part in text.split(","))


def _option(
    help: str,
    parse: Callable[[str], Any],
    *,
    group: str,
    default: Any,
    minimum: float | None = None,
    choices: tuple[str, ...] | None = None,
    flag: str | None = None,
    metavar: str | None = None,
) -> Any:
    """A field that is also an option of the command line."""
    metadata = dict(help=help, parse=parse, group=group, minimum=minimum, choices=choices)
    return dataclasses.field(default=default, metadata=dict(metadata, flag=flag, metavar=metavar))


@dataclass(frozen=True)
class Recipe:
    """All settings of a run. Checks itself: RecipeError names the field, the value and what was expected."""

    name: str
    terms: tuple[Term, ...]

    content_weight: float = _option(
        "weight of the content terms", float, group="look", default=0.025, minimum=0, metavar="X"
    )
    style_weight: float = _option("weight of the style terms", float, group="look", default=1.0, minimum=0, metavar="X")
    tv_weight: float = _option(
        "weight of the total variation", float, group="look", default=1e-4, minimum=0, metavar="X"
    )
    init: str = _option("start image", str, group="look", default="noise", choices=("noise", "content"))
    draft: str = _option(
        "mini: the small network paints first, at all sizes, and the network itself goes on from there at the last",
        str, group="look", default="none", choices=("none", "mini"),
    )  # fmt: skip
    seed: int = _option("seed of the noise", int, group="look", default=0, minimum=0, metavar="N")
    pooling: str = _option("pooling of the network", str, group="look", default="max", choices=("max", "average", "l2"))
    pooling_factor: float | None = _option(
        "factor after pooling (default: the pooling's own: max 1, average 2, l2 0.78)",
        float, group="look", default=None, minimum=0, metavar="X",
    )  # fmt: skip
    sizes: tuple[int, ...] = _option(
        "pixels on the side that size-of names; several, as in 128,256, run coarse to fine",
        parse_sizes, group="size", default=(400,), minimum=32, flag="--size", metavar="N[,N]",
    )  # fmt: skip
    size_of: str = _option(
        "which side of the picture the size is", str, group="size", default="height", choices=("height", "long")
    )
    style_fit: str = _option(
        "style picture: stretched to the content's shape, or its own shape at the same long side",
        str, group="size", default="stretch", choices=("stretch", "keep"),
    )  # fmt: skip
    resample: str = _option(
        "how pictures are resized", str, group="size", default="lanczos",
        choices=("nearest", "bilinear", "bicubic", "lanczos"),
    )  # fmt: skip
    rounds: int = _option(
        "rounds of L-BFGS at each size, each with a fresh history",
        int, group="optimiser", default=20, minimum=1, metavar="N",
    )  # fmt: skip
    evaluations: int = _option(
        "evaluations of loss and gradient in a round (looked at after each iteration)",
        int, group="optimiser", default=20, minimum=1, metavar="N",
    )  # fmt: skip
    iterations: int = _option(
        "iterations in a round, at most", int, group="optimiser", default=15000, minimum=1, metavar="N"
    )
    history: int = _option(
        "pairs that L-BFGS remembers (m)", int, group="optimiser", default=10, minimum=1, metavar="N"
    )
    factr: float = _option(
        "end a round when the loss falls by less than this times 2.2e-16 of itself",
        float, group="optimiser", default=1e7, minimum=0, metavar="X",
    )  # fmt: skip
    pgtol: float = _option(
        "end a round when no entry of the gradient is larger",
        float, group="optimiser", default=1e-5, minimum=0, metavar="X",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_field(field, getattr(self, field.name))
        if not any(self.effective_weight(term) > 0 for term in self.terms):
            raise RecipeError(f"recipe {self.name}: expected a term of weight above 0, got none")
        if list(self.sizes) != sorted(set(self.sizes)):
            raise RecipeError(f"sizes: expected growing numbers, got {', '.join(map(str, self.sizes))}")

    def effective_weight(self, term: Term) -> float:
        """The factor of a term in the total loss: its own weight times its role's."""
        return float(term.weight * getattr(self, f"{term.role}_weight"))

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that ``to_json`` wrote. Fields left out take their defaults; raises RecipeError."""
        try:
            data = json.loads(text)
            if not isinstance(data, dict) or not isinstance(data.get("terms"), list):
                raise RecipeError("a recipe is a JSON object with a list of terms")
            terms = tuple(Term(**term) for term in data.pop("terms"))
            if isinstance(data.get("sizes"), list):
                data["sizes"] = tuple(data["sizes"])
            return cls(terms=terms, **data)
        except (ValueError, TypeError, RecursionError) as error:
            raise RecipeError(f"not a recipe: {error}") from error


def _check_field(field: dataclasses.Field[Any], value: Any) -> None:
    """Type, choices and minimum of one field, as its metadata says."""
    name, parse = field.name, field.metadata.get("parse")
    if name == "terms":
        good = isinstance(value, tuple) and all(isinstance(term, Term) for term in value)
        _check(good, name, "a tuple of Term", value)
    elif parse is None:
        _check(isinstance(value, str) and value != "", name, "a text", value)
    elif parse is str:
        _check(value in field.metadata["choices"], name, " or ".join(field.metadata["choices"]), value)
    elif parse is parse_sizes:
        _check(isinstance(value, tuple) and len(value) > 0, name, "whole numbers", value)
        for size in value:
            _check_number(name, size, field.metadata["minimum"], whole=True)
    elif value is not None or field.default is not None:
        _check_number(name, value, field.metadata["minimum"], whole=parse is int)


def _check_number(name: str, value: Any, minimum: float, whole: bool = False) -> None:
    kind = "a whole number" if whole else "a number"
    good = isinstance(value, (int,) if whole else (int, float)) and not isinstance(value, bool)
    good = good and minimum <= value <= (LARGEST if whole else sys.float_info.max)
    _check(good, name, f"{kind} of {minimum} or more", value)


def _check(condition: bool, name: str, expected: str, actual: object) -> None:
    require(condition, name, expected, repr(actual), RecipeError)


STYLE_LAYERS = tuple(f"block{i}_conv1" for i in range(1, 6))


def _terms(content_kind: str, content_layer: str, style_kind: str) -> tuple[Term, ...]:
    style = tuple(Term(style_kind, layer, 1 / len(STYLE_LAYERS)) for layer in STYLE_LAYERS)
    return (Term(content_kind, content_layer), *style, Term("total_variation", IMAGE))


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # F. Chollet, Deep Learning with Python (2017), 8.3: the defaults above are this program's, but for resample.
        # Keras took the nearest pixel: a small copy of a large painting then is so coarse that its grain is learnt.
        "document": Recipe("document", _terms("content_sum", "block5_conv2", "gram_image")),
        # Gatys, Ecker, Bethge: Image Style Transfer Using Convolutional Neural Networks (CVPR 2016).
        "gatys": Recipe(
            "gatys",
            _terms("content_half", "block4_conv2", "gram_paper"),
            content_weight=1.0,
            style_weight=1e3,
            tv_weight=0.0,
            pooling="average",
            sizes=(512,),
            size_of="long",
            style_fit="keep",
            rounds=1,
            evaluations=500,
            factr=0.0,
            pgtol=0.0,
        ),
    }
)


def find_recipe(name: str) -> Recipe:
    """The preset of that name; raises RecipeError with the list of known ones."""
    if name not in RECIPES:
        raise RecipeError(f"unknown recipe {name!r}: known are {', '.join(RECIPES)}")
    return RECIPES[name]
