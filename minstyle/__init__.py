"""minstyle: paint a photograph in the style of a painting, with NumPy or CuPy and nothing else that computes.

network = minstyle.load_network("vgg16")
content, style = minstyle.load_image("photo.jpg"), minstyle.load_image("painting.jpg")
result = minstyle.stylize(content, [style], minstyle.RECIPES["document"], network=network)
minstyle.save_image(result.image, "out.png")
"""

from .errors import MinstyleError
from .gradcheck import check_vjp
from .images import load_image, save_image
from .objective import Objective, build_objective
from .observers import Observer, Step
from .recipes import RECIPES, Recipe, Term
from .stylize import Result, stylize
from .version import __version__
from .weights.locate import load_network

__all__ = [
    "RECIPES",
    "MinstyleError",
    "Objective",
    "Observer",
    "Recipe",
    "Result",
    "Step",
    "Term",
    "__version__",
    "build_objective",
    "check_vjp",
    "load_image",
    "load_network",
    "save_image",
    "stylize",
]
