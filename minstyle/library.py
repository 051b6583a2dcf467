"""The names of the library: what ``import minstyle`` gives."""

from .engine.gradcheck import check_vjp
from .engine.kernels import use_threads
from .errors import MinstyleError
from .images import Picture, load_image, load_picture, save_image, save_picture
from .network.vgg import Network
from .painting import stylize
from .recipe.presets import RECIPES
from .recipe.recipe import Recipe
from .recipe.terms import Term
from .run.observer import Observer, Plan, Step
from .run.result import Result
from .run.state import RunState
from .run.statefile import load_state, save_state
from .style.features import Features
from .style.objective import Objective, build_objective
from .style.own_losses import register_loss
from .style.regions import Regions, from_masks
from .version import __version__
from .watch.progress import Progress
from .watch.snapshots import Snapshots
from .watch.trace import Trace
from .weights.locate import load_network

__all__ = [
    "RECIPES",
    "Features",
    "MinstyleError",
    "Network",
    "Objective",
    "Observer",
    "Picture",
    "Plan",
    "Progress",
    "Recipe",
    "Regions",
    "Result",
    "RunState",
    "Snapshots",
    "Step",
    "Term",
    "Trace",
    "__version__",
    "build_objective",
    "check_vjp",
    "from_masks",
    "load_image",
    "load_network",
    "load_picture",
    "load_state",
    "register_loss",
    "save_image",
    "save_picture",
    "save_state",
    "stylize",
    "use_threads",
]
