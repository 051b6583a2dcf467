"""Read a pickled, nested dictionary of NumPy arrays: the form in which programs in JAX save parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import WeightsError
from .pickles import PickledArray, load_pickle

MAX_ARRAYS = 1_000


def read_array_pickle(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a pickled (nested) dictionary, by their path: ``{"VGG16_0/Conv_0/kernel": array, ...}``.

    Raises WeightsError for anything but dictionaries with text keys and arrays of floating-point numbers.
    """
    try:
        return flatten(load_pickle(Path(path).read_bytes()))
    except WeightsError as error:
        raise WeightsError(f"{path}: {' '.join(str(error).split())}") from None


def flatten(tree: Any) -> dict[str, np.ndarray]:
    """{"a": {"b": array}, "c": [array, array]} -> {"a/b": array, "c/0": array, "c/1": array}. Raises WeightsError."""
    arrays: dict[str, np.ndarray] = {}
    pending: list[tuple[str, Any, int]] = [("", tree, 0)]
    while pending:
        prefix, value, depth = pending.pop()
        if len(arrays) + len(pending) > MAX_ARRAYS:
            raise WeightsError(f"expected the arrays of a network, got more than {MAX_ARRAYS}")
        if isinstance(value, PickledArray) and isinstance(value.values, np.ndarray):
            arrays[prefix] = value.values
            continue
        if isinstance(value, PickledArray):  # of objects
            value = value.values
        if isinstance(value, list | tuple) and prefix:
            value = {str(i): item for i, item in enumerate(value)}
        if not isinstance(value, dict) or depth >= 8 or not all(isinstance(key, str) for key in value):
            raise WeightsError(f"expected a dictionary of arrays, got {type(value).__name__} at {prefix!r}")
        pending += [(f"{prefix}/{key}".lstrip("/"), item, depth + 1) for key, item in value.items()]
    return arrays
