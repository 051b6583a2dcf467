"""What ``bench.py --device gpu`` measures: Johnson's loss and gradient on VGG19 on a GPU, ours beside PyTorch's.

A row for each precision, both sides at the same: fp32, TF32 allowed everywhere, factors of 16 bits (PyTorch's by
autocast), and PyTorch with its maps contiguous and channels-last, cuDNN choosing its fastest by trial. Times are of the
clock on the wall, the device waited for at both ends: what the host does counts. An iteration is one of L-BFGS whose 10
pairs are there already: ours with its line search and pyramid, PyTorch's without either.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minstyle import build_objective
from minstyle.backend import PRECISIONS, Array, Device, choose_device
from minstyle.errors import DeviceMemoryError
from minstyle.network.layers import BLOCKS, CHANNELS
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights
from minstyle.optimize.lbfgs import LbfgsMinimum, lbfgs
from minstyle.optimize.lbfgs_state import LbfgsState
from minstyle.optimize.minimum import Pending
from minstyle.optimize.pyramid import PYRAMID
from minstyle.recipe.presets import RECIPES
from minstyle.weights.locate import find_weights

HISTORY, ITERATIONS = 10, 20
RECIPE = dataclasses.replace(RECIPES["johnson"], style_fit="keep")
Run = Callable[[], Any]


def lines(sizes: list[int], times: int, largest: bool) -> Iterator[str]:
    """A Markdown table of squares of ``sizes`` pixels; ``largest``: and how far each comes in the card's memory."""
    device, weights = choose_device("gpu"), read_weights(find_weights("vgg19"))
    import cupy
    import torch

    torch.backends.cudnn.benchmark = True
    rates = {precision: _product_rate(precision) for precision in PRECISIONS}
    told = ", ".join(f"{rate:.0f} TFLOP/s in {precision}" for precision, rate in rates.items())
    yield (
        f"{device.note}, CuPy {cupy.__version__}, PyTorch {torch.__version__}; medians of {times}. A product of 8192 "
        f"square matrices, by PyTorch, runs at {told}."
    )
    yield ""
    heads = (
        "square", "precision", "evaluation, ms", "TFLOP/s", "of the product", "iteration, ms", "MB", "PyTorch, ms",
        "channels last, ms", "iteration, ms", "MB", "ratio",
    )  # fmt: skip
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for size in sizes:
        images = pictures(size)
        for precision in PRECISIONS:
            mine = Ours(images, weights, device, precision)
            evaluation, iteration, memory = mine.evaluation(times), mine.iteration(), mine.memory()
            rate = flop(size) / evaluation / 1e9
            del mine
            cupy.get_default_memory_pool().free_all_blocks()
            theirs, of_optimiser, most = _pytorch(images, weights, precision, times)
            share = 100 * rate / rates[precision]
            ours = f"{evaluation:.2f} | {rate:.0f} | {share:.0f} % | {iteration:.2f} | {memory:.0f}"
            times_of_theirs = " | ".join(f"{ms:.2f}" for ms in theirs)
            ratio = min(theirs) / evaluation
            rest = f"{times_of_theirs} | {of_optimiser:.2f} | {most:.0f} | {ratio:.2f}"
            yield f"| {size} | {precision} | {ours} | {rest} |"
    if largest:
        yield ""
        for name, fits in {"minstyle": ours_fits, "PyTorch": _theirs_fits}.items():
            size = 4096
            while fits(size + 1024, weights, device):
                size += 1024
            yield f"Largest square that {name} evaluates, in steps of 1024: {size}."


def pictures(size: int) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.uniform(0, 255, (size, size, 3)).astype(np.float32) for _ in range(3)]


def flop(size: int) -> float:
    """Of the convolutions of an evaluation, forward and back, up to block5_conv1."""
    total, cin = 0.0, 3
    for block, (count, cout) in enumerate(zip(BLOCKS["vgg19"], CHANNELS, strict=True)):
        for _ in range(count if block < 4 else 1):
            total += 2 * 2 * 9 * cin * cout * (size >> block) ** 2
            cin = cout
    return total


class Ours:
    def __init__(self, images: list[np.ndarray], weights: Weights, device: Device, precision: str = "tf32") -> None:
        content, style, self.image = (device.asarray(image) for image in images)
        network = Network(weights, device, precision=precision)
        self.objective, self.xp = build_objective(content, [style], RECIPE, network), device.xp

    def evaluation(self, times: int) -> float:
        return _median(lambda: self.objective(self.image), times, self.xp.cuda.Device().synchronize)

    def iteration(self) -> float:
        warm, wait = self._run(2 * HISTORY), self.xp.cuda.Device().synchronize
        wait()
        begin = time.perf_counter()
        count = self._run(ITERATIONS, warm.state).iterations
        wait()
        return 1e3 * (time.perf_counter() - begin) / count

    def _run(self, iterations: int, state: LbfgsState | None = None) -> LbfgsMinimum:
        def evaluate(x: Array) -> Pending:
            found = self.objective.evaluate(x)
            return Pending(found.gradient, found.numbers, found.tell)

        settings: dict[str, Any] = {"history": HISTORY, "preconditioner": PYRAMID, "state": state}
        return lbfgs(evaluate, self.image, iterations=iterations, **settings)

    def memory(self) -> float:
        """MB that CuPy holds, the optimiser's included."""
        pools = [self.xp.get_default_memory_pool(), *filter(None, [self.objective.own_memory()])]
        return sum(pool.total_bytes() for pool in pools) / 2**20


def _pytorch(
    images: list[np.ndarray], weights: Weights, precision: str, times: int
) -> tuple[list[float], float, float]:
    """(ms an evaluation: contiguous, channels-last; ms an iteration of the better; its MB)."""
    import torch

    from torch_twin.programs import Johnson

    def evaluation(layout: Any) -> tuple[Run, Any]:
        twin = Johnson(weights, images[0], [images[1]], dtype=torch.float32, layout=layout, device="cuda")
        x = twin.tensor(images[2]).requires_grad_()

        def evaluate() -> Any:
            with torch.autocast("cuda", dtype=torch.float16, enabled=precision == "fp16"):
                loss = twin.loss(x, twin.network.features(x, twin.layers))
            (x.grad,) = torch.autograd.grad(loss, x)
            return loss.item()

        return evaluate, x

    layouts = (torch.contiguous_format, torch.channels_last)
    with _as_precise(precision):
        found = [_median(evaluation(layout)[0], times, torch.cuda.synchronize) for layout in layouts]
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()  # memory is that of the better alone
        evaluate, x = evaluation(layouts[int(np.argmin(found))])
        optimizer = torch.optim.LBFGS([x], lr=1e-3, max_iter=ITERATIONS, max_eval=ITERATIONS, history_size=HISTORY,
                                      tolerance_grad=-1, tolerance_change=-1)  # fmt: skip
        optimizer.step(evaluate)  # it keeps its pairs
        torch.cuda.synchronize()
        begin = time.perf_counter()
        optimizer.step(evaluate)
        torch.cuda.synchronize()
        iteration = 1e3 * (time.perf_counter() - begin) / ITERATIONS
    return found, iteration, torch.cuda.max_memory_reserved() / 2**20


@contextmanager
def _as_precise(precision: str) -> Iterator[None]:
    """Within, PyTorch multiplies matrices of float32 so."""
    import torch

    places = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [place.allow_tf32 for place in places]
    for place in places:
        place.allow_tf32 = precision != "fp32"
    try:
        yield
    finally:
        for place, was in zip(places, before, strict=True):
            place.allow_tf32 = was


def _median(run: Run, times: int, wait: Callable[[], Any]) -> float:
    """Milliseconds, after three runs to warm up."""
    taken = []
    for _ in range(3 + times):
        wait()
        begin = time.perf_counter()
        run()
        wait()
        taken.append(1e3 * (time.perf_counter() - begin))
    return float(np.median(taken[3:]))


def _product_rate(precision: str) -> float:
    import torch

    a = torch.randn(8192, 8192, device="cuda", dtype=torch.float16 if precision == "fp16" else torch.float32)
    with _as_precise(precision):
        return 2 * 8192**3 / _median(lambda: a @ a, 5, torch.cuda.synchronize) / 1e9


def ours_fits(size: int, weights: Weights, device: Device) -> bool:
    device.xp.get_default_memory_pool().free_all_blocks()
    try:
        mine = Ours(pictures(size), weights, device)
        for _ in range(3):  # the first two prepare
            mine.objective(mine.image)
    except (MemoryError, DeviceMemoryError):
        return False
    return True


def _theirs_fits(size: int, weights: Weights, device: Device) -> bool:
    import torch

    from torch_twin.programs import Johnson

    device.xp.get_default_memory_pool().free_all_blocks()
    torch.cuda.empty_cache()
    images = pictures(size)
    try:
        kind = {"dtype": torch.float32, "layout": torch.channels_last, "device": "cuda"}
        with _as_precise("tf32"):
            twin = Johnson(weights, images[0], [images[1]], **kind)
            x = twin.tensor(images[2]).requires_grad_()
            torch.autograd.grad(twin.loss(x, twin.network.features(x, twin.layers)), x)
    except torch.cuda.OutOfMemoryError:
        return False
    return True
