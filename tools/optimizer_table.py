"""Our L-BFGS beside scipy's, on real pictures: ``python tools/optimizer_table.py --pictures FOLDER``.

Six pairs of photographs and paintings, one recipe at one size, from the same start. scipy's L-BFGS-B remembers 20
pairs, ours ``--history``. Prints a Markdown table: the loss that each has at the end, the evaluations that ours needs
for the loss that scipy ends with, in parts of all, and ours over scipy's loss after 25, 50, and all evaluations; then
each one's peak of memory a pixel. (Their own time: ``tools/bench.py --parts``.)
"""

from __future__ import annotations

import argparse
import statistics
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
from minstyle.recipe.presets import RECIPES
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


def lowest_losses(minimiser: Minimiser, objective: Function, start: np.ndarray, evaluations: int) -> np.ndarray:
    """The lowest loss up to each evaluation."""
    losses: list[float] = []

    def tell(x: np.ndarray, loss: float) -> bool:
        losses.append(loss)
        return len(losses) >= evaluations

    minimiser(objective, start, evaluations, tell)
    return np.minimum.accumulate(losses)


def bytes_a_pixel(minimiser: Minimiser, shape: tuple[int, ...]) -> float:
    """The optimiser's peak with a history that is full, beside x0 and gradients that it does not own."""
    start = np.zeros(shape, np.float32)
    spare = [np.empty_like(start) for _ in range(4)]
    weights = np.linspace(1, 50, start.size, dtype=np.float32).reshape(shape)
    count = 0

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count
        count += 1
        away = np.subtract(x, 100, out=spare[3])
        g = np.multiply(away, weights, out=spare[count % 3])
        return float(np.vdot(g, away)) / 2, g

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
    recipe = replace(RECIPES[options.recipe], sizes=(options.size,), scales=1, init="content", draft="none")
    needed, ratios = [], []
    marks = [at - 1 for at in (25, 50, options.evaluations) if at <= options.evaluations]
    print("| pair | scipy's loss | ours | evaluations for scipy's loss | ours / scipy's after "
          + ", ".join(str(mark + 1) for mark in marks) + " |\n|---|---|---|---|---|")  # fmt: skip
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
        theirs = lowest_losses(scipys, function, start, options.evaluations)
        own = lowest_losses(ours(options.history), function, start, options.evaluations)
        reached = np.nonzero(own <= theirs[-1])[0]
        needed.append((reached[0] + 1 if len(reached) else np.inf) / options.evaluations)
        ratios.append(own / theirs)
        print(f"| {content_name} / {style_name} | {theirs[-1]:.4g} | {own[-1]:.4g} | {needed[-1]:.2f} | "
              + " ".join(f"{ratios[-1][mark]:.3f}" for mark in marks) + " |", flush=True)  # fmt: skip
    print(f"\nevaluations needed, geometric mean: {statistics.geometric_mean(needed):.3f}")
    print(f"worst of all pairs at equal evaluations from 10 on: {max(r[9:].max() for r in ratios):.3f} "
          f"(at the end: {max(r[-1] for r in ratios):.3f})")  # fmt: skip
    for name, minimiser in (("scipy, m = 20", scipys), (f"ours, m = {options.history}", ours(options.history))):
        print(f"bytes a pixel, {name}: {bytes_a_pixel(minimiser, (256, 384, 3)):.0f}")


if __name__ == "__main__":
    main()
