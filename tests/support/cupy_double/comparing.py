"""``cupy.testing``: arrays of either side are compared on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from .modules import cupy, public, testing


def _on_host(x: Any) -> Any:
    return x._a if isinstance(x, cupy.ndarray) else x


@public("assert_allclose", testing)
def assert_allclose(
    actual: Any, desired: Any, rtol: float = 1e-7, atol: float = 0, equal_nan: bool = True, err_msg: str = "",
    verbose: bool = True, *, strict: bool = False,
) -> None:  # fmt: skip
    np.testing.assert_allclose(_on_host(actual), _on_host(desired), rtol, atol, equal_nan, err_msg, verbose,
                               strict=strict)  # fmt: skip


@public("assert_array_equal", testing)
def assert_array_equal(
    actual: Any, desired: Any, err_msg: str = "", verbose: bool = True, *, strict: bool = False,
    strides_check: bool = False,
) -> None:  # fmt: skip
    np.testing.assert_array_equal(_on_host(actual), _on_host(desired), err_msg, verbose, strict=strict)
