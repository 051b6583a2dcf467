"""What people see at once in a painted picture, in numbers: is it still who it was, and is what is even clean?

Shares no code with what paints: OpenCV finds the faces (only for tools: ``pip install "opencv-python-headless<5"``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import sobel, uniform_filter

from minstyle.images import resize

Box = tuple[float, float, float, float]  # left, top, right, bottom, in parts of width and height

EDGES_AT = 512 // 8  # pixels on the longer side: a picture of 512 at 1/8, where features are and strokes are not
SAME_FACE = 0.4  # of the area that two boxes have in common, over that of both
EVEN = 0.25  # of a picture's pixels, its evenest, are its even areas
_LUMA = np.array([0.299, 0.587, 0.114])


def _luma(image: np.ndarray) -> np.ndarray:
    return image @ _LUMA


def _pixels(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    left, top, right, bottom = box
    return (slice(int(top * shape[0]), max(int(np.ceil(bottom * shape[0])), 1)),
            slice(int(left * shape[1]), max(int(np.ceil(right * shape[1])), 1)))  # fmt: skip


def likeness(photograph: np.ndarray, image: np.ndarray, box: Box = (0, 0, 1, 1)) -> float:
    """Correlation of the slopes of both pictures' luma within the box, at 1/8 of a picture of 512: 1 is the same."""
    scale = EDGES_AT / max(photograph.shape)
    small = [round(side * scale) for side in photograph.shape[:2]]
    slopes = []
    for picture in (photograph, image):
        luma = _luma(resize(picture, *small))
        slopes.append(np.stack([sobel(luma, axis) for axis in (0, 1)], axis=-1)[_pixels(box, luma.shape)].ravel())
    one, two = (slope - slope.mean() for slope in slopes)
    return float(one @ two / np.sqrt((one @ one) * (two @ two) + 1e-12))


def faces(image: np.ndarray) -> list[Box]:
    """The frontal faces that OpenCV's cascade finds, the largest first."""
    import cv2

    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"))
    scale = max(1.0, 512 / max(image.shape))  # it was trained on faces of 24 pixels and does better on larger ones
    grey = _luma(resize(image, round(image.shape[0] * scale), round(image.shape[1] * scale)))
    found = cascade.detectMultiScale(np.clip(grey, 0, 255).astype(np.uint8), scaleFactor=1.05, minNeighbors=3)
    height, width = grey.shape
    boxes = [(x / width, y / height, (x + w) / width, (y + h) / height) for x, y, w, h in found]
    return sorted(boxes, key=lambda b: (b[0] - b[2]) * (b[3] - b[1]))


def same_place(one: Box, two: Box) -> float:
    """The area that the boxes share over that of both."""
    left, top, right, bottom = (f(a, b) for f, a, b in zip((max, max, min, min), one, two, strict=True))
    shared = max(right - left, 0) * max(bottom - top, 0)
    both = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, two)) - shared
    return shared / both


def face_found(image: np.ndarray, box: Box) -> bool:
    """Whether the detector still finds a face at that place."""
    return any(same_place(box, found) >= SAME_FACE for found in faces(image))


@dataclass(frozen=True)
class Grain:
    """What single pixels differ from those around them by, root of the mean square, grey levels."""

    luma: float
    chroma: float


def grain(image: np.ndarray, even_in: np.ndarray) -> Grain:
    """In the areas that are even in ``even_in``, a picture of the same size."""
    luma = _luma(even_in)
    window = 9
    variance = uniform_filter(luma**2, window) - uniform_filter(luma, window) ** 2
    even = variance <= np.quantile(variance, EVEN)
    seen = _luma(image)
    chroma = image[..., [0, 2]] - seen[..., None]

    def apart(values: np.ndarray) -> np.ndarray:
        size = (3, 3, 1)[: values.ndim]
        return values - uniform_filter(values, size)

    return Grain(*(float(np.sqrt(np.mean(apart(values)[even] ** 2))) for values in (seen, chroma)))
