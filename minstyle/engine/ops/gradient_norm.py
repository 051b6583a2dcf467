"""A gradient brought to one size on its way back; part of ``ops``, whose words and forms hold here."""

from __future__ import annotations

from typing import Any

from ...backend import Array, array_module
from ..autodiff import ValueAndVjps, Var, differentiable


def unit_gradient(f: Any, *, strength: float = 1.0) -> Any:
    """f itself; its adjoint scales g to the 1-norm ``strength``: strength g / (sum |g| + 1e-8). Keeps nothing.

    What reads f gives it a gradient of that size, whatever factor stands before it (``normalize_gradients`` of
    jcjohnson/neural-style). It is not the gradient of any loss.
    """
    y = _unit_gradient(f, strength=strength)
    if isinstance(f, Var):
        y.recompute = f.recompute
    return y


@differentiable
def _unit_gradient(f: Array, *, strength: float) -> ValueAndVjps:
    xp = array_module(f)
    return f, (lambda g: g * (strength / (xp.sum(xp.abs(g), dtype=xp.float64) + 1e-8)).astype(g.dtype),)
