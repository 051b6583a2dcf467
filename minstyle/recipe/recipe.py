"""Recipes: every choice that makes a picture, as frozen data. No arithmetic here; presets.py has the known ones."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from ..engine.ops.padding import PADDINGS
from ..errors import RecipeError
from ..images.arrays import RESAMPLES
from ..network.vgg import POOLINGS
from . import settings
from .described import described
from .settings import MAX_WEIGHT, check, numbers, setting, whole_numbers, windows
from .terms import Term, UnknownLossError

MAX_TERMS = 500  # each formula at each layer it is for, before and after ReLU, is 487
MAX_TEXT = 1_000_000  # characters of a recipe's JSON; the longest of ours has 4,000
MAX_SIZE = 100_000  # pixels on a side, for one that is very long: what a whole picture takes is the estimate's to say
# Noise by the exponent p of its power spectrum 1 / f^p, f the frequency in any direction: the larger, the coarser.
FILE = "file"  # the start image is a picture that is given beside the recipe
NOISES = {"white": 0.0, "pink": 1.0, "brown": 2.0}
STEP = 4.0  # what one step of strength divides the content's weight by: seen at once, and 1 and 5 are still of use
PRESETS: dict[str, Recipe] = {}  # by name, for a recipe's repr: presets.py, which imports this file, fills it


@settings.explained
@dataclass(frozen=True, repr=False)
class Recipe:
    """All settings of a run. Checks itself: RecipeError names the field, the value and what was expected.

    ``terms`` are losses, each at a layer with a weight; comparisons leave out the ``description``. A single value may
    stand for a tuple of one. The defaults are not those of the preset ``fine``: see ``RECIPES["fine"]``.
    """

    name: str
    terms: tuple[Term, ...]
    description: str = dataclasses.field(default="", compare=False, kw_only=True)

    strength: float = setting(
        "1 keeps most of the photograph, 3 is the recipe as it is, 5 paints most: content-weight by 4^(3 - strength)",
        float, group="look", default=3.0, minimum=1, maximum=5, metavar="1..5",
    )  # fmt: skip
    content_weight: float = setting(
        "weight of the content terms", float, group="look", default=0.025, minimum=0, maximum=MAX_WEIGHT, metavar="X"
    )
    coarse_content: float = setting(
        "content weight at the sizes before the last, as a fraction of content-weight: below 1 the style's large "
        "shapes are painted there, and the last size brings the content back",
        float, group="look", default=1.0, minimum=0, maximum=1000, metavar="X",
    )  # fmt: skip
    style_weight: float = setting(
        "weight of the style terms", float, group="look", default=1.0, minimum=0, maximum=MAX_WEIGHT, metavar="X"
    )
    tv_weight: float = setting(
        "weight of the total variation", float, group="look", default=1e-4, minimum=0, maximum=MAX_WEIGHT, metavar="X"
    )
    range_weight: float = setting(
        "penalty on pixels below 0 or above 255: weight of the mean square of how far they are outside",
        float, group="look", default=0.0, minimum=0, maximum=MAX_WEIGHT, metavar="X",
    )  # fmt: skip
    init: str = setting(
        "start image: noise, the content, noise in the style's colours, the network's mean colour (grey), or a file",
        str, group="look", default="noise", choices=("noise", "content", "style", "grey", FILE),
    )  # fmt: skip
    noise: str = setting(
        "spectrum of the noise: white, pink (1/f) or brown (1/f^2)",
        str, group="look", default="white", choices=tuple(NOISES),
    )  # fmt: skip
    mix: float = setting(
        "fraction of noise mixed into the start image",
        float, group="look", default=0.0, minimum=0, maximum=1, metavar="X",
    )  # fmt: skip
    deviation: float = setting(
        "standard deviation of the noise added to the start image grey, in grey levels",
        float, group="look", default=0.256, minimum=0, maximum=255, metavar="X",
    )  # fmt: skip
    draft: str = setting(
        "mini: the small network paints all sizes first, then the main network continues at the last one; mini-coarse: "
        "the small network paints the sizes before the last, if it has the recipe's layers",
        str, group="look", default="none", choices=("none", "mini", "mini-coarse"),
    )  # fmt: skip
    seed: int = setting("seed of the noise", int, group="look", default=0, minimum=0, metavar="N")
    color: str = setting(
        "colours. style: as they are painted; auto: the same, but grey if all pictures are grey; content: the "
        "photograph's, under the painted luminance; luminance: both pictures are grey while painting, then the "
        "photograph's colours; match: the style's colours are matched to the photograph's before; match-after: the "
        "result's afterwards",
        str, group="look", default="style", choices=("style", "auto", "content", "luminance", "match", "match-after"),
    )  # fmt: skip
    color_map: str = setting(
        "how colours are matched: by the symmetric root of the covariance (pca) or its triangular root (cholesky)",
        str, group="look", default="pca", choices=("pca", "cholesky"),
    )  # fmt: skip
    feather: float = setting(
        "softness of the masks' edges, as a fraction of the longer side",
        float, group="look", default=0.0, minimum=0, maximum=0.25, metavar="X",
    )  # fmt: skip
    blend: tuple[float, ...] = setting(
        "relative weights of the styles, as in 3,7 (default: all equal)",
        numbers, group="styles", default=(), minimum=0, maximum=1e6, metavar="X[,X]",
    )  # fmt: skip
    style_scale: tuple[float, ...] = setting(
        "size of each style picture relative to the content: 0.5 makes strokes half as large, 2 twice as large",
        numbers, group="styles", default=(1.0,), minimum=0.05, maximum=20, metavar="X[,X]",
    )  # fmt: skip
    style_crop: tuple[tuple[float, ...], ...] = setting(
        "the part of each style picture to use: left,top,right,bottom from 0 to 1, with / between pictures",
        windows, group="styles", default=(), metavar="L,T,R,B",
    )  # fmt: skip
    style_fit: str = setting(
        "how a style picture is resized. stretch: to the content's shape; the others keep its own. area: to as many "
        "pixels as the content has; keep: as long on the side that size-of names; native: so too, but never enlarged",
        str, group="styles", default="stretch", choices=("stretch", "area", "keep", "native"),
    )  # fmt: skip
    small_style: str = setting(
        "what to do with a style picture of at most a quarter of the content's pixels. mirrored: continued by "
        "its mirror images to about as many pixels, so that its edges make no frame in the result; plain: not",
        str, group="styles", default="plain", choices=("plain", "mirrored"),
    )  # fmt: skip
    units: str = setting(
        "scale of the network's input that the loss weights are for: caffe, grey levels; torchvision, 1/57.6 of it",
        str, group="network's use", default="caffe", choices=("caffe", "torchvision"),
    )  # fmt: skip
    white: float = setting(
        "the value that white has for the network",
        float, group="network's use", default=255.0, minimum=1, maximum=10_000, metavar="X",
    )  # fmt: skip
    pooling: str = setting("pooling of the network", str, group="network's use", default="max", choices=tuple(POOLINGS))
    pooling_factor: float | None = setting(
        "factor applied after pooling (default: max 1, average 2, l2 0.78)",
        float, group="network's use", default=None, minimum=0.01, maximum=10, metavar="X",
    )  # fmt: skip
    padding: str = setting(
        "padding of the picture in the first layer", str, group="network's use", default="zero", choices=tuple(PADDINGS)
    )
    gradients: str = setting(
        "unit: the gradient of each term except total variation is divided by the sum of its absolute values, so that "
        "weights say how far each term moves the picture (with adam only)",
        str, group="network's use", default="plain", choices=("plain", "unit"),
    )  # fmt: skip
    sizes: tuple[int, ...] = setting(
        "pixels on the longer side, or the one that size-of names; several, as in 128,256, are painted coarse to fine; "
        "the word original stands for the photograph's own size",
        whole_numbers, group="size", default=(400,), minimum=32, maximum=MAX_SIZE, flag="--size", metavar="N[,N]",
    )  # fmt: skip
    size_of: str = setting(
        "the side of the picture that size refers to", str, group="size", default="height",
        choices=("height", "width", "long", "short"),
    )  # fmt: skip
    scales: int = setting(
        "if one size is given: the most sizes that are painted up to it, each ratio times the one before",
        int, group="size", default=1, minimum=1, maximum=32, metavar="N",
    )  # fmt: skip
    ratio: float = setting(
        "ratio of successive sizes", float, group="size", default=2.0, minimum=1.05, maximum=16, metavar="X"
    )
    min_size: int = setting(
        "the smallest of the sizes before the last", int, group="size", default=128, minimum=32, metavar="N"
    )
    detail: float = setting(
        "between sizes: how much of the detail that only the larger photograph has is added to the enlarged picture",
        float, group="size", default=0.0, minimum=0, maximum=10, metavar="X",
    )  # fmt: skip
    resample: str = setting("how pictures are resized", str, group="size", default="lanczos", choices=tuple(RESAMPLES))
    optimizer: str = setting(
        "minstyle's own L-BFGS (lbfgs), SciPy's L-BFGS-B (scipy), or Adam (adam)",
        str, group="optimiser", default="scipy", choices=("lbfgs", "scipy", "adam"),
    )  # fmt: skip
    rounds: int = setting(
        "rounds of the optimiser at each size; L-BFGS starts each without its history",
        int, group="optimiser", default=20, minimum=1, metavar="N",
    )  # fmt: skip
    evaluations: tuple[int, ...] = setting(
        "evaluations of loss and gradient in a round; several numbers: for the sizes in turn, the last for all others",
        whole_numbers, group="optimiser", default=(20,), minimum=1, also=("--steps",), metavar="N[,N]",
    )  # fmt: skip
    iterations: int = setting(
        "most iterations in a round", int, group="optimiser", default=15000, minimum=1, metavar="N"
    )
    history: int = setting(
        "pairs of steps and gradients that L-BFGS keeps (m)",
        int, group="optimiser", default=10, minimum=1, maximum=1000, metavar="N",
    )  # fmt: skip
    factr: float = setting(
        "end a round when the loss falls by less than this times 2.2e-16 of itself",
        float, group="optimiser", default=1e7, minimum=0, metavar="X",
    )  # fmt: skip
    pgtol: float = setting(
        "end a round when no component of the gradient is larger",
        float, group="optimiser", default=1e-5, minimum=0, metavar="X",
    )  # fmt: skip
    tolerance: float = setting(
        "lbfgs: end a round when ten iterations lower the loss by less than this fraction",
        float, group="optimiser", default=0.0, minimum=0, maximum=1, metavar="X",
    )  # fmt: skip
    learning_rate: float = setting(
        "Adam's learning rate, in grey levels",
        float, group="optimiser", default=10.0, minimum=0, maximum=1000, metavar="X",
    )  # fmt: skip
    betas: tuple[float, ...] = setting(
        "Adam's decay rates, of the running means of the gradient and of its square",
        numbers, group="optimiser", default=(0.9, 0.999), minimum=0, maximum=1, metavar="X,X",
    )  # fmt: skip
    epsilon: float = setting(
        "Adam's epsilon, for gradients with respect to grey levels",
        float, group="optimiser", default=1e-8, minimum=0, maximum=1e12, metavar="X",
    )  # fmt: skip
    averaging: float = setting(
        "Adam: decay rate of the running mean of the images, which is the result (0: the best image is)",
        float, group="optimiser", default=0.0, minimum=0, maximum=0.99999, metavar="X",
    )  # fmt: skip
    bounds: str = setting(
        "how pixels are kept in 0..255: clipped at the end, after every step (adam only), or by a smooth mapping",
        str, group="optimiser", default="end", choices=("end", "step", "smooth"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if settings.is_many(field) and isinstance(value, (int, float)) and not isinstance(value, bool):
                object.__setattr__(self, field.name, (value,))
            if "parse" in field.metadata:
                settings.check_setting(field, getattr(self, field.name))
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
            data = json.loads(
                text, parse_float=settings.json_number, parse_int=settings.json_number, parse_constant=str
            )
            if not isinstance(data, dict) or not isinstance(data.get("terms"), list):
                raise RecipeError("a recipe is a JSON object with a list of terms")
            given = data.pop("terms")
            check(len(given) <= MAX_TERMS, "terms", f"at most {MAX_TERMS}", len(given))
            terms = tuple(Term(**term) for term in given)
            return cls(terms=terms, **{name: settings.json_value(value) for name, value in data.items()})
        except UnknownLossError:
            raise
        except (ValueError, TypeError, RecursionError) as error:
            raise RecipeError(f"not a recipe: {' '.join(str(error).split())[:500]}") from error
