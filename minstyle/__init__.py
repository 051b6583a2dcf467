"""minstyle: paint a photograph in the style of a painting, with NumPy or CuPy and nothing else that computes.

network = minstyle.load_network("vgg16")
content, style = minstyle.load_image("photo.jpg"), minstyle.load_image("painting.jpg")
result = minstyle.stylize(content, [style], minstyle.RECIPES["document"], network=network)
minstyle.save_image(result.image, "out.png")
"""

from .errors import MinstyleError
from .gradcheck import check_vjp
from .images import Picture, load_image, load_picture, save_image, save_picture
from .objective import Objective, build_objective
from .observers import Observer, Step
from .presets import RECIPES
from .recipes import Recipe
from .regions import Regions, from_masks
from .result import Result
from .stylize import stylize
from .terms import Term
from .version import __version__
from .weights.locate import load_network

__all__ = [
    "RECIPES",
    "MinstyleError",
    "Objective",
    "Observer",
    "Picture",
    "Recipe",
    "Regions",
    "Result",
    "Step",
    "Term",
    "__version__",
    "build_objective",
    "check_vjp",
    "from_masks",
    "load_image",
    "load_network",
    "load_picture",
    "save_image",
    "save_picture",
    "stylize",
]
