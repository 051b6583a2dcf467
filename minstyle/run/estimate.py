"""What a run will take, known before it starts: minutes and memory, stage by stage, and the largest size that fits.

    estimator = Estimator(content.shape, [style.shape], recipe, network, draft)
    estimator.estimate().seconds, estimator.estimate().memory

What an evaluation takes is tried with the recipe's own objective at a small size, see ``probe``; here that becomes what
a run takes. Memory is that of the whole process, on the host: what a GPU holds is not counted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import ResourceError
from ..memory import Room, give_back, resident
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import SMALLEST, Shape, fitted_shape, side_of, sizes_of
from .minimise import optimizer_bytes, shorter_histories
from .pictures import cropped_shape
from .probe import MOST_PIXELS, QUICK_PIXELS, Laws, LawsOf, measure
from .stages import Stage, plan_stages, planned_evaluations, stages_in_bands

_SHARE = 0.02  # of a run's work that trying may take
_OF_A_TRY = 7  # evaluations that a try costs
_ADVISED = 0.95  # of the room is what an advised size takes: tried again, in another process, it may seem a bit larger
SLOWER = 1.7  # times that an evaluation in bands takes: two forward passes, and the halos
FEWEST_ROWS = 64  # of a band: its halo is about half as many
_OTHER = 12_000_000  # bytes: libraries that are loaded later, and what the heap loses between arrays
_IMAGES = 6  # images in float32 that a run has beside the optimiser's: the best, the current one, the content, copies


@dataclass(frozen=True)
class StageEstimate:
    """What a stage takes: seconds an evaluation and for its targets, bytes of the process at its peak."""

    shape: Shape
    network: str
    evaluations: int
    seconds_each: float
    preparing: float
    memory: int
    bands: int = 0  # 0: the picture is not cut

    @property
    def seconds(self) -> float:
        return self.preparing + self.evaluations * self.seconds_each


@dataclass(frozen=True)
class Estimate:
    """What a run takes, stage by stage, and in all."""

    stages: tuple[StageEstimate, ...]

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    @property
    def evaluations(self) -> int:
        return sum(stage.evaluations for stage in self.stages)

    @property
    def memory(self) -> int:
        """The most bytes at any time of the run; what the process had before it, and gave back, is not counted."""
        return max(stage.memory for stage in self.stages)


class Estimator:
    """Tries each network of a run at a small size, once; then tells what the run, or one of another size, takes.

    ``content`` and ``styles`` are shapes (H, W, ...) of the pictures, ``regions`` how many regions they have; ``held``
    are bytes that the process has already of what the run will have: its state, where it goes on. With
    ``quick``, trying takes about a fiftieth of the run's time, and a short run's seconds are known roughly only.
    ``laws_of`` tries it, or has tried it already: see ``SharedLaws``. Raises what ``plan_stages`` raises.
    """

    def __init__(
        self,
        content: tuple[int, ...],
        styles: Sequence[tuple[int, ...]],
        recipe: Recipe,
        network: Network,
        draft: Network | None = None,
        *,
        regions: int = 0,
        quick: bool = False,
        held: int = 0,
        laws_of: LawsOf = measure,
    ) -> None:
        self.recipe = recipe
        self._content, self._networks = (content[0], content[1]), (network, draft)
        self._styles = [cropped_shape(recipe, number, shape) for number, shape in enumerate(styles)]
        self._laws: dict[int, Laws] = {}
        stages = self._stages(recipe)
        counts = planned_evaluations(stages, recipe)
        for used in {id(stage.network): stage.network for stage in stages}.values():
            own = [(stage, n) for stage, n in zip(stages, counts, strict=True) if stage.network is used]
            last, _ = own[-1]
            work = sum(n * _pixels(stage.shape) for stage, n in own)
            pixels = _pixels_to_try(_pixels(last.shape), work) if quick else MOST_PIXELS
            self._laws[id(used)] = laws_of(
                used, last.recipe, last.shape, self._beside(last.shape), pixels=pixels, regions=regions
            )
        self.small = network.small
        # Bytes that the process has before the run, the networks' transformed kernels among them.
        give_back()  # what the tries had
        self.base = resident() - held

    def estimate(
        self, recipe: Recipe | None = None, bands: int | Sequence[int] = 0, *, most: int | None = None
    ) -> Estimate:
        """Of the run, or of one by ``recipe``, which may differ from the estimator's own in sizes, budgets, history.

        ``bands``: into how many the last size is cut, or each stage. ``most``: so that a stage takes no more bytes.
        """
        recipe = self.recipe if recipe is None else recipe
        stages = stages_in_bands(self._stages(recipe), bands)
        counts = planned_evaluations(stages, recipe)
        found = [self._of_stage(stage, count) for stage, count in zip(stages, counts, strict=True)]
        if most is not None:
            found = [one if one.memory <= most else self._cut(stage, one, most)
                     for stage, one in zip(stages, found, strict=True)]  # fmt: skip
        return Estimate(tuple(found))

    def _cut(self, stage: Stage, whole: StageEstimate, most: int) -> StageEstimate:
        """The stage in as few bands as fit, or else in the most that make sense."""
        found, bands = whole, 2
        while found.memory > most and stage.shape[0] // bands >= FEWEST_ROWS:
            found = self._of_stage(dataclasses.replace(stage, bands=bands), whole.evaluations)
            bands += 1 + bands // 4
        return found

    def largest(self, most: int, *, in_bands: bool = False) -> Recipe | None:
        """The recipe with the largest last size at which a run takes no more than ``most`` bytes; None: no size fits.

        Sizes before the last that are not smaller than it are left out. ``in_bands``: cut into them where it helps,
        with the shortest history.
        """
        low = math.ceil(SMALLEST * side_of(self._content, self.recipe) / min(self._content))
        high = sizes_of(self.recipe)[-1]
        if not self._fits(low, most, in_bands):
            return None
        while high - low > 1:  # low fits
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits(middle, most, in_bands) else (low, middle)
        return self._resized(low)

    def _fits(self, size: int, most: int, in_bands: bool) -> bool:
        recipe = self._resized(size)
        if in_bands and (shorter := shorter_histories(recipe)):  # as ``fitted`` does
            recipe = dataclasses.replace(recipe, history=shorter[-1])
        return self.estimate(recipe, most=most if in_bands else None).memory <= most

    def _resized(self, size: int) -> Recipe:
        smaller = tuple(other for other in self.recipe.sizes[:-1] if other < size)
        return dataclasses.replace(self.recipe, sizes=(*smaller, size))

    def _stages(self, recipe: Recipe) -> tuple[Stage, ...]:
        network, draft = self._networks
        return plan_stages((*self._content, 3), recipe, network, draft)

    def _beside(self, shape: Shape) -> list[Shape]:
        """The shapes that the style pictures have beside a content of that shape."""
        return [fitted_shape(style, shape, self.recipe, number) for number, style in enumerate(self._styles)]

    def _of_stage(self, stage: Stage, evaluations: int) -> StageEstimate:
        laws, pixels = self._laws[id(stage.network)], _pixels(stage.shape)
        styles = [_pixels(shape) for shape in self._beside(stage.shape)]
        itemsize = stage.network.dtype.itemsize
        pictures = 3 * 4 * (_IMAGES * pixels + sum(styles))
        if stage.bands:
            evaluation, building = laws.banded_bytes(stage.shape, stage.bands), 0.0
            rows = -(-stage.shape[0] // stage.bands)
            for shape in self._beside(stage.shape):  # in strips of as many rows as the content's
                building = max(building, laws.banded_bytes(shape, -(-shape[0] // rows)))
        else:
            evaluation, building = laws.evaluation_bytes(pixels), laws.target_bytes(max([pixels, *styles]))
        evaluating = evaluation + optimizer_bytes(stage.recipe, stage.evaluations, itemsize) * pixels
        slower = SLOWER if stage.bands else 1.0
        return StageEstimate(
            stage.shape,
            "small network" if stage.network.small else stage.network.name,
            evaluations,
            slower * laws.seconds(pixels),
            laws.building * (pixels + sum(styles)),
            round(self.base + _OTHER + pictures + max(evaluating, building)),
            stage.bands,
        )


def check_room(
    estimator: Estimator,
    estimate: Estimate,
    there: Room | None,
    advice: Callable[[Recipe], str] = lambda recipe: ",".join(map(str, recipe.sizes)),
    *,
    in_bands: bool = False,
) -> None:
    """Raise ResourceError, with the largest size that fits, where a run takes more memory than is there.

    None for ``there`` is a system that does not tell; ``advice`` gives what to ask for to have the sizes of a recipe.
    ``in_bands``: the run may be cut into bands.
    """
    if there is None or estimate.memory <= there.bytes:
        return
    need, have = gigabytes(estimate.memory), gigabytes(there.bytes)
    said = f"memory: expected a run that takes at most {have} ({there.limit}), got one of about {need}"
    recipe = estimator.largest(int(_ADVISED * there.bytes), in_bands=in_bands)
    recipe = recipe or estimator.largest(there.bytes, in_bands=in_bands)
    if recipe is None:
        way_out = "it needs" if estimator.small else "try --network mini, or"
        raise ResourceError(f"{said}; no size fits: {way_out} more memory")
    others = "" if recipe.optimizer == "adam" or recipe.history <= 20 else ", or try a smaller --history"
    raise ResourceError(f"{said}; the largest that fits is --size {advice(recipe)}{others}")


def gigabytes(count: float) -> str:
    return f"{count / 1e9:#.2g} GB" if count < 9.95e9 else f"{count / 1e9:.0f} GB"


def _pixels(shape: Shape) -> int:
    return shape[0] * shape[1]


def _pixels_to_try(largest: int, work: int) -> int:
    """Pixels of a try that takes a small share of ``work`` (evaluations times pixels), but tells the largest size."""
    return min(QUICK_PIXELS, max(round(_SHARE * work / _OF_A_TRY), largest // 16))
