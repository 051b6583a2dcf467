"""Padding: a frame of pixels around a picture or feature map. Notation as in the index, ``ops/__init__``."""

from __future__ import annotations

from ...backend import Array, array_module
from ...errors import require
from ..autodiff import ValueAndVjps, differentiable

# Every mode, by what ``numpy.pad`` calls it.
PADDINGS = {"zero": "constant", "replicate": "edge", "reflect": "reflect"}


@differentiable
def pad(x: Array, *, width: int, mode: str = "zero") -> ValueAndVjps:
    """x (H, W, C) with a frame of ``width`` pixels around it. -> (H + 2 width, W + 2 width, C). Keeps nothing.

    The frame is zero ("zero"), copies of the edge ("replicate"), or the picture mirrored at its outermost pixels
    ("reflect", for which H and W must be larger than ``width``). The adjoint cuts the frame off and adds it to the
    pixels that it copies. Raises ShapeError for another mode, a negative width, or a picture too small to reflect.
    """
    xp = array_module(x)
    require(mode in PADDINGS, "pad: mode", " or ".join(map(repr, PADDINGS)), repr(mode))
    require(width >= 0, "pad: width", "0 or more", width)
    if mode == "reflect":
        require(min(x.shape[:2]) > width, f"pad: x to reflect {width} pixels", f"more than {width} x {width}", x.shape)

    def fold(g: Array) -> Array:  # the adjoint along the first axis
        before, inside, after = g[:width], g[width : len(g) - width].copy(), g[len(g) - width :]
        if mode == "replicate":
            inside[0] += before.sum(axis=0)
            inside[-1] += after.sum(axis=0)
        elif mode == "reflect":
            inside[1 : 1 + width] += before[::-1]
            inside[len(inside) - 1 - width : len(inside) - 1] += after[::-1]
        return inside

    padded = xp.pad(x, ((width, width), (width, width), (0, 0)), mode=PADDINGS[mode])
    return padded, (lambda g: fold(fold(g).swapaxes(0, 1)).swapaxes(0, 1),)
