"""The labels of a mask: the colours of its flat areas, and which pixel has which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..errors import ImageError, require

# Distance in RGB within which two colours are one label: JPEG's errors are smaller, the steps of 16 greys are larger.
COLOUR_TOLERANCE = 24.0
MIN_COVERAGE = 0.005  # part of a mask that a label covers at least
MAX_REGIONS = 16
_CLEAN = 256  # colours, at most, of a mask that no JPEG has blurred: what has a flat area there is meant, however small
_BLOCK = 1 << 20  # pixels that are counted at once: what that takes would be gigabytes for a large mask
_BIN = 4  # grey levels: colours are counted in cubes of this side


def find_labels(
    mask: np.ndarray, place: str = "mask", tell: Callable[[str], None] = lambda text: None
) -> tuple[np.ndarray, np.ndarray]:
    """Colours (L, 3) of the labels of a mask (h, w, 3), largest first, and each pixel's label (h, w) uint8 in 0..L-1.

    The mask is of any type of number; of uint8 it takes about 3 bytes a pixel beside it, of float32 twice as much.

    Where every colour of the mask has an area of 3 x 3 pixels of its own, each is a label, however near they are: the
    numbers 0, 1, 2 of segmentation programs. Where a few of such numbers have none, a speck or a void line, each that
    has one is a label too, and ``tell`` hears of the others. Else a label is a colour that, within COLOUR_TOLERANCE,
    covers MIN_COVERAGE of the mask (of a clean one, of few colours: any part), with flat neighbourhoods (3 x 3 pixels)
    in at least a tenth of that: the mixed colours of smooth edges have none. Other pixels belong to the label of the
    nearest colour. Raises ImageError where there is no label, or more than 16.
    """
    good = mask.ndim == 3 and mask.shape[2] == 3 and mask.size > 0 and bool(np.isfinite([mask.min(), mask.max()]).all())
    require(good, place, "an image (h, w, 3) of finite pixels", mask.shape, ImageError)
    exact = _exact(mask)
    bins, counts, flat, positions = _histogram(mask) if exact is None else exact
    if exact is not None and _are_numbers(bins[flat > 0], int((flat == 0).sum())):
        order = np.argsort(-counts, kind="stable")
        colours, rest = bins[order[flat[order] > 0]], bins[order[flat[order] == 0]]
        if len(rest):
            tell(f"{place}: {', '.join(map(name_of, rest))} has no area of 3 x 3 pixels: counted as the nearest label")
    else:
        colours = _centres(bins, counts, flat, clean=exact is not None)
    require(0 < len(colours) <= MAX_REGIONS, place, f"1 to {MAX_REGIONS} areas of one colour each, without shading",
            len(colours) or "none", ImageError)  # fmt: skip
    nearest = np.array([np.linalg.norm(colours - colour, axis=1).argmin() for colour in bins], np.uint8)
    labels = np.empty(mask.shape[:2], np.uint8)
    for rows, block in _blocks(mask):
        labels[rows] = nearest[positions(rows, block)]
    return colours, labels


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


class _Counted(NamedTuple):
    """The mean (B, 3) of each of B colours, how many pixels have it, how many of these are flat (B,).

    ``positions`` (rows, their block) tells which of them each pixel of a block has.
    """

    colours: np.ndarray
    counts: np.ndarray
    flat: np.ndarray
    positions: Callable[[slice, np.ndarray], np.ndarray]


def _blocks(mask: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows of a mask after others, their pixels in 0..255."""
    step = max(1, _BLOCK // mask.shape[1])
    for top in range(0, len(mask), step):
        rows = slice(top, top + step)
        yield rows, mask[rows] if mask.dtype == np.uint8 else mask[rows].clip(0, 255)


def _histogram(mask: np.ndarray) -> _Counted:
    """By cubes of colours that are near each other."""
    side = 256 // _BIN

    def codes_of(block: np.ndarray) -> np.ndarray:
        r, g, b = np.moveaxis((block // _BIN).astype(np.intp), 2, 0)
        codes: np.ndarray = (r * side + g) * side + b
        return codes

    flat = _flat(mask)
    counts, flats, sums = np.zeros(side**3, int), np.zeros(side**3, int), np.zeros((3, side**3))
    for rows, block in _blocks(mask):
        codes = codes_of(block)
        counts += np.bincount(codes.ravel(), minlength=side**3)
        flats += np.bincount(codes[flat[rows]], minlength=side**3)
        for c in range(3):
            sums[c] += np.bincount(codes.ravel(), block[:, :, c].ravel(), side**3)
    used = np.flatnonzero(counts)
    position = np.zeros(side**3, np.int32)
    position[used] = np.arange(len(used))
    colours = (sums[:, used] / counts[used]).T
    return _Counted(colours, counts[used], flats[used], lambda rows, block: position[codes_of(block)])


def _exact(mask: np.ndarray) -> _Counted | None:
    """By exact colours, of which pixels without any change around them are flat; None for many."""
    found = np.empty(0, np.int64)
    for _, block in _blocks(mask):
        found = np.union1d(found, _runs(block)[0])
        if len(found) > _CLEAN:
            return None
    index = np.empty(mask.shape[:2], np.uint8)
    for rows, block in _blocks(mask):
        codes, lengths = _runs(block)
        index[rows] = np.repeat(np.searchsorted(found, codes).astype(np.uint8), lengths).reshape(block.shape[:2])
    varies = _variation(index[:, :, None])
    counts, flats = np.zeros(len(found), int), np.zeros(len(found), int)
    for rows, _ in _blocks(mask):
        counts += np.bincount(index[rows].ravel(), minlength=len(found))
        flats += np.bincount(index[rows][varies[rows] == 0], minlength=len(found))
    colours = np.stack([found >> 32, found >> 16 & 65535, found & 65535], axis=1) / 257
    return _Counted(colours, counts, flats, lambda rows, block: index[rows])


def _runs(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours of a block, as one number each, that follow each other, and for how many pixels each stays."""
    pixels = block.reshape(-1, 3)
    changes = pixels[1:] != pixels[:-1]
    starts = np.flatnonzero(np.concatenate([[True], changes[:, 0] | changes[:, 1] | changes[:, 2]]))
    r, g, b = np.rint(pixels[starts] * 257.0).astype(np.int64).T  # 16 bits have their own levels
    return (r << 32) + (g << 16) + b, np.diff(starts, append=len(pixels))


def _flat(mask: np.ndarray) -> np.ndarray:
    """(h, w): true where no channel varies by more than a tolerance over a pixel and its eight neighbours.

    The tolerance is the least that makes half of the mask flat, at most COLOUR_TOLERANCE: where the areas are clean,
    the ripples of JPEG beside their edges are not flat.
    """
    varies = _variation(mask)
    flat: np.ndarray = varies <= min(max(float(np.median(varies)), 1.0), COLOUR_TOLERANCE)
    return flat


def _variation(mask: np.ndarray) -> np.ndarray:
    """(h, w): how much the channel that varies most does over a pixel and its eight neighbours."""
    varies = np.empty(mask.shape[:2], mask.dtype)
    last = len(mask) - 1
    for rows, block in _blocks(mask):
        above, below = (mask[[min(max(row, 0), last)]].clip(0, 255) for row in (rows.start - 1, rows.stop))
        high = low = np.pad(np.concatenate([above, block, below]), ((0, 0), (1, 1), (0, 0)), mode="edge")
        high, low = (pick(pick(x[:-2], x[1:-1]), x[2:]) for pick, x in ((np.maximum, high), (np.minimum, low)))
        high, low = (pick(pick(x[:, :-2], x[:, 1:-1]), x[:, 2:]) for pick, x in ((np.maximum, high), (np.minimum, low)))
        varies[rows] = (high - low).max(axis=2)
    return varies


def _near(colours: np.ndarray, centre: np.ndarray) -> np.ndarray:
    near: np.ndarray = np.linalg.norm(colours - centre, axis=1) <= COLOUR_TOLERANCE
    return near
