"""A kernel of few different numbers: which of them stands where, and the numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import WeightsError, require

MAX_CODES = 256  # that a byte can tell apart


@dataclass(frozen=True, eq=False)
class Codes:
    """``codes`` uint8, of the kernel's shape, are places in ``codebook``, 1 to 256 float32 numbers.

    Raises WeightsError for other types and shapes, numbers that are not finite, and codes past the codebook's end.
    """

    codes: np.ndarray
    codebook: np.ndarray

    def __post_init__(self) -> None:
        def check(good: bool, where: str, expected: str, actual: object) -> None:
            require(good, where, expected, actual, WeightsError)

        check(self.codes.dtype == np.uint8, "codes", "uint8", self.codes.dtype)
        book = self.codebook
        check(book.dtype == np.float32, "codebook", "float32", book.dtype)
        check(book.ndim == 1 and 0 < book.size <= MAX_CODES, "codebook", f"1 to {MAX_CODES} numbers", book.shape)
        check(bool(np.isfinite(book).all()), "codebook", "finite numbers", "NaN or infinite ones")
        largest = int(self.codes.max(initial=0))
        check(largest < book.size, "codes", f"codes below {book.size}, the codebook's size", largest)

    @classmethod
    def of(cls, layer: str, codes: np.ndarray, codebook: np.ndarray) -> Codes:
        """The codes of a layer's kernel; errors begin with its name."""
        try:
            return cls(codes, codebook)
        except WeightsError as error:
            raise WeightsError(f"{layer}: {error}") from None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape

    def decode(self) -> np.ndarray:
        """The kernel, float32."""
        kernel: np.ndarray = self.codebook[self.codes]
        return kernel
