"""The names of the library: what ``import minstyle`` gives."""

from .engine.gradcheck import check_vjp
from .errors import MinstyleError
from .images import Picture, load_image, load_picture, save_image, save_picture
from .recipe.presets import RECIPES
from .recipe.recipe import Recipe
from .recipe.terms import Term
from .run.observer import Observer, Step
from .run.result import Result
from .run.state import RunState
from .run.statefile import load_state, save_state
from .run.stylize import stylize
from .style.objective import Objective, build_objective
from .style.regions import Regions, from_masks
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
    "RunState",
    "Step",
    "Term",
    "__version__",
    "build_objective",
    "check_vjp",
    "from_masks",
    "load_image",
    "load_network",
    "load_picture",
    "load_state",
    "save_image",
    "save_picture",
    "save_state",
    "stylize",
]
