"""The real thing beside a real peer: the work of the program neural-style-pt, written anew in PyTorch, to equal loss.

That program minimises Johnson's loss (``torch_twin.programs.Johnson``) by ``torch.optim.LBFGS``, without a line
search, with 100 pairs. Here both sides have the same network, loss, pictures and start; PyTorch makes its evaluations,
then ours runs until it has the loss that PyTorch ended with.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np

from minstyle import load_image, load_network
from minstyle.network.weightfile import read_weights
from minstyle.optimize.lbfgs import lbfgs
from minstyle.optimize.pyramid import PYRAMID
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.sizes import shapes_of
from minstyle.run.pictures import Pictures
from minstyle.style.objective import build_objective
from minstyle.weights.locate import find_weights

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def lines(size: int, evaluations: int) -> list[str]:
    """A Markdown table of both, at ``size`` pixels on the longer side; PyTorch makes so many evaluations."""
    import torch

    from torch_twin.programs import Johnson

    recipe = dataclasses.replace(RECIPES["johnson"], sizes=(size,), init="content")
    network = load_network("vgg19", device="cpu")
    pictures = Pictures.of(load_image(EXAMPLES / "cat.jpg"), [load_image(EXAMPLES / "swirls.jpg")], recipe, None, None)
    scaled = pictures.at(shapes_of(pictures.content.shape, recipe)[-1])
    start = scaled.content.astype(np.float32)
    objective = build_objective(scaled.content, scaled.styles, recipe, network)
    weights = read_weights(find_weights("vgg19"))
    twin = Johnson(weights, scaled.content, scaled.styles, dtype=torch.float32, layout=torch.channels_last)

    theirs = _peer(twin, start, evaluations)
    goal = min(loss for _, loss in theirs)
    began, found = time.perf_counter(), []

    def reached(x: np.ndarray, loss: float) -> bool:
        found.append((time.perf_counter() - began, loss))
        return loss <= goal

    lbfgs(objective, start, history=10, preconditioner=PYRAMID, evaluations=3 * evaluations, on_evaluation=reached)
    return [
        f"Johnson's loss of README's first pair, VGG19, {size} pixels, from the photograph; minstyle until it has the "
        "loss that PyTorch ended with:", "",
        "| | evaluations | loss | seconds |", "|---|---|---|---|",
        f"| neural-style-pt's work in PyTorch | {len(theirs)} | {goal:.4g} | {theirs[-1][0]:.1f} |",
        f"| minstyle | {len(found)} | {min(loss for _, loss in found):.4g} | {found[-1][0]:.1f} |",
    ]  # fmt: skip


def _peer(twin: object, start: np.ndarray, evaluations: int) -> list[tuple[float, float]]:
    """(seconds since the start, loss) of each evaluation of the program's optimiser."""
    import torch

    image = torch.tensor(start.copy(), requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [image], lr=1, max_iter=evaluations, max_eval=evaluations, history_size=100, tolerance_grad=-1,
        tolerance_change=-1,
    )  # fmt: skip
    told: list[tuple[float, float]] = []
    began = time.perf_counter()

    def closure() -> float:
        loss, gradient = twin(image.detach().numpy())  # type: ignore[operator]
        image.grad = torch.from_numpy(np.ascontiguousarray(gradient, dtype=np.float32))
        told.append((time.perf_counter() - began, float(loss)))
        return float(loss)

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return told
