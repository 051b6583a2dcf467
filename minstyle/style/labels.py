"""The labels of a mask: the colours of its flat areas, and which pixel has which."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ImageError, require

# Distance in RGB within which two colours are one label: JPEG's errors are smaller, the steps of 16 greys are larger.
COLOUR_TOLERANCE = 24.0
MIN_COVERAGE = 0.005  # part of a mask that a label covers at least
MAX_REGIONS = 16
_CLEAN = 256  # colours, at most, of a mask that no JPEG has blurred: what has a flat area there is meant, however small
_BIN = 4  # grey levels: colours are counted in cubes of this side


def find_labels(
    mask: np.ndarray, place: str = "mask", tell: Callable[[str], None] = lambda text: None
) -> tuple[np.ndarray, np.ndarray]:
    """Colours (L, 3) of the labels of a mask (h, w, 3), largest first, and each pixel's label (h, w) in 0..L-1.

    Where every colour of the mask has an area of 3 x 3 pixels of its own, each is a label, however near they are: the
    numbers 0, 1, 2 of segmentation programs. Where a few of such numbers have none, a speck or a void line, each that
    has one is a label too, and ``tell`` hears of the others. Else a label is a colour that, within COLOUR_TOLERANCE,
    covers MIN_COVERAGE of the mask (of a clean one, of few colours: any part), with flat neighbourhoods (3 x 3 pixels)
    in at least a tenth of that: the mixed colours of smooth edges have none. Other pixels belong to the label of the
    nearest colour. Raises ImageError where there is no label, or more than 16.
    """
    good = mask.ndim == 3 and mask.shape[2] == 3 and mask.size > 0 and bool(np.isfinite(mask).all())
    require(good, place, "an image (h, w, 3) of finite pixels", mask.shape, ImageError)
    codes, bins, counts, flat = _histogram(mask)
    exact = _exact(mask) if len(bins) <= _CLEAN else None
    if exact is not None:
        codes, bins, counts, flat = exact
    if exact is not None and _are_numbers(bins[flat > 0], int((flat == 0).sum())):
        order = np.argsort(-counts, kind="stable")
        colours, rest = bins[order[flat[order] > 0]], bins[order[flat[order] == 0]]
        if len(rest):
            tell(f"{place}: {', '.join(map(name_of, rest))} has no area of 3 x 3 pixels: taken for the nearest label")
    else:
        colours = _centres(bins, counts, flat, clean=exact is not None)
    require(0 < len(colours) <= MAX_REGIONS, place, f"1 to {MAX_REGIONS} areas of one colour each, without shading",
            len(colours) or "none", ImageError)  # fmt: skip
    nearest = np.array([np.linalg.norm(colours - colour, axis=1).argmin() for colour in bins])
    return colours, nearest[codes]


def _are_numbers(flat: np.ndarray, others: int) -> bool:
    """Whether the colours (L, 3) of flat areas are all labels, however near, where so many ``others`` have no area.

    JPEG and smooth edges make colours near each other too, but with them at least as many that have no area.
    """
    near = any(_near(flat, colour).sum() > 1 for colour in flat)
    return others == 0 or (near and others < len(flat))


def _centres(bins: np.ndarray, counts: np.ndarray, flat: np.ndarray, clean: bool) -> np.ndarray:
    """The colours (L, 3) round which others gather that are no further than COLOUR_TOLERANCE, largest first."""
    pixels, taken = counts.sum(), np.zeros(len(bins), bool)
    least = 1 if clean else MIN_COVERAGE * pixels
    centres: list[tuple[float, np.ndarray]] = []  # (pixels, colour)
    while flat.sum() >= least / 10 and flat.any() and len(centres) <= MAX_REGIONS:
        start = flat.argmax()
        near = _near(bins, bins[start]) & (flat > 0)
        centre = np.average(bins[near], axis=0, weights=flat[near])
        near = _near(bins, centre) & ~taken
        near[start] = True
        covered = counts[near].sum()
        if covered >= least and (clean or flat[near].sum() >= covered / 10):
            centres.append((covered, centre))
        taken |= near
        flat[near] = 0
    centres.sort(key=lambda label: -label[0])
    return np.array([centre for _, centre in centres])


def name_of(colour: np.ndarray) -> str:
    """A colour (3,) as #rrggbb; one between the levels of 8 bits, of a label map of 16, by its number."""
    levels = np.rint(colour * 257)
    if len(set(levels.tolist())) == 1 and 0 < levels[0] < 257:
        return f"label {levels[0]:.0f} of 16 bits"
    return "#" + "".join(f"{round(float(c)):02x}" for c in colour.clip(0, 255))


def _histogram(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each pixel's bin (h, w); and by bin: the mean colour (B, 3), number of pixels, number of flat pixels (B,)."""
    mask = mask.clip(0, 255)
    side = 256 // _BIN
    r, g, b = np.moveaxis((mask / _BIN).astype(np.int64), 2, 0)
    codes = (r * side + g) * side + b
    counts = np.bincount(codes.ravel(), minlength=side**3)
    used = np.flatnonzero(counts)
    sums = np.stack([np.bincount(codes.ravel(), channel.ravel(), side**3) for channel in np.moveaxis(mask, 2, 0)], 1)
    flat = np.bincount(codes[_flat(mask)], minlength=side**3)[used]
    position = np.zeros(side**3, np.int64)
    position[used] = np.arange(len(used))
    return position[codes], sums[used] / counts[used, None], counts[used], flat


def _exact(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """As ``_histogram``, by exact colours, of which pixels without any change around them are flat; None for many."""
    r, g, b = np.moveaxis(np.rint(mask.clip(0, 255) * 257).astype(np.int64), 2, 0)  # 16 bits have their own levels
    found, codes, counts = np.unique((r << 32) + (g << 16) + b, return_inverse=True, return_counts=True)
    if len(found) > _CLEAN:
        return None
    codes = codes.reshape(mask.shape[:2])
    colours = np.stack([found >> 32, found >> 16 & 65535, found & 65535], axis=1) / 257
    flat = np.bincount(codes[_variation(codes[:, :, None]) == 0], minlength=len(found))
    return codes, colours, counts, flat


def _flat(mask: np.ndarray) -> np.ndarray:
    """(h, w): true where no channel varies by more than a tolerance over a pixel and its eight neighbours.

    The tolerance is the least that makes half of the mask flat, at most COLOUR_TOLERANCE: where the areas are clean,
    the ripples of JPEG beside their edges are not flat.
    """
    varies = _variation(mask)
    return varies <= min(max(float(np.median(varies)), 1.0), COLOUR_TOLERANCE)


def _variation(mask: np.ndarray) -> np.ndarray:
    """(h, w): how much the channel that varies most does over a pixel and its eight neighbours."""
    high = low = np.pad(mask, ((1, 1), (1, 1), (0, 0)), mode="edge")
    high, low = (pick(pick(x[:-2], x[1:-1]), x[2:]) for pick, x in ((np.maximum, high), (np.minimum, low)))
    high, low = (pick(pick(x[:, :-2], x[:, 1:-1]), x[:, 2:]) for pick, x in ((np.maximum, high), (np.minimum, low)))
    varies: np.ndarray = (high - low).max(axis=2)
    return varies


def _near(colours: np.ndarray, centre: np.ndarray) -> np.ndarray:
    near: np.ndarray = np.linalg.norm(colours - centre, axis=1) <= COLOUR_TOLERANCE
    return near
