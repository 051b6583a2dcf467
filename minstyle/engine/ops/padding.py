"""A frame around a picture as a differentiable op; part of ``ops``, whose words and forms hold here."""

from __future__ import annotations

from ...backend import Array, array_module
from ...errors import require
from ..autodiff import ValueAndVjps, differentiable

_PADDINGS = {"zero": "constant", "replicate": "edge", "reflect": "reflect"}  # as NumPy calls them


@differentiable
def pad(x: Array, *, width: int, mode: str = "zero") -> ValueAndVjps:
    """A frame of ``width`` pixels around x (H, W, C). Keeps nothing.

    It is of zeros, or copies of the edge ("replicate"), or the picture mirrored at its outermost pixels ("reflect", for
    which H and W must be larger than ``width``). The adjoint cuts the frame off, and adds it to what it is a copy of.
    """
    xp = array_module(x)
    require(mode in _PADDINGS, "pad: mode", " or ".join(map(repr, _PADDINGS)), repr(mode))
    require(width >= 0, "pad: width", "0 or more", width)
    if mode == "reflect":
        require(min(x.shape[:2]) > width, f"pad: x to reflect {width} pixels", f"more than {width} x {width}", x.shape)

    def fold(g: Array) -> Array:  # along the first axis
        before, inside, after = g[:width], g[width : len(g) - width].copy(), g[len(g) - width :]
        if mode == "replicate":
            inside[0] += before.sum(axis=0)
            inside[-1] += after.sum(axis=0)
        elif mode == "reflect":
            inside[1 : 1 + width] += before[::-1]
            inside[len(inside) - 1 - width : len(inside) - 1] += after[::-1]
        return inside

    padded = xp.pad(x, ((width, width), (width, width), (0, 0)), mode=_PADDINGS[mode])
    return padded, (lambda g: fold(fold(g).swapaxes(0, 1)).swapaxes(0, 1),)
