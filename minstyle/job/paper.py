"""The paper of a print, ``60x40cm@200``: how many pixels the picture has that fits on it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import RecipeError, require
from ..recipe.recipe import MAX_SIZE, Recipe
from ..recipe.settings import shown
from ..recipe.sizes import SMALLEST, Shape, side_of
from .values import Refused

_UNITS = {"mm": 25.4, "cm": 2.54, "m": 0.0254, "in": 1.0}  # of each in an inch
_ISO_216 = {"a0": (841, 1189), "a1": (594, 841), "a2": (420, 594), "a3": (297, 420), "a4": (210, 297), "a5": (148, 210)}
_NUMBER = r"\d{1,5}(?:\.\d{1,3})?"
_SIDES = re.compile(rf"({_NUMBER})(?:x({_NUMBER}))?({'|'.join(_UNITS)})")


@dataclass(frozen=True)
class Paper:
    """A sheet: inches on its shorter and its longer side, dots an inch; ``text`` is how it was asked for."""

    short: float
    long: float
    dpi: int
    text: str

    def size_for(self, shape: Shape, recipe: Recipe) -> int:
        """The largest size of the recipe at which a photograph (height, width) fits on the sheet, turned as it lies.

        Raises RecipeError where that is none that a run can have.
        """
        shorter, longer = sorted(shape)
        dots = self.dpi * min(self.short / shorter, self.long / longer)  # for each pixel of the photograph
        size = int(side_of(shape, recipe) * dots + 1e-6)  # 1e-6: 24 in at 300 dpi are 7200 pixels, whatever rounds
        good = shorter * dots >= SMALLEST and size <= MAX_SIZE
        require(good, f"--print {self.text}", f"sides of {SMALLEST} to {MAX_SIZE} pixels",
                f"{shape[1] * dots:.0f} x {shape[0] * dots:.0f}", RecipeError)  # fmt: skip
        return size


def paper_of(text: str) -> Paper:
    """ "60x40cm@200", "24x16in@300", "A2@200"; "60cm@200": 60 cm on the longer side. Raises Refused."""
    sheet, _, dots = text.lower().removesuffix("dpi").partition("@")
    found = _SIDES.fullmatch(sheet)
    if sheet in _ISO_216:
        sides = [side / 25.4 for side in _ISO_216[sheet]]
    else:
        sides = [] if found is None else [float(side or found[1]) / _UNITS[found[3]] for side in found.group(1, 2)]
    if not sides or min(sides) == 0 or not re.fullmatch(r"\d{1,4}", dots) or int(dots) == 0:
        raise Refused("expected a sheet's sides with their unit (mm, cm, m, in), @, and dots an inch, as in "
                      f"60x40cm@200, 24x16in@300, 60cm@200 (the longer side) or A2@200, got {shown(text)}")  # fmt: skip
    return Paper(min(sides), max(sides), int(dots), text)
