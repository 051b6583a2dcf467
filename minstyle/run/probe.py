"""What an evaluation takes, in seconds and bytes, at any size: measured at a small one, with the run's own objective.

The laws, which ``tools/estimate_table.py`` checks. Time: an evaluation takes a fixed time, for the kernels are read,
and one that grows with the pixels. Memory: what maps take grows with the pixels; buffers grow only up to the size from
which on the work is cut into parts. Tries are square, of sides in steps, so that the memory of one stands for many: see
``peaks``.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..backend import Array, device_errors
from ..engine.kernels import MOST_SHARED, thread_count
from ..engine.ops.moments import STRIP
from ..network.layers import canonical
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, Shape
from ..style.bands import kept_values
from ..style.losses import LOSSES
from ..style.objective import Objective, build_objective
from ..style.regions import Regions
from .minimise import minimise
from .peaks import peak_of

MOST_PIXELS = 384 * 384  # of a try: there maps are larger than what does not grow with them, and than any cache
QUICK_PIXELS = 256 * 256
_SMALL = 128 * 128  # pixels of a try that says less about what maps take
_OF_OPTIMIZER = (32, 128)  # pixels on each side of the images that the optimiser is tried with
_WIDEST = 1.25  # a map, and the one that is pooled from it, beside that map
_MOST_MAPS = 3  # first maps that the maps of one evaluation come to, at most
_HALO = 32  # rows of a strip that others own
_TIMED = 3  # calls, of which the middle one counts
_RECOMPUTED = 32  # channels of a first map that is recomputed rather than kept: see ``conv_relu``


@dataclass(frozen=True)
class Laws:
    """What evaluations of one recipe with one network take, at any size.

    Seconds: ``fixed`` and ``per_pixel`` of an evaluation, ``building`` a pixel of a picture whose targets are computed.
    Bytes: ``least``, however small the picture, and ``maps`` a pixel; ``strip`` a pixel of the first map, 0 where no
    part of it is recomputed; ``threads`` in all and ``shared`` a pixel, of the buffers; ``widest`` a pixel of the first
    map and its pooled one; ``kept`` a pixel, of what an evaluation in bands keeps of the whole picture.
    """

    fixed: float
    per_pixel: float
    building: float
    least: int
    maps: float
    strip: int
    threads: int
    shared: float
    widest: float
    itemsize: int
    kept: float = 0.0

    def seconds(self, pixels: int) -> float:
        """Of an evaluation, with the optimiser's step."""
        return self.fixed + self.per_pixel * pixels

    def evaluation_bytes(self, pixels: int) -> float:
        """At the peak of an evaluation, the targets included; without what the optimiser has."""
        return max(self.least, self.maps * pixels) + self._beside_maps(pixels)

    def banded_bytes(self, shape: Shape, bands: int) -> float:
        """At the peak of an evaluation of a picture (height, width) in so many bands, or of computing its targets."""
        height, width = shape
        strip = width * min(height, -(-height // bands) + _HALO)
        return self.kept * height * width + self.maps * strip + self._beside_maps(strip)

    def target_bytes(self, pixels: int) -> float:
        """At the peak of computing the targets of a picture of so many pixels."""
        return self.widest * pixels + self._buffers(pixels)

    def _beside_maps(self, pixels: int) -> float:
        return min(self.strip * pixels, STRIP * self.itemsize) + self._buffers(pixels)

    def _buffers(self, pixels: int) -> float:
        return self.threads + min(self.shared * pixels, MOST_SHARED * self.itemsize)


class LawsOf(Protocol):
    """What ``measure`` is: a function from a network and shapes to laws."""

    def __call__(
        self, network: Network, recipe: Recipe, shape: Shape, styles: Sequence[Shape], *, pixels: int, regions: int = 0
    ) -> Laws: ...


@device_errors()
@np.errstate(all="ignore")  # numbers too large are for the run to refuse
def measure(
    network: Network, recipe: Recipe, shape: Shape, styles: Sequence[Shape], *, pixels: int, regions: int = 0
) -> Laws:
    """The laws for images of ``shape`` beside styles of the shapes ``styles``, tried at about so many ``pixels``.

    A caller who traces with ``tracemalloc`` himself goes on tracing, but the peak that he reads is that since this try.
    """
    share = min(1.0, pixels / _pixels(shape))
    quarter = _Try(network, recipe, shape, styles, share / 4, regions)  # first: it transforms the kernels
    quarter.call()
    tried = _Try(network, recipe, shape, styles, share, regions)
    tried.trace()
    fixed = 0.0
    if tried.pixels > quarter.pixels:
        # Where the straight line through both meets no pixels at all.
        fixed = (quarter.seconds * tried.pixels - tried.seconds * quarter.pixels) / (tried.pixels - quarter.pixels)
        fixed = min(max(0.0, fixed), quarter.seconds, tried.seconds)
    itemsize, channels = network.dtype.itemsize, network.first_channels
    strip = channels * itemsize if channels >= _RECOMPUTED and _reads_first_map(network, recipe) else 0
    rest = max(0, tried.peak - tried.threads - tried.shared - min(strip * tried.pixels, STRIP * itemsize))
    maps = rest / tried.pixels
    if tried.pixels < _SMALL:  # most of it may be matrices of channels, which do not grow with the picture
        maps = min(maps, _MOST_MAPS * channels * itemsize)
    of_optimizer, of_its_pixels = _optimizer_seconds(recipe, network)
    return Laws(
        fixed + of_optimizer,
        (tried.seconds - fixed) / tried.pixels + of_its_pixels,
        tried.building / (tried.pixels + tried.of_styles),
        rest,
        maps,
        strip,
        tried.threads,
        tried.shared / tried.pixels,
        _WIDEST * channels * itemsize,
        itemsize,
        kept_values(recipe, network) * itemsize,
    )


class _Try:
    """An objective of noise, built and called: seconds; traced, bytes at the peak of a call and of the buffers."""

    peak = threads = shared = 0

    def __init__(
        self, network: Network, recipe: Recipe, shape: Shape, styles: Sequence[Shape], share: float, regions: int
    ) -> None:
        """With about that share of the pixels of content and styles."""
        self._network, self._recipe, self._regions = network, recipe, regions
        self._side, *self._sides = (_side(share * _pixels(s)) for s in (shape, *styles))
        self.pixels, self.of_styles = self._side**2, sum(side**2 for side in self._sides)

    def call(self) -> None:
        objective = self._built()
        objective(self._image())  # makes the buffers
        self._time(objective)

    def trace(self) -> None:
        """``call``, with the bytes."""

        def buffers(objective: Objective) -> tuple[int, int]:
            objective(self._image())
            return objective.workspaces()

        on_host = self._network.device.name == "cpu"  # a device's library does not outlive a fork
        objective, (self.peak, self.threads, self.shared) = peak_of(self._alike(), self._built, buffers, on_host)
        self._time(objective)

    def _built(self) -> Objective:
        content, *styles = (_noise((side, side)) for side in (self._side, *self._sides))
        parts = _stripes(self._side, self._sides, self._regions) if self._regions else None
        began = time.perf_counter()
        objective = build_objective(content, styles, self._recipe, self._network, parts)
        self.building = time.perf_counter() - began
        return objective

    def _time(self, objective: Objective) -> None:
        """Of one that was called once: on a device, where the second call records, those from the third are timed."""
        image = self._image()
        if self._network.device.name != "cpu":
            objective(image)
        self.seconds = statistics.median(_seconds_of(objective, image) for _ in range(_TIMED))

    def _alike(self) -> Hashable:
        """What says how much memory a try takes: the network without its numbers, what of the recipe makes ops."""
        recipe = self._recipe
        terms = tuple((LOSSES[term.kind], term.layer) for term in recipe.terms if recipe.effective_weight(term) > 0)
        made_of = recipe.pooling, recipe.pooling_factor, recipe.padding, recipe.gradients, recipe.range_weight > 0
        return self._network.anatomy, terms, made_of, self._side, *self._sides, self._regions, thread_count()

    def _image(self) -> np.ndarray:
        return _noise((self._side, self._side))


def _optimizer_seconds(recipe: Recipe, network: Network) -> tuple[float, float]:
    """The optimiser's own seconds an evaluation: fixed, and those a pixel; by the line through two sizes."""
    (few, small), (many, large) = (_optimizer_tried(recipe, network, side) for side in _OF_OPTIMIZER)
    per_pixel = max(0.0, (large - small) / (many - few))
    return max(0.0, large - per_pixel * many), per_pixel


def _optimizer_tried(recipe: Recipe, network: Network, side: int) -> tuple[int, float]:
    """Pixels of a square image of a valley that is not round, and the optimiser's own seconds an evaluation of it."""
    device = network.device
    image = device.asarray(_noise((side, side)), network.dtype)
    slopes = device.asarray(1 + _noise((side, side), 1), network.dtype)
    spent, count = 0.0, 0

    def valley(x: Array) -> tuple[float, Array]:
        nonlocal spent, count
        began = time.perf_counter()
        g = slopes * (x - 128)
        loss = float((g * (x - 128)).sum())
        spent, count = spent + time.perf_counter() - began, count + 1
        return loss, 2 * g

    minimise(valley, image, recipe, 1, None, _nothing)  # what is imported for it is no part of an evaluation
    evaluations = min(recipe.evaluations[-1], recipe.history + 10, 40)
    spent, count = 0.0, 0
    began = time.perf_counter()
    minimise(valley, image, recipe, evaluations, None, _nothing)
    return side**2, (time.perf_counter() - began - spent) / count


def _seconds_of(objective: Objective, image: np.ndarray) -> float:
    began = time.perf_counter()
    objective(image)
    return time.perf_counter() - began


def _nothing(x: Array, loss: float) -> Any:
    """Watches nothing."""


def _reads_first_map(network: Network, recipe: Recipe) -> bool:
    terms = [term for term in recipe.terms if term.role == "style" and recipe.effective_weight(term) > 0]
    return any(canonical(term.layer) == network.layers[0] for term in terms)


def _pixels(shape: Shape) -> int:
    return shape[0] * shape[1]


def _side(pixels: float) -> int:
    """The side of a square of no more than so many pixels: one of a few, each 1.19 times the one before."""
    steps = math.floor(4 * math.log2(max(1.0, math.sqrt(pixels) / SMALLEST)) + 1e-6)
    return round(SMALLEST * 2 ** (steps / 4))


def _noise(shape: Shape, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (*shape, 3)).astype(np.float32)


def _stripes(content: int, styles: Sequence[int], count: int) -> Regions:
    """So many regions of equal width side by side, in squares of these sides."""

    def of(side: int) -> np.ndarray:
        column = np.arange(side) * count // side
        rows = (column == np.arange(count)[:, None]).astype(np.float32)
        return np.repeat(rows[:, None], side, axis=1)

    return Regions(of(content), tuple(map(of, styles)), tuple(map(str, range(count))))
