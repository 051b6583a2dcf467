"""What a run gives up where a device's memory is used up, one thing after the other; then what size would fit."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from ..backend import CPU, device_errors
from ..engine.kernels import free_memory, peak_memory, rounds, use_precision
from ..errors import DeviceMemoryError, LostError, ResourceError
from ..network.vgg import Network
from ..notices import LESS_MEMORY, LOST, Notice
from ..optimize.lbfgs_state import LbfgsState
from ..recipe.sizes import SMALLEST, side_of
from ..style.objective import build_objective
from .estimate import FEWEST_ROWS
from .minimise import HISTORIES, Midway, optimizer_bytes
from .pictures import Pictures
from .stages import Stage
from .state import RunState

_BANDS = 4  # at first; what a band does not keep of the picture is then about a third of that, with its halo
_TRIED = 4  # times smaller on each side than the picture that did not fit is the one that is tried for the advice
_LOSSES = 3  # of workers, one after the other, in which a run got no further: a fourth ends it
_ADVISED = 0.95  # of the free memory, and of the side that it gives: pools round up, and do not fill all of it
_IMAGES = 3  # that a run has on the device beside the optimiser's: the best, the one it began with, a copy


@dataclass
class Fallback:
    """What a run has given up so far: replay, pairs of L-BFGS beyond ``pairs``, maps in float32 between convolutions,
    evaluations in fewer than ``bands``.

    ``recorded``: evaluations of the latest objective were recorded, or would have been. ``losses`` of workers since
    the run got ``furthest``, in evaluations.
    """

    replayed: bool = True
    pairs: int | None = None
    half: bool = False
    bands: int = 0
    recorded: bool = False
    losses: int = 0
    furthest: int = -1

    def applied(self, stage: Stage) -> Stage:
        """The stage with what is left."""
        network = stage.network.multiplying("fp16") if self.half and _halves(stage.network) else stage.network
        return dataclasses.replace(stage, network=network, pairs=self.pairs, bands=max(self.bands, stage.bands))

    def lost(self, state: RunState, error: LostError) -> Notice:
        """A worker, with its part of the picture: what is then said. Raises the error if that ends the run."""
        self.losses = self.losses + 1 if len(state.history) <= self.furthest else 1
        self.furthest = max(self.furthest, len(state.history))
        if self.losses > _LOSSES:
            raise error
        return Notice(LOST, f"a worker was lost: the run goes on from evaluation {state.done}")

    def give_up(self, stage: Stage, state: RunState) -> Notice | None:
        """The next thing, which is then said; None where nothing is left. ``state`` moves to the host meanwhile."""
        state.midway = state.midway and state.midway.on(CPU)
        if state.midway is None and state.history and state.history[-1].stage == state.stage + 1:
            state.image, state.before = state.best, len(state.history)  # the round begins anew, from the best image
        lack = f"the GPU's memory does not suffice for {stage.shape[1]} x {stage.shape[0]}"
        pairs = _pairs(stage)
        shorter = next((m for m in HISTORIES if m < pairs), None)
        if self.replayed and self.recorded:
            self.replayed = False
            said = "evaluations are no longer recorded and replayed, which small pictures feel"
        elif stage.recipe.optimizer == "lbfgs" and shorter is not None:
            self.pairs = shorter
            state.midway = state.midway and _with_pairs(state.midway, shorter)
            said = f"L-BFGS remembers {shorter} pairs in place of {pairs}"
        elif not self.half and _halves(stage.network):
            self.half = True
            state.midway = state.midway and _renewed(state.midway)
            said = "convolutions multiply factors of 16 bits, as with --precision fp16"
        elif stage.shape[0] // (bands := 2 * stage.bands or _BANDS) >= FEWEST_ROWS:
            self.bands = bands
            said = f"it is painted in {bands} bands of rows, which takes longer"
        else:
            return None
        free_memory()
        return Notice(LESS_MEMORY, f"{lack}: {said}")


def _pairs(stage: Stage) -> int:
    return min(stage.recipe.history, stage.pairs or stage.recipe.history)


def _halves(network: Network) -> bool:
    """Whether it rounds factors to TF32, on a card that multiplies in half precision too: see ``check_precision``."""
    of_tf32 = network.device.name == "gpu" and network.dtype == np.float32 and network.precision in (None, "tf32")
    with use_precision(network.precision):
        return of_tf32 and rounds()


def _renewed(midway: Midway) -> Midway:
    """Of an objective that is slightly another one from here on: L-BFGS evaluates its image anew."""
    if not isinstance(midway.state, LbfgsState):
        return midway
    return dataclasses.replace(midway, state=dataclasses.replace(midway.state, losses=[]))


def _with_pairs(midway: Midway, count: int) -> Midway:
    """With room for so many pairs, the latest, in an order of their own; of another optimiser as it is."""
    state = midway.state
    if not isinstance(state, LbfgsState) or len(state.steps) <= count:
        return midway
    kept = state.order[-count:]
    steps, changes = (np.zeros((count, rows.shape[1]), rows.dtype) for rows in (state.steps, state.changes))
    products, slopes = np.zeros_like(state.products), np.zeros_like(state.slopes)
    n = len(kept)
    steps[:n], changes[:n] = state.steps[kept], state.changes[kept]
    products[:n, :n], slopes[:n] = state.products[np.ix_(kept, kept)], state.slopes[kept]
    shorter = dataclasses.replace(
        state, steps=steps, changes=changes, products=products, slopes=slopes, order=list(range(n))
    )
    return dataclasses.replace(midway, state=shorter)


def advice(stage: Stage, pictures: Pictures) -> ResourceError:
    """What is said at the end, where nothing is left to give up: with the largest size that fits, as far as it shows.

    What a picture a few times smaller takes is measured, and taken to grow with the pixels.
    """
    height, width = stage.shape
    said = f"the GPU's memory does not suffice for {width} x {height}"
    try:
        with device_errors():
            taken = _bytes_a_pixel(stage, pictures) * height * width
            fits = min(1.0, _ADVISED * free_memory() / taken)
    except DeviceMemoryError:
        return ResourceError(f"{said}, nor for much less; try --network mini, or --device cpu")
    size = math.floor(math.sqrt(fits) * _ADVISED * side_of(stage.shape, stage.recipe))
    return ResourceError(f"{said}; the largest that fits is about --size {size}, or try --device cpu")


def _bytes_a_pixel(stage: Stage, pictures: Pictures) -> float:
    height, width = (max(SMALLEST, side // _TRIED) for side in stage.shape)

    def evaluate() -> None:
        small = pictures.at((height, width))
        objective = build_objective(
            small.content, small.styles, stage.recipe, stage.network, small.regions, bands=stage.bands, replayed=False
        )
        objective(small.content)

    free_memory()
    itemsize = stage.network.dtype.itemsize
    recipe = dataclasses.replace(stage.recipe, history=_pairs(stage))
    of_optimizer = optimizer_bytes(recipe, stage.evaluations, itemsize) + _IMAGES * 3 * itemsize
    return float(of_optimizer + peak_memory(evaluate) / (height * width))
