"""A run in which a GPU's kernels are compiled stands still meanwhile: that is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..engine.kernels import on_compiling
from ..notices import COMPILING, Notice

Tell = Callable[[Notice], None]


@contextmanager
def told_of_compiling(tell: Tell) -> Iterator[Tell]:
    """Within, ``tell``, which it gives, hears of the first kernel that is not there yet."""
    notice = Notice(COMPILING, "compiling for this card, once: it stands still meanwhile, and later runs do not wait")
    with on_compiling(lambda: tell(notice)):
        yield tell
