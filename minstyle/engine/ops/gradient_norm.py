"""Normalisation of a gradient in the backward pass. Notation as in the index, ``ops/__init__``."""

from __future__ import annotations

from typing import Any

from ...backend import Array, array_module
from ..autodiff import ValueAndVjps, Var, differentiable


def normalize_gradient(f: Any, *, strength: float = 1.0) -> Any:
    """The identity, whose backward pass scales g to the 1-norm ``strength``: df = strength * g / (sum |g| + 1e-8).

    A loss computed from the result sends f a gradient of that norm, whatever the loss is multiplied by: the option
    ``-normalize_gradients`` of jcjohnson/neural-style. The backward pass is not this op's true adjoint, so what an
    optimiser gets is not the gradient of any loss. Keeps nothing.
    """
    y = _normalize_gradient(f, strength=strength)
    if isinstance(f, Var):
        y.recompute = f.recompute
    return y


@differentiable
def _normalize_gradient(f: Array, *, strength: float) -> ValueAndVjps:
    xp = array_module(f)
    return f, (lambda g: g * (strength / (xp.sum(xp.abs(g), dtype=xp.float64) + 1e-8)).astype(g.dtype),)
