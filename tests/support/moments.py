"""Both moments of a feature map at once, as tests compare them."""

from __future__ import annotations

from typing import Any

from minstyle.backend import Array
from minstyle.engine import ops


def moments(f: Any, weights: Array | None = None) -> tuple[Any, Any]:
    """``weighted_mean`` (C,) and ``raw_moment`` (C, C)."""
    return ops.weighted_mean(f, weights), ops.raw_moment(f, weights)
