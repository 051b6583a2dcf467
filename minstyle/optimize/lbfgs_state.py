"""What L-BFGS knows between two iterations."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..backend import Array

RECENT = 10  # iterations over which ``tolerance`` is looked at


@dataclass
class LbfgsState:
    """All that L-BFGS knows between two iterations. Given to another call, it goes on as if the first had not ended.

    The slots of ``steps`` and ``changes`` (m, n), of fewer rows where memory is scarce, hold the pairs s (of x) and y
    (of its gradient), those in ``order``, oldest first. ``products`` (m, m), float64, has s_i . y_j where pair i is as
    old as j or older; ``slopes`` (m,) has s_i . gradient. ``scale`` is gamma, by which the first guess of the inverse
    Hessian is multiplied; 0 while there is none. ``losses`` are those before and after each of the latest iterations;
    none where x is to be evaluated anew.
    """

    x: Array
    loss: float
    gradient: Array
    steps: Array
    changes: Array
    products: np.ndarray
    slopes: np.ndarray
    order: list[int] = field(default_factory=list)
    scale: float = 0.0
    losses: list[float] = field(default_factory=list)

    def falls_no_more(self, factr: float, tolerance: float) -> str:
        """That the latest iteration, or the latest ten, brought no more than these parts of the loss; else ""."""
        one = self.losses[-2] - self.loss <= factr * float(np.finfo(float).eps) * abs(self.losses[-2]) and factr > 0
        ten = (
            tolerance > 0 and len(self.losses) > RECENT and self.losses[0] - self.loss < tolerance * abs(self.losses[0])
        )
        return "the loss no longer falls" if one or ten else ""

    def forget(self) -> str:
        """The history away: the next direction is that of steepest descent. "" unless there was none."""
        known, self.order, self.scale = bool(self.order), [], 0.0
        return "" if known else "no step lowers the loss"
