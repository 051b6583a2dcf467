"""Regions: label masks, in which each colour is a label, become weight maps, one a region, of content and styles.

A region of the content takes its style from the areas of the same colour in the style masks. Here are the maps, as
NumPy arrays; the statistics that they weight are in ``losses``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ImageError, RecipeError, require
from ..notices import LABEL_LEFT_OUT, MASK_RESAMPLED, ONE_REGION, Notice
from .labels import COLOUR_TOLERANCE, find_labels, name_of


@dataclass(frozen=True, eq=False)
class Regions:
    """Weights 0..1 of R regions: ``content`` (R, H, W), ``styles`` one (R, H', W') a style picture, all float32.

    A content pixel's weights sum to its opacity (1 where there is none), a style pixel's to at most that. ``names``
    are for messages; ``notices`` are for the user. Raises ImageError for a region that is empty in the content
    or in all styles, and for a style picture without any region.
    """

    content: np.ndarray
    styles: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        for r, name in enumerate(self.names):
            require(bool(self.content[r].any()), f"region {name}",
                    "visible pixels in the content", "none; leave it out of the mask", ImageError)  # fmt: skip
            require(any(style[r].any() for style in self.styles), f"region {name}",
                    "visible pixels in a style picture", "none; paint it in a style mask", ImageError)  # fmt: skip
        for i, style in enumerate(self.styles, start=1):
            require(bool(style.any()), f"style picture {i}", "visible pixels in a region", "none; leave it out",
                    ImageError)  # fmt: skip

    def check_styles(self, count: int) -> None:
        """Raise ImageError unless these are the regions of so many style pictures."""
        require(len(self.styles) == count, "regions", f"those of {count} style pictures", len(self.styles), ImageError)


def from_masks(
    content_mask: np.ndarray,
    style_masks: Sequence[np.ndarray],
    *,
    content_shape: tuple[int, ...],
    style_shapes: Sequence[tuple[int, ...]],
    feather: float = 0.0,
    names: Sequence[str] | None = None,
) -> Regions:
    """The regions that masks (h, w, 3) draw, in the sizes of their pictures; shapes are (H, W) or (H, W, 3).

    The labels of a mask are the colours (or grey levels) of its flat areas, see ``find_labels``. ``feather`` softens
    the edges: the deviation of a Gaussian, as a part of the picture's longer side. A mask of another size than its
    picture is resampled, a label that only style masks have is left out, one without any area is taken for the
    nearest; all are told in ``notices``. ``names`` are what messages call the masks, the content's first.

    Raises ImageError for a mask without or with more than 16 labels, and for a label that no style mask has,
    RecipeError where masks and pictures are not as many or ``feather`` is not in 0..0.25.
    """
    require(len(style_masks) == len(style_shapes), "style masks",
            f"{len(style_shapes)}, one a style picture", len(style_masks), RecipeError)  # fmt: skip
    require(0 <= feather <= 0.25, "feather", "a fraction of the longer side in 0..0.25", feather, RecipeError)
    places = _names_of_masks(len(style_masks)) if names is None else list(names)
    notices: list[Notice] = []

    def tell(text: str) -> None:
        notices.append(Notice(LABEL_LEFT_OUT, text))

    found = [find_labels(mask, place, tell) for mask, place in zip([content_mask, *style_masks], places, strict=True)]
    colours, drawn = found[0]
    labels, weights = tuple(map(name_of, colours)), []
    if len(colours) == 1:
        notices += [Notice(ONE_REGION, f"{places[0]}: it has one label, {labels[0]}: the whole picture is one region")]
    tolerance = _tolerance(colours)
    served = np.zeros(len(colours), bool)
    for (own, index), place, shape in zip(found, places, [content_shape, *style_shapes], strict=True):
        if index.shape != tuple(shape[:2]):
            text = f"{place}: {_size(index.shape)} pixels for a picture of {_size(shape)}: resampled to fit"
            notices.append(Notice(MASK_RESAMPLED, text))
        distance = np.linalg.norm(own[:, None] - colours, axis=2)
        region = np.where(distance.min(axis=1) <= tolerance, distance.argmin(axis=1), len(colours))
        for i in np.flatnonzero(region == len(colours)):
            tell(f"{place}: the content mask has no {name_of(own[i])}: left out")
        if place != places[0]:
            served[region[region < len(colours)]] = True
        resampled = region[_nearest(index, shape)]
        _check_visible(index, own, np.where(region < len(colours), region, -1), resampled, place)
        weights.append(_weights(resampled, len(colours), feather))
    _check_served(served, drawn, labels, places[0])
    return Regions(weights[0], tuple(weights[1:]), labels, tuple(notices))


def _names_of_masks(styles: int) -> list[str]:
    return ["content mask", *("style mask" if styles == 1 else f"style mask {i + 1}" for i in range(styles))]


def _check_served(served: np.ndarray, drawn: np.ndarray, labels: tuple[str, ...], place: str) -> None:
    """Raise ImageError for a label of the content's mask that no style mask has."""
    for r in np.flatnonzero(~served):
        y, x = (int(np.median(where)) for where in np.nonzero(drawn == r))
        raise ImageError(f"{place}: no style mask has its colour {labels[r]} ({(drawn == r).mean():.1%} of it, "
                         f"around x {x}, y {y}); paint it in a style mask, or in another colour here")  # fmt: skip


def with_opacity(
    regions: Regions | None,
    content_opacity: np.ndarray | None,
    style_opacities: Sequence[np.ndarray | None],
    *,
    content_shape: tuple[int, ...],
    style_shapes: Sequence[tuple[int, ...]],
) -> Regions:
    """The regions times the opacity (H, W) in 0..1 of each picture, or times 1 for None; without regions there is one.

    Raises ImageError for an opacity of another shape than its picture, and for what is transparent altogether.
    """
    require(len(style_opacities) == len(style_shapes), "opacities of styles",
            len(style_shapes), len(style_opacities), RecipeError)  # fmt: skip
    if regions is None:
        ones = [np.ones((1, *shape[:2]), np.float32) for shape in (content_shape, *style_shapes)]
        regions = Regions(ones[0], tuple(ones[1:]), ("picture",))

    def times(weights: np.ndarray, opacity: np.ndarray | None, where: str) -> np.ndarray:
        if opacity is None:
            return weights
        require(opacity.shape == weights.shape[1:], f"opacity of {where}", weights.shape[1:], opacity.shape, ImageError)
        seen: np.ndarray = weights * opacity.astype(np.float32).clip(0, 1)
        require(coverage(opacity) > 0, where, "pixels that can be seen", "a picture that is transparent altogether",
                ImageError)  # fmt: skip
        return seen

    content = times(regions.content, content_opacity, "the content")
    pairs = enumerate(zip(regions.styles, style_opacities, strict=True), start=1)
    styles = tuple(times(weights, opacity, f"style picture {i}") for i, (weights, opacity) in pairs)
    return replace(regions, content=content, styles=styles)


def at_layer(weights: np.ndarray, shape: tuple[int, int], name: str = "region") -> np.ndarray:
    """A weight map (H, W) at the (h, w) positions of a layer: the mean over each position's area, divided by the sum.

    float64, sum 1. Where h and w do not divide H and W, a pixel on the border of two areas counts in each by the part
    of it that lies there. Raises ImageError, with ``name`` and the size, for a region that is empty there.
    """
    (height, width), (h, w) = weights.shape, shape
    mean: np.ndarray = _averaging(height, h) @ weights.astype(np.float64) @ _averaging(width, w).T
    total = float(mean.sum())
    if not total > 1e-6 * mean.size:
        raise ImageError(f"region {name}: empty at a layer of {w} x {h} positions; "
                         "draw it larger, make it less transparent, or leave the region out")  # fmt: skip
    mean /= total
    return mean


def coverage(weights: np.ndarray) -> float:
    """The part of the picture, in 0..1, that a weight map (H, W) covers: its mean."""
    return float(weights.mean(dtype=np.float64))


def _tolerance(colours: np.ndarray) -> float:
    """Within what distance in RGB another mask's label is one of these: less than half of that between two."""
    apart = np.linalg.norm(colours[:, None] - colours, axis=2)[~np.eye(len(colours), dtype=bool)]
    nearest = float(apart.min(initial=np.inf))
    return COLOUR_TOLERANCE if nearest > COLOUR_TOLERANCE else 0.4 * nearest


def _check_visible(index: np.ndarray, own: np.ndarray, region: np.ndarray, resampled: np.ndarray, place: str) -> None:
    """Raise ImageError, naming it, where a label that is a region (not -1) is lost at the size of the run."""
    for label in np.flatnonzero(region >= 0):
        if (resampled == region[label]).any():
            continue
        y, x = (int(np.median(where)) for where in np.nonzero(index == label))
        raise ImageError(f"{place}: {name_of(own[label])} is too small: none of its {(index == label).sum()} pixels, "
                         f"around x {x}, y {y}, is left at {_size(resampled.shape)}; draw it larger, or paint "
                         "in a larger --size")  # fmt: skip


def _nearest(index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An index map (h, w) at the size of ``shape`` (H, W), by the nearest pixel."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for m, n in zip(index.shape, shape[:2], strict=True))
    resampled: np.ndarray = index[rows[:, None], columns]
    return resampled


def _weights(region: np.ndarray, count: int, feather: float) -> np.ndarray:
    """(count, H, W): 1 in the region and 0 elsewhere, with soft edges. The sum stays what it was at each pixel."""
    weights: np.ndarray = (region == np.arange(count)[:, None, None]).astype(np.float32)
    deviation = feather * max(region.shape)
    if deviation > 0.1:  # in pixels: less would not be seen
        for one in weights:  # one at a time: the transforms take several times its memory
            one[...] = _blurred(_blurred(one, deviation, axis=0), deviation, axis=1)
    return weights


def _blurred(weights: np.ndarray, deviation: float, axis: int) -> np.ndarray:
    """Weights (H, W) blurred along an axis by a Gaussian of so many pixels, as far as it lies in the picture. float64.

    Dividing by the part that lies in it keeps edges from darkening, and the sum of the regions at each pixel. The
    convolution is a product of Fourier transforms, so its time does not grow with the Gaussian's width.
    """
    from scipy.fft import irfft, next_fast_len, rfft  # here: scipy takes a noticeable part of `import minstyle`

    length = weights.shape[axis]
    reach = min(round(4 * deviation), length - 1)  # pixels: the Gaussian is cut off there
    size = next_fast_len(length + reach, real=True)  # with zeros behind the map, else its ends blur into each other
    away = np.minimum(np.arange(size), size - np.arange(size))
    spectrum = rfft(np.exp(-0.5 * (away / deviation) ** 2) * (away <= reach)).real  # real: the Gaussian is symmetric

    def convolved(values: np.ndarray) -> np.ndarray:
        """Values with the axis last."""
        blurred: np.ndarray = irfft(rfft(values, size) * spectrum, size)[..., :length]
        return blurred

    blurred = convolved(np.moveaxis(weights.astype(np.float64), axis, -1)) / convolved(np.ones(length))
    np.maximum(blurred, 0, out=blurred)  # rounding leaves -1e-17 where there is nothing
    return np.moveaxis(blurred, -1, axis)


def _averaging(n: int, m: int) -> Any:
    """(m, n), sparse: the matrix that averages n pixels over m equal intervals."""
    from scipy.sparse import csr_array  # here: it takes a noticeable part of the time of `import minstyle`

    borders = np.unique(np.concatenate([np.arange(n + 1), np.arange(m + 1) * n / m]))
    middles = (borders[1:] + borders[:-1]) / 2  # between two neighbouring borders there is one pixel and one interval
    places = ((middles * m / n).astype(int), middles.astype(int))
    return csr_array((np.diff(borders) * (m / n), places), shape=(m, n))


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
