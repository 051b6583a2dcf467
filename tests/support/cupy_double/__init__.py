"""A strict double of CuPy 14 on the host, for tests where no GPU answers.

Its arrays wrap NumPy arrays and are none: what CuPy refuses, it refuses, and it has no name that CuPy 14 has not.

- No implicit conversion: ``np.asarray(x)`` raises, an operand or argument that is a NumPy array raises TypeError.
  NumPy's numbers and Python's are welcome; Python's are "weak", NumPy's are not (NEP 50).
- Functions have CuPy's signatures, no more keywords than that; ufuncs have CuPy's loops, no ``where=``.
- Reductions and indexing give 0-d arrays, never numbers. Results of ufuncs lie in C order, whatever their arguments'.
- ``empty`` gives arrays of NaN (or of a large number), not of zeros.
- What is undefined on a GPU raises: different values written to one place, indices outside of the array.
- Nothing warns about overflow or NaN; factorisations of what cannot be factorised give NaN, no LinAlgError.
- ``LEDGER`` counts launches, bytes, copies between host and device, and waits, by the line that asked.

What it cannot show: whether kernels compile and run, roundings of cuBLAS and cuSOLVER, memory, time. A run on it is
never called one on a GPU.

``check`` compares names, signatures and loops with the real CuPy. The double has what minstyle uses; a new name goes
into the file of its kind, with ``modules.public``, after a look at what CuPy itself does there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import (  # noqa: F401 - they fill ``cupy``
    array,
    comparing,
    device,
    graphs,
    making,
    operators,
    raw_kernels,
    reductions,
    shaping,
    solvers,
)  # fmt: skip
from .ledger import LEDGER
from .modules import MODULES, NotInDouble, Undefined, cupy

__all__ = ["LEDGER", "SHIM", "NotInDouble", "Undefined", "cupy", "install", "installed"]

SHIM = Path(__file__).parent / "shim"  # on PYTHONPATH, with the repository's root: ``import cupy`` gives the double


def install() -> None:
    """Be ``cupy`` for whoever imports it from now on, in this process."""
    sys.modules.update({module.__name__: module for module in MODULES})


@contextmanager
def installed() -> Iterator[Any]:
    """``install``, undone at the end: whoever asks afterwards finds what was there before."""
    names = [module.__name__ for module in MODULES]
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    install()
    try:
        yield cupy
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(before)
