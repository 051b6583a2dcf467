"""The exceptions of minstyle: each message is one line that names the wrong value and, where there is one, the next
step.

MinstyleError
├── ShapeError      an array of the wrong shape or type
├── AutodiffError   a graph used in a way that reverse mode cannot serve
├── GradientError   a derivative that does not agree with finite differences
├── DeviceError     a device that was asked for and does not answer
├── WeightsError    a weights file that is missing, broken or of another format
├── LayerError      a layer that the network does not have
├── RecipeError     a recipe that contradicts itself or names something unknown
├── ImageError      a picture that cannot be read or written
├── FileError       a folder or file that cannot be written
└── OptimizeError   a run that cannot go on (the loss is no number)
"""

from __future__ import annotations


class MinstyleError(Exception):
    """Base class of every error that minstyle raises on purpose."""


class ShapeError(MinstyleError, ValueError):
    """An array of the wrong shape or type."""


class AutodiffError(MinstyleError, RuntimeError):
    """A graph used in a way that reverse mode cannot serve."""


class GradientError(MinstyleError, AssertionError):
    """A derivative that does not agree with finite differences."""


class DeviceError(MinstyleError, RuntimeError):
    """A device that was asked for and does not answer."""


class WeightsError(MinstyleError, ValueError):
    """A weights file that is missing, broken or of another format."""


class LayerError(MinstyleError, ValueError):
    """A layer that the network does not have."""


class RecipeError(MinstyleError, ValueError):
    """A recipe that contradicts itself or names something unknown."""


class ImageError(MinstyleError, ValueError):
    """A picture that cannot be read or written."""


class FileError(MinstyleError, OSError):
    """A folder or file that cannot be written."""


class OptimizeError(MinstyleError, ArithmeticError):
    """A run that cannot go on: the loss is no number."""


def require(
    condition: bool,
    where: str,
    expected: object,
    actual: object,
    error: type[MinstyleError] = ShapeError,
) -> None:
    """Raise ``error("where: expected ..., got ...")`` unless ``condition`` holds."""
    if not condition:
        raise error(f"{where}: expected {expected}, got {actual}")
