"""The exceptions of minstyle. A message is one line: what is wrong, the offending value and, if known, what to do next.

MinstyleError
├── ShapeError      an array has the wrong shape or type
├── AutodiffError   a gradient was asked for that the graph cannot give
├── GradientError   an op's gradient disagrees with finite differences
├── DeviceError     the requested device is not usable (its memory is used up: DeviceMemoryError; it is gone: LostError)
├── WeightsError    a weights file is missing, damaged or in an unknown format
├── LayerError      the network has no such layer
├── RecipeError     a recipe contradicts itself or names something unknown
├── ImageError      a picture cannot be read or written
├── FileError       a file or folder cannot be written or removed
├── CheckpointError a checkpoint is missing, damaged, or of another run
├── ResourceError   a run needs more memory than there is
└── OptimizeError   the optimisation cannot continue: the loss or its gradient is NaN or infinite
"""

from __future__ import annotations


class MinstyleError(Exception):
    """Base class of every error that minstyle raises on purpose."""


class ShapeError(MinstyleError, ValueError):
    """An array has the wrong shape or type."""


class AutodiffError(MinstyleError, RuntimeError):
    """A gradient was asked for that the graph cannot give.

    The graph was used up by an earlier call, the output is no scalar and has no cotangent, or the op has no adjoint for
    that argument.
    """


class GradientError(MinstyleError, AssertionError):
    """An op's gradient disagrees with finite differences: raised by ``check_vjp``."""


class DeviceError(MinstyleError, RuntimeError):
    """The requested device is not usable."""


class DeviceMemoryError(DeviceError):
    """A device has no memory left for what it was asked to do."""


class LostError(DeviceError):
    """A machine that had a part of a picture is gone, and with it what was there."""


class WeightsError(MinstyleError, ValueError):
    """A weights file is missing, damaged or in an unknown format."""


class LayerError(MinstyleError, ValueError):
    """The network has no such layer."""


class RecipeError(MinstyleError, ValueError):
    """A recipe contradicts itself or names something unknown."""


class ImageError(MinstyleError, ValueError):
    """A picture cannot be read or written."""


class FileError(MinstyleError, OSError):
    """A file or folder cannot be written or removed: no permission, no space, no such folder."""


class CheckpointError(MinstyleError, ValueError):
    """A checkpoint is missing, damaged, or of another run."""


class ResourceError(MinstyleError, RuntimeError):
    """A run needs more memory than there is."""


class OptimizeError(MinstyleError, ArithmeticError):
    """The optimisation cannot continue: the loss or its gradient is NaN or infinite."""


LONGEST = 200  # characters of a single value that are shown


def short(value: object) -> str:
    """The value as text; where that is long, without its middle."""
    text = str(value)
    tail = LONGEST // 4
    return text if len(text) <= LONGEST else f"{text[: LONGEST - tail - 3]}...{text[-tail:]}"


def require(
    condition: bool,
    where: str,
    expected: object,
    actual: object,
    error: type[MinstyleError] = ShapeError,
) -> None:
    """Raise ``error("where: expected ..., got ...")`` unless ``condition`` holds."""
    if not condition:
        raise error(f"{where}: expected {expected}, got {short(actual)}")
