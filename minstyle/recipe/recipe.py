"""Recipes: every choice that makes a picture, as frozen data. No arithmetic here; presets.py has the known ones."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from ..engine.ops.padding import PADDINGS
from ..errors import RecipeError
from ..images.arrays import RESAMPLES
from ..network.vgg import POOLINGS
from .described import described
from .settings import (
    MAX_WEIGHT,
    check,
    check_setting,
    is_many,
    json_number,
    json_value,
    numbers,
    setting,
    whole_numbers,
    windows,
)
from .terms import Term

MAX_TERMS = 500  # each formula at each layer it is for, before and after ReLU, is 487
MAX_TEXT = 1_000_000  # characters of a recipe's JSON; the longest of ours has 4,000
MAX_SIZE = 100_000  # pixels on a side, for one that is very long: what a whole picture takes is the estimate's to say
# Noise by the exponent p of its power spectrum 1 / f^p, f the frequency in any direction: the larger, the coarser.
FILE = "file"  # the start image is a picture that is given beside the recipe
NOISES = {"white": 0.0, "pink": 1.0, "brown": 2.0}
STEP = 3.0  # what one step of strength divides the content's weight by: seen at once, and 1 and 5 are still of use
PRESETS: dict[str, Recipe] = {}  # by name, for a recipe's repr: presets.py, which imports this file, fills it


@dataclass(frozen=True, repr=False)
class Recipe:
    """All settings of a run. Checks itself: RecipeError names the field, the value and what was expected.

    A tuple of one may be given as its only value. ``description`` says in a line what the recipe began as; it makes no
    difference between two of them.
    """

    name: str
    terms: tuple[Term, ...]
    description: str = dataclasses.field(default="", compare=False, kw_only=True)

    strength: float = setting(
        "how much of a painting: 1 is nearly the photograph, 3 the recipe as it is, 5 nearly all paint; content-weight "
        "counts 3^(3 - strength) times",
        float, group="look", default=3.0, minimum=1, maximum=5, metavar="1..5",
    )  # fmt: skip
    content_weight: float = setting(
        "weight of the content terms",
        float, group="look", default=0.025, minimum=0, maximum=MAX_WEIGHT, metavar="X",
    )  # fmt: skip
    coarse_content: float = setting(
        "content weight at the sizes before the last, as a share of content-weight: below 1 the style's large shapes "
        "are painted there, and the last size brings the content back",
        float, group="look", default=1.0, minimum=0, maximum=1000, metavar="X",
    )  # fmt: skip
    style_weight: float = setting(
        "weight of the style terms", float, group="look", default=1.0, minimum=0, maximum=MAX_WEIGHT, metavar="X"
    )
    tv_weight: float = setting(
        "weight of the total variation",
        float, group="look", default=1e-4, minimum=0, maximum=MAX_WEIGHT, metavar="X",
    )  # fmt: skip
    range_weight: float = setting(
        "weight of the mean square of what pixels have below 0 or above 255, in grey levels",
        float, group="look", default=0.0, minimum=0, maximum=MAX_WEIGHT, metavar="X",
    )  # fmt: skip
    init: str = setting(
        "start image; grey is the network's mean colour, style noise in its colours, file another picture",
        str, group="look", default="noise", choices=("noise", "content", "style", "grey", FILE),
    )  # fmt: skip
    noise: str = setting(
        "spectrum of the noise: white, pink (1/f) or brown (1/f^2)",
        str, group="look", default="white", choices=tuple(NOISES),
    )  # fmt: skip
    mix: float = setting(
        "share of noise that is mixed into the start image",
        float, group="look", default=0.0, minimum=0, maximum=1, metavar="X",
    )  # fmt: skip
    deviation: float = setting(
        "grey levels that the start image grey is off, at random",
        float, group="look", default=0.256, minimum=0, maximum=255, metavar="X",
    )  # fmt: skip
    draft: str = setting(
        "mini: the small network paints first, at all sizes, and the network itself goes on from there at the last; "
        "mini-coarse: the small network paints the sizes before the last, if it has the recipe's layers",
        str, group="look", default="none", choices=("none", "mini", "mini-coarse"),
    )  # fmt: skip
    seed: int = setting("seed of the noise", int, group="look", default=0, minimum=0, metavar="N")
    color: str = setting(
        "colours: the style's as they come; auto: so too, but grey where all pictures are grey; the content's, put "
        "back under the luminance that was painted; luminance: both pictures grey while painting, then the content's "
        "colours; match: the style's colours are matched to the content's first; match-after: the result's afterwards",
        str, group="look", default="style", choices=("style", "auto", "content", "luminance", "match", "match-after"),
    )  # fmt: skip
    color_map: str = setting(
        "how colours are matched: by the symmetric root (pca) or the triangular one (cholesky)",
        str, group="look", default="pca", choices=("pca", "cholesky"),
    )  # fmt: skip
    feather: float = setting(
        "softness of the masks' edges, in parts of the longer side",
        float, group="look", default=0.0, minimum=0, maximum=0.25, metavar="X",
    )  # fmt: skip
    blend: tuple[float, ...] = setting(
        "how much each style counts, as in 3,7 (default: all alike)",
        numbers, group="styles", default=(), minimum=0, maximum=1e6, metavar="X[,X]",
    )  # fmt: skip
    style_scale: tuple[float, ...] = setting(
        "size of each style picture beside the content's: 0.5 paints with strokes half as large, 2 with twice as large",
        numbers, group="styles", default=(1.0,), minimum=0.05, maximum=20, metavar="X[,X]",
    )  # fmt: skip
    style_crop: tuple[tuple[float, ...], ...] = setting(
        "the part of each style picture that counts: left,top,right,bottom from 0 to 1, / between pictures",
        windows, group="styles", default=(), metavar="L,T,R,B",
    )  # fmt: skip
    style_fit: str = setting(
        "style picture: stretched to the content's shape; or its own shape, with as many pixels (area), or as large on "
        "the side that size-of names (keep), but never larger than it is (native)",
        str, group="styles", default="stretch", choices=("stretch", "area", "keep", "native"),
    )  # fmt: skip
    small_style: str = setting(
        "a style picture of a quarter of the content's pixels or fewer: as it is; or mirrored at its edges until it "
        "has about as many, for else what the network sees there lands on the picture's edges",
        str, group="styles", default="plain", choices=("plain", "mirrored"),
    )  # fmt: skip
    units: str = setting(
        "networks that the weights are for: caffe's take grey levels, torchvision's 1/57.6 of them, images 0..1",
        str, group="network's use", default="caffe", choices=("caffe", "torchvision"),
    )  # fmt: skip
    white: float = setting(
        "value of white for the network",
        float, group="network's use", default=255.0, minimum=1, maximum=10_000, metavar="X",
    )  # fmt: skip
    pooling: str = setting("pooling of the network", str, group="network's use", default="max", choices=tuple(POOLINGS))
    pooling_factor: float | None = setting(
        "factor after pooling (default: the pooling's own: max 1, average 2, l2 0.78)",
        float, group="network's use", default=None, minimum=0.01, maximum=10, metavar="X",
    )  # fmt: skip
    padding: str = setting(
        "how the first layer continues the picture", str, group="network's use", default="zero",
        choices=tuple(PADDINGS),
    )  # fmt: skip
    gradients: str = setting(
        "unit: the gradient of each term but total variation is divided by its sum of absolute values, so that weights "
        "say how much each moves the picture (with adam only)",
        str, group="network's use", default="plain", choices=("plain", "unit"),
    )  # fmt: skip
    sizes: tuple[int, ...] = setting(
        "pixels on the side that size-of names; several, as in 128,256, run coarse to fine; on the command line the "
        "last may be the word original: the photograph's own size",
        whole_numbers, group="size", default=(400,), minimum=32, maximum=MAX_SIZE, flag="--size", metavar="N[,N]",
    )  # fmt: skip
    size_of: str = setting(
        "which side of the picture the size is", str, group="size", default="height",
        choices=("height", "width", "long", "short"),
    )  # fmt: skip
    scales: int = setting(
        "where one size is given: how many sizes, each ratio times the one before, lead to it, at most",
        int, group="size", default=1, minimum=1, maximum=32, metavar="N",
    )  # fmt: skip
    ratio: float = setting(
        "ratio of neighbouring sizes", float, group="size", default=2.0, minimum=1.05, maximum=16, metavar="X"
    )
    min_size: int = setting(
        "no size that leads to the last one is smaller", int, group="size", default=128, minimum=32, metavar="N"
    )
    detail: float = setting(
        "between sizes: how much of the photograph's detail that the smaller size was too small for is added to what "
        "was painted there",
        float, group="size", default=0.0, minimum=0, maximum=10, metavar="X",
    )  # fmt: skip
    resample: str = setting("how pictures are resized", str, group="size", default="lanczos", choices=tuple(RESAMPLES))
    optimizer: str = setting(
        "L-BFGS of ours, scipy's L-BFGS-B, or Adam",
        str, group="optimiser", default="scipy", choices=("lbfgs", "scipy", "adam"),
    )  # fmt: skip
    rounds: int = setting(
        "rounds of L-BFGS at each size, each with a fresh history",
        int, group="optimiser", default=20, minimum=1, metavar="N",
    )  # fmt: skip
    evaluations: tuple[int, ...] = setting(
        "evaluations of loss and gradient in a round; several numbers: at each size, the last one from there on",
        whole_numbers, group="optimiser", default=(20,), minimum=1, also=("--steps",), metavar="N[,N]",
    )  # fmt: skip
    iterations: int = setting(
        "iterations in a round, at most", int, group="optimiser", default=15000, minimum=1, metavar="N"
    )
    history: int = setting(
        "pairs that L-BFGS remembers (m)", int, group="optimiser", default=10, minimum=1, maximum=1000, metavar="N"
    )
    factr: float = setting(
        "end a round when the loss falls by less than this times 2.2e-16 of itself",
        float, group="optimiser", default=1e7, minimum=0, metavar="X",
    )  # fmt: skip
    pgtol: float = setting(
        "end a round when no entry of the gradient is larger",
        float, group="optimiser", default=1e-5, minimum=0, metavar="X",
    )  # fmt: skip
    tolerance: float = setting(
        "lbfgs: end a round when ten iterations lower the loss by less than this part of it",
        float, group="optimiser", default=0.0, minimum=0, maximum=1, metavar="X",
    )  # fmt: skip
    learning_rate: float = setting(
        "step of Adam, in grey levels",
        float, group="optimiser", default=10.0, minimum=0, maximum=1000, metavar="X",
    )  # fmt: skip
    betas: tuple[float, ...] = setting(
        "decay of Adam's means of the gradient and of its square",
        numbers, group="optimiser", default=(0.9, 0.999), minimum=0, maximum=1, metavar="X,X",
    )  # fmt: skip
    epsilon: float = setting(
        "Adam's epsilon, beside gradients by grey level",
        float, group="optimiser", default=1e-8, minimum=0, maximum=1e12, metavar="X",
    )  # fmt: skip
    averaging: float = setting(
        "Adam: decay of the running mean of the images, which is the result (0: none)",
        float, group="optimiser", default=0.0, minimum=0, maximum=0.99999, metavar="X",
    )  # fmt: skip
    bounds: str = setting(
        "0..255: cut off at the end, after every step (adam only), or by a smooth map of the pixels",
        str, group="optimiser", default="end", choices=("end", "step", "smooth"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if is_many(field) and isinstance(value, (int, float)) and not isinstance(value, bool):
                object.__setattr__(self, field.name, (value,))
            if "parse" in field.metadata:
                check_setting(field, getattr(self, field.name))
        # It is shown on terminals, and a recipe may come with a picture from anywhere.
        good = isinstance(self.name, str) and self.name.isprintable() and 0 < len(self.name) <= 200
        check(good, "name", "1 to 200 printable letters", self.name)
        good = isinstance(self.description, str) and self.description.isprintable() and len(self.description) <= 500
        check(good, "description", "at most 500 printable letters", self.description)
        good = isinstance(self.terms, tuple) and all(isinstance(term, Term) for term in self.terms)
        check(good, "terms", "a tuple of Term", self.terms)
        check(len(self.terms) <= MAX_TERMS, "terms", f"at most {MAX_TERMS}", len(self.terms))
        self._check_together()

    def _check_together(self) -> None:
        weights = [(term.name, self.effective_weight(term)) for term in self.terms]  # a name may stand there twice
        if not any(weight > 0 for _, weight in weights):
            raise RecipeError(f"recipe {self.name}: expected a term of weight above 0, got none")
        for name, weight in weights:
            check(weight <= MAX_WEIGHT, f"weight of {name} times that of its role", f"at most {MAX_WEIGHT:g}", weight)
        if list(self.sizes) != sorted(set(self.sizes)):
            raise RecipeError(f"sizes: expected growing numbers, got {', '.join(map(str, self.sizes))}")
        check(self.blend == () or sum(self.blend) > 0, "blend", "a number above 0 among them", self.blend)
        check(len(self.betas) == 2 and max(self.betas) < 1, "betas", "two numbers below 1", self.betas)
        if self.optimizer == "adam":
            above_0 = "a number above 0 with the optimizer adam"
            check(self.learning_rate > 0, "learning_rate", above_0, self.learning_rate)
            # Below, it would be 0 in float32, and a gradient of 0 divided by 0.
            check(self.epsilon >= 1e-30, "epsilon", "1e-30 or more with the optimizer adam", self.epsilon)
        else:  # their line searches need the loss that the gradient is of
            check(self.gradients == "plain", "gradients", f"plain with the optimizer {self.optimizer}", self.gradients)
            check(self.bounds != "step", "bounds", f"end or smooth with the optimizer {self.optimizer}", self.bounds)

    def effective_weight(self, term: Term) -> float:
        """The factor of a term in the total loss: its own weight times its role's; content by strength too."""
        by_strength = STEP ** (3 - self.strength) if term.role == "content" else 1.0
        return float(term.weight * getattr(self, f"{term.role}_weight") * by_strength)

    @property
    def averages(self) -> bool:
        """Whether the result is the mean of the images on the way, not the best of them."""
        return self.optimizer == "adam" and self.averaging > 0

    def while_coarse(self) -> Recipe:
        """The recipe as it is at the sizes before the last."""
        if self.coarse_content == 1:
            return self
        others = any(self.effective_weight(term) > 0 for term in self.terms if term.role != "content")
        check(others or self.coarse_content > 0, "coarse_content", "a number above 0 where only the content counts",
              self.coarse_content)  # fmt: skip
        return dataclasses.replace(self, content_weight=self.content_weight * self.coarse_content)

    def __repr__(self) -> str:
        """The name, and what differs from the preset of that name, else from the defaults."""
        return described(self, PRESETS.get(self.name))

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that ``to_json`` wrote. Fields left out take their defaults; raises RecipeError."""
        if len(text) > MAX_TEXT:
            raise RecipeError(f"not a recipe: expected at most {MAX_TEXT:,} characters, got {len(text):,}")
        try:
            data = json.loads(text, parse_float=json_number, parse_int=json_number, parse_constant=str)
            if not isinstance(data, dict) or not isinstance(data.get("terms"), list):
                raise RecipeError("a recipe is a JSON object with a list of terms")
            given = data.pop("terms")
            check(len(given) <= MAX_TERMS, "terms", f"at most {MAX_TERMS}", len(given))
            terms = tuple(Term(**term) for term in given)
            return cls(terms=terms, **{name: json_value(value) for name, value in data.items()})
        except (ValueError, TypeError, RecursionError) as error:
            raise RecipeError(f"not a recipe: {' '.join(str(error).split())[:500]}") from error
