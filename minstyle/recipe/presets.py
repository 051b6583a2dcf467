"""The recipes that come with minstyle: those of known programs, and ``fine``, ours.

Each program's formulas and numbers are as its source has them (docs/explanation/recipes.md says where, and what
differs: their L-BFGS here is ours, and scipy's in ``document``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from ..errors import RecipeError
from ..suggest import did_you_mean
from .recipe import PRESETS, Recipe
from .settings import shown
from .terms import IMAGE, Term

STYLE_LAYERS = tuple(f"block{i}_conv1" for i in range(1, 6))
_CHANNELS = (64, 128, 256, 512, 512)


def _terms(content: tuple[str, str], style: str, tv: str, weights: Sequence[float] = (1.0,) * 5) -> tuple[Term, ...]:
    """A content term (kind, layer), the style kind at as many of STYLE_LAYERS as have weights, a total variation."""
    styles = tuple(
        Term(style, layer, weight) for layer, weight in zip(STYLE_LAYERS[: len(weights)], weights, strict=True)
    )
    return (Term(*content), *styles, Term(tv, IMAGE))


# F. Chollet, Deep Learning with Python (2017), 8.3: the defaults of Recipe are this program's, but for resample.
# Keras took the nearest pixel: a small copy of a large painting then is so coarse that its grain is learnt.
_DOCUMENT = Recipe(
    "document",
    _terms(("content_sum", "block5_conv2"), "gram_image", "total_variation", [0.2] * 5),
    description="the Keras program of Deep Learning with Python, 8.3: from noise, at 400 rows, by scipy's L-BFGS-B",
)

# Gatys, Ecker, Bethge: Image Style Transfer Using Convolutional Neural Networks (CVPR 2016).
_GATYS = Recipe(
    "gatys",
    _terms(("content_half", "block4_conv2"), "gram_paper", "total_variation", [0.2] * 5),
    description="Gatys, Ecker, Bethge 2016, as the paper has it: from noise, average pooling",
    content_weight=1.0,
    style_weight=1e3,
    tv_weight=0.0,
    pooling="average",
    sizes=(512,),
    size_of="long",
    style_fit="keep",
    optimizer="lbfgs",
    rounds=1,
    evaluations=(500,),
    factr=0.0,
    pgtol=0.0,
)

# L. Gatys, PytorchNeuralStyleTransfer: the authors' own program, with its second pass at a larger size.
_GATYS_CODE = Recipe(
    "gatys-code",
    _terms(("content_mean", "block4_conv2"), "gram_code", "total_variation", [1 / c**2 for c in _CHANNELS]),
    description="Gatys's own PyTorch program: from the photograph, at two sizes",
    content_weight=1.0,
    style_weight=1e3,
    tv_weight=0.0,
    init="content",
    sizes=(512, 800),
    size_of="short",
    style_fit="keep",
    resample="bilinear",
    optimizer="lbfgs",
    rounds=1,
    evaluations=(520, 220),  # the loops of 500 and 200 look at their counters after steps of 20
    history=100,
    factr=0.0,
    pgtol=0.0,
)

# J. Johnson, neural-style.
_JOHNSON = Recipe(
    "johnson",
    _terms(("content_mean", "block4_conv2"), "gram_mean", "tv_squared"),
    description="J. Johnson's neural-style (Torch): from grey, at one size",
    content_weight=5.0,
    style_weight=100.0,
    tv_weight=1e-3,
    init="grey",
    deviation=0.001,
    white=256.0,
    sizes=(512,),
    size_of="long",
    style_fit="keep",
    resample="bilinear",
    optimizer="lbfgs",
    rounds=1,
    evaluations=(1000,),
    history=100,
    factr=0.0,
    pgtol=0.0,
)

# K. Crowson, style-transfer-pytorch.
_CROWSON = Recipe(
    "crowson",
    _terms(("content_mean", "block4_conv2"), "wasserstein", "tv_stencil", [w / 341 for w in (256, 64, 16, 4, 1)]),
    description="K. Crowson's style-transfer-pytorch: Wasserstein-2 distances, five sizes, Adam",
    content_weight=0.015,
    style_weight=1.0,
    tv_weight=2.0,
    init="content",
    units="torchvision",
    padding="replicate",
    sizes=(512,),
    size_of="long",
    scales=32,
    ratio=2**0.5,
    min_size=128,
    style_fit="native",
    resample="bicubic",
    optimizer="adam",
    rounds=1,
    evaluations=(1000, 500),
    learning_rate=0.02 * 255,
    betas=(0.9, 0.99),
    epsilon=1e-8 / 255,
    averaging=0.99,
    bounds="step",
)

# A. Athalye, neural-style.
_ATHALYE = Recipe(
    "athalye",
    _terms(("content_mean", "block4_conv2"), "gram_mean", "tv_mean", [0.2] * 5),
    description="A. Athalye's neural-style (TensorFlow): from grey, Adam",
    content_weight=5.0,
    style_weight=500.0,
    tv_weight=100.0,
    init="grey",
    deviation=0.256,
    sizes=(512,),
    size_of="width",
    style_fit="keep",
    resample="bicubic",
    optimizer="adam",
    rounds=1,
    evaluations=(1000,),
    learning_rate=10.0,
)

# A. Jacq: Neural Transfer Using PyTorch, the tutorial. Its layers are counted in convolutions and read before ReLU.
_PYTORCH_TUTORIAL = Recipe(
    "pytorch-tutorial",
    (
        Term("content_mean", "block2_conv2_linear"),
        *(Term("gram_mean", f"block{b}_conv{i}_linear") for b, i in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1))),
    ),
    description="the PyTorch tutorial by A. Jacq: from the photograph, shallow layers before ReLU",
    content_weight=1.0,
    style_weight=1e6,
    tv_weight=0.0,
    init="content",
    units="torchvision",
    sizes=(512,),
    size_of="short",
    style_fit="stretch",
    resample="bilinear",
    optimizer="lbfgs",
    rounds=1,
    evaluations=(320,),  # the loop of 300 looks at its counter after steps of 20
    history=100,
    factr=0.0,
    pgtol=0.0,
)

# Ours before _FINE: Johnson's formulas and weights, since means over positions and a picture's sum of squared slopes do
# not depend on its size, but more of block 5, which is 1 % of his loss.
_GRAM = Recipe(
    "gram",
    _terms(("content_mean", "block4_conv2"), "gram_mean", "tv_sum", [1, 1, 1, 1, 6]),
    description="minstyle's default before fine: Johnson's Gram matrices, coarse to fine, more paint and less likeness",
    content_weight=15.0,
    coarse_content=0.2,
    style_weight=100.0,
    tv_weight=1e-3,
    range_weight=1e5,
    init="content",
    draft="mini-coarse",
    padding="replicate",
    sizes=(512,),
    size_of="long",
    scales=32,
    ratio=2.0,
    min_size=128,
    detail=1.0,
    color="auto",
    style_fit="area",
    small_style="mirrored",
    optimizer="lbfgs",
    rounds=1,
    evaluations=(80, 70, 60),
    history=20,
    factr=0.0,
    pgtol=0.0,
)

# Ours, found by experiment: docs/explanation/recipes.md. Crowson's losses without block 5, whose root costs as much as
# block 4's and counts least, by L-BFGS: Wasserstein distances leave a face its features, Gram matrices break it up.
# Coarse to fine; the small network paints the sizes before the last in a fraction of the time, and few evaluations at
# the last one are enough: what more of them change is hardly more than noise.
_FINE = dataclasses.replace(
    _GRAM,
    name="fine",
    terms=_terms(("content_mean", "block4_conv2"), "wasserstein", "tv_stencil", [w / 341 for w in (256, 64, 16, 4)]),
    description="minstyle's own, the default: from the photograph, coarse to fine, strokes of every size",
    content_weight=1.5,
    coarse_content=1.0,
    tv_weight=400.0,
    range_weight=100.0,
    units="torchvision",
    evaluations=(80, 30),
)

ALIASES: Mapping[str, str] = MappingProxyType({"keras": "document"})  # other names of presets


class UnknownRecipeError(RecipeError, KeyError):
    """There is no preset of that name."""

    __str__ = Exception.__str__  # KeyError's puts the line in quotes


class Presets(Mapping[str, Recipe]):
    """The presets by name. An alias is found too, but listed nowhere.

    A name that is not known raises UnknownRecipeError, which is a KeyError, with those that are near.
    """

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self._recipes = {recipe.name: recipe for recipe in recipes}

    def __getitem__(self, name: str) -> Recipe:
        recipe = self._recipes.get(ALIASES.get(name, name))
        if recipe is None:
            near = did_you_mean(str(name), (*self._recipes, *ALIASES))
            raise UnknownRecipeError(f"unknown recipe {shown(name)}: {near}known are {PRESET_NAMES}")
        return recipe

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)

    def __repr__(self) -> str:
        return f"<presets: {', '.join(self)}>"


RECIPES = Presets((_FINE, _DOCUMENT, _GATYS, _GATYS_CODE, _JOHNSON, _CROWSON, _ATHALYE, _PYTORCH_TUTORIAL, _GRAM))
PRESETS.update(RECIPES)
DEFAULT_RECIPE = "fine"
# For people: what --recipe takes.
PRESET_NAMES = ", ".join((*RECIPES, *(f"{alias} (the same as {name})" for alias, name in ALIASES.items())))
