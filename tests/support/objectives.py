"""Objectives as the gradient checker takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minstyle.engine.autodiff import differentiable
from minstyle.style.objective import Objective


def as_op(objective: Objective) -> Any:
    """The objective as a differentiable op, so that the checker can check it."""

    @differentiable
    def op(image: Any) -> Any:
        loss, gradient = objective(image)
        return np.float64(loss), (lambda g: g * gradient,)

    return op
