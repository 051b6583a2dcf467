"""Linear algebra: cuSOLVER, which says nothing when it fails. What cannot be factorised gives NaN."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import noted, wrap
from .memory import QUIET, in_c_order, memory_of
from .modules import linalg, public

linalg.LinAlgError = np.linalg.LinAlgError


def _factorised(name: str, a: Any, shapes: Any, *settings: Any) -> Any:
    """NumPy's result, or NaN in ``shapes``."""
    given = memory_of(a)
    given = given if given.dtype.char in "fd" else given.astype("d")
    if given.ndim != 2:
        raise np.linalg.LinAlgError(f"{given.ndim}-dimensional array given. The double takes those of two dimensions")
    try:
        with np.errstate(**QUIET):
            found = getattr(np.linalg, name)(given, *settings)
            found = found if isinstance(found, tuple) else (found,)
    except np.linalg.LinAlgError:
        if given.shape[0] != given.shape[1] and name != "svd":
            raise
        found = tuple(np.full(shape, np.nan, given.dtype) for shape in shapes)
    noted(name, found[0], given)
    return found


@public("eigh", linalg)
def eigh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803
    values, vectors = _factorised("eigh", a, (a.shape[:1], a.shape), UPLO)
    return wrap(values), wrap(np.asfortranarray(vectors))


@public("svd", linalg)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    m, n = a.shape
    k = min(m, n)
    shapes = (m, m if full_matrices else k), (k,), (n if full_matrices else k, n)
    return tuple(wrap(in_c_order(x)) for x in _factorised("svd", a, shapes, full_matrices, compute_uv))


@public("cholesky", linalg)
def cholesky(a: Any) -> Any:
    return wrap(_factorised("cholesky", a, (a.shape,))[0])


@public("inv", linalg)
def inv(a: Any) -> Any:
    return wrap(_factorised("inv", a, (a.shape,))[0])
