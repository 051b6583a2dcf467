"""Our L-BFGS beside scipy's, on real pictures: ``python tools/optimizer_table.py --pictures FOLDER``.

Six pairs of photographs and paintings, one recipe at one size, from the same start. scipy's L-BFGS-B remembers 20
pairs; ours is as the recipe has it. Prints, pair by pair and as a Markdown table: the evaluations that ours needs for
the loss that scipy has at the end, in parts of scipy's; ours over scipy's loss at equal evaluations; and beside an
evaluation, each one's own time (the least of all: a busy machine adds to each) and peak of memory a pixel.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from minstyle import load_image, load_network
from minstyle.optimize.bounds import bounded
from minstyle.optimize.lbfgs import lbfgs
from minstyle.optimize.minimum import Function, OnEvaluation
from minstyle.optimize.pyramid import PYRAMID
from minstyle.optimize.scipy_lbfgs import scipy_lbfgs
from minstyle.recipe.presets import find_recipe
from minstyle.recipe.sizes import shapes_of
from minstyle.run.pictures import Pictures
from minstyle.style.objective import build_objective
from quantisation_table import PAIRS

Minimiser = Callable[[Function, np.ndarray, int, OnEvaluation], object]


def scipys(objective: Function, start: np.ndarray, evaluations: int, tell: OnEvaluation) -> object:
    return scipy_lbfgs(objective, start, history=20, factr=0, pgtol=0, evaluations=evaluations, on_evaluation=tell)


def ours(history: int) -> Minimiser:
    def run(objective: Function, start: np.ndarray, evaluations: int, tell: OnEvaluation) -> object:
        return lbfgs(objective, start, history=history, preconditioner=PYRAMID, evaluations=evaluations,
                     on_evaluation=tell)  # fmt: skip

    return run


class Run:
    """A run's lowest losses so far, evaluation by evaluation; its own seconds an evaluation and bytes a pixel."""

    def __init__(self, minimiser: Minimiser, objective: Function, start: np.ndarray, evaluations: int) -> None:
        losses: list[float] = []
        own: list[float] = []
        returned = time.perf_counter()

        def timed(x: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal returned
            own.append(time.perf_counter() - returned)
            found = objective(x)
            returned = time.perf_counter()
            return found

        def tell(x: np.ndarray, loss: float) -> bool:
            losses.append(loss)
            return len(losses) >= evaluations

        minimiser(timed, start, evaluations, tell)
        self.best = np.minimum.accumulate(losses)
        # Once the history is full; the least of what a step takes.
        self.own = min(own[len(own) // 2 :])


def bytes_a_pixel(minimiser: Minimiser, shape: tuple[int, ...]) -> float:
    """The optimiser's peak with a history that is full, beside x0 and gradients that it does not own."""
    start = np.zeros(shape, np.float32)
    spare = [np.empty_like(start) for _ in range(3)]
    weights = np.linspace(1, 50, start.size, dtype=np.float32).reshape(shape)
    count = 0

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count
        count += 1
        g = np.subtract(x, 100, out=spare[count % 3])
        g *= weights
        return float(np.vdot(g, g / weights)) / 2, g

    tracemalloc.start()
    try:
        minimiser(objective, start, 30, lambda x, loss: False)
        return tracemalloc.get_traced_memory()[1] / (shape[0] * shape[1])
    finally:
        tracemalloc.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with content/NAME.jpg, style/NAME.jpg")
    parser.add_argument("--recipe", default="johnson")
    parser.add_argument("--network", default="vgg19")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--history", type=int, default=10)
    options = parser.parse_args()

    network = load_network(options.network)
    recipe = replace(find_recipe(options.recipe), sizes=(options.size,), scales=1, init="content", draft="none")
    needed, ratios, shares = [], [], []
    for content_name, style_name in PAIRS:
        content = load_image(options.pictures / "content" / f"{content_name}.jpg")
        style = load_image(options.pictures / "style" / f"{style_name}.jpg")
        pictures = Pictures.of(content, [style], recipe, None, None).cropped()
        scaled = pictures.at(shapes_of(pictures.content.shape, recipe)[-1])
        objective = build_objective(scaled.content, scaled.styles, recipe, network, scaled.regions)
        function, start = objective, scaled.start(network.mean_color, None).astype(np.float32)
        if recipe.bounds == "smooth":
            function, to_u, _ = bounded(objective)
            start = to_u(start)
        theirs = Run(scipys, function, start, options.evaluations)
        own = Run(ours(options.history), function, start, options.evaluations)
        reached = np.nonzero(own.best <= theirs.best[-1])[0]
        needed.append((reached[0] + 1 if len(reached) else np.inf) / options.evaluations)
        ratios.append(own.best / theirs.best)
        shares.append((theirs.own, own.own))
        marks = [at - 1 for at in (25, 50, options.evaluations) if at <= options.evaluations]
        print(f"| {content_name} / {style_name} | {theirs.best[-1]:.4g} | {own.best[-1]:.4g} | {needed[-1]:.2f} | "
              + " ".join(f"{ratios[-1][mark]:.3f}" for mark in marks) + " |", flush=True)  # fmt: skip
    print(f"\nevaluations needed, geometric mean: {statistics.geometric_mean(needed):.3f}")
    print(f"worst of all pairs at equal evaluations from 10 on: {max(r[9:].max() for r in ratios):.3f} "
          f"(at the end: {max(r[-1] for r in ratios):.3f})")  # fmt: skip
    print(f"own milliseconds an evaluation: scipy {1e3 * min(a for a, _ in shares):.1f}, "
          f"ours {1e3 * min(b for _, b in shares):.1f}")  # fmt: skip
    for name, minimiser in (("scipy, m = 20", scipys), (f"ours, m = {options.history}", ours(options.history))):
        print(f"bytes a pixel, {name}: {bytes_a_pixel(minimiser, (256, 384, 3)):.0f}")


if __name__ == "__main__":
    main()
