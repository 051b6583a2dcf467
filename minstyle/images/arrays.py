"""What is done to images as arrays: another size, transparency laid over a colour or filled."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..errors import ImageError, require

# How recipes may have pictures resized; the table of the recipe's choices too.
RESAMPLES = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_OVERSHOOT = 1.0  # levels beyond 0..255 that rounding may leave


def resize(image: np.ndarray, height: int, width: int, resample: str = "lanczos") -> np.ndarray:
    """The image at another size, float32; at its own size the image itself.

    Lanczos and bicubic overshoot at hard edges: what leaves 0..255 is clipped.
    """
    if image.shape[:2] == (height, width):
        return image
    resized = resize_values(image, height, width, resample)
    return np.clip(resized, 0, 255, out=resized)


def resize_values(array: np.ndarray, height: int, width: int, resample: str = "lanczos") -> np.ndarray:
    """An array (H, W, C) of any values at another size, float32, not clipped."""
    resized = np.empty((height, width, array.shape[2]), np.float32)
    for c in range(array.shape[2]):
        channel = Image.fromarray(np.ascontiguousarray(array[:, :, c], dtype=np.float32))
        resized[:, :, c] = np.asarray(channel.resize((width, height), RESAMPLES[resample]))
    return resized


def is_finite(array: np.ndarray) -> bool:
    """Whether no number is NaN or infinite; without an array of answers, which is a third of a picture more."""
    return bool(np.isfinite(array.min()) and np.isfinite(array.max()))


def lay_over(image: np.ndarray, opacity: np.ndarray | None, colour: float = 255) -> np.ndarray:
    """An image (H, W, 3) with opacity (H, W), 0..1, as it looks over the grey level ``colour``: white."""
    if opacity is None:
        return image
    alpha = opacity[:, :, None]
    laid: np.ndarray = image * alpha + np.float32(colour) * (1 - alpha)
    return laid


def check_seen(name: str, opacity: np.ndarray | None) -> None:
    """Raise ImageError where nothing of the picture ``name``, of opacity (H, W), is visible: it would be white."""
    good = opacity is None or bool(opacity.any())
    require(good, name, "pixels that can be seen", "a picture that is transparent altogether", ImageError)


def fill_hidden(image: np.ndarray, opacity: np.ndarray | None) -> np.ndarray:
    """The image with the mean visible colour where nothing is visible: any colour may lie under transparency.

    Pixels that are partly visible keep their colour. A picture without a visible pixel becomes white.
    """
    if opacity is None:
        return image
    total = opacity.sum(dtype=np.float64)
    mean = np.einsum("hwc,hw->c", image, opacity, dtype=np.float64) / total if total > 0 else np.full(3, 255.0)
    filled: np.ndarray = np.where(opacity[:, :, None] > 0, image, mean.astype(image.dtype))
    return filled


def check_levels(name: str, image: np.ndarray) -> None:
    """Raise ImageError, with what to do, for an array whose values are no levels of 0..255: those of 0..1 above all.

    An array of zeros is a black picture. A start image ("initial") may leave 0..255, as noise does.
    """

    def refuse(found: str, advice: str) -> None:
        raise ImageError(f"{name}: expected levels of 0..255, got {found}; {advice}")

    if image.dtype == bool:
        refuse("True and False", "multiply by 255")
    if image.dtype == np.uint16:
        refuse("uint16, whose white is 65535", "divide by 257")
    low, high = float(image.min()), float(image.max())
    span = f"{low:.4g}..{high:.4g}"
    if image.dtype.kind == "f" and high <= 1 and (low, high) != (0, 0):
        refuse(
            span, "multiply by 255, or where black is -1 add 1 and multiply by 127.5" if low < 0 else "multiply by 255"
        )
    if name != "initial" and low < -_OVERSHOOT:
        refuse(span, "add the mean that was subtracted, or clip it to 0..255")
    if name != "initial" and high > 255 + _OVERSHOOT:
        refuse(span, "divide by 257, or clip it to 0..255")
