"""Objectives and runs against PyTorch autograd. Prints the differences (pytest -s, or in the summary of CI)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from minstyle.backend import CPU
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.optimize.scipy_lbfgs import scipy_lbfgs
from minstyle.recipe.presets import RECIPES
from minstyle.style.objective import build_objective
from tests.support.small import picture, random_weights

torch = pytest.importorskip("torch")
from torch_twin.programs import TWINS  # noqa: E402 (only where PyTorch is)

SIZES = [(48, 64), (53, 71)]


@pytest.fixture(scope="module")
def vgg19_random() -> Weights:
    """VGG19 at its full width."""
    return random_weights("vgg19", (64, 128, 256, 512, 512))


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def write(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="")

    return write


def relative(a: Any, b: Any) -> float:
    return float(np.linalg.norm(np.ravel(a) - np.ravel(b)) / np.linalg.norm(np.ravel(b)))


def decisions(network: Network, recipe: str, image: np.ndarray) -> list[np.ndarray]:
    """Every yes and no on the way through the network: which activations are above 0, which of four is the largest."""
    pooling = RECIPES[recipe].pooling
    found = network.features(image.astype(network.dtype), network.layers, pooling=pooling)
    signs = [f > 0 for f in found.values()]
    corners = [np.stack([f[i : f.shape[0] // 2 * 2 : 2, j : f.shape[1] // 2 * 2 : 2] for i in (0, 1) for j in (0, 1)])
               for name, f in found.items() if "conv" in name and pooling == "max"]  # fmt: skip
    return signs + [corner.argmax(axis=0) for corner in corners]


def picture_off_kinks(recipe: str, size: tuple[int, int], *networks: Network) -> np.ndarray:
    """A picture for which the networks decide alike. Where an activation is 0 to seven digits the gradient has a jump,
    on either side of which two types may fall: there they say nothing of one another.
    """
    for seed in range(3, 30):
        image = picture(*size, seed).astype(np.float64)
        ways = [decisions(network, recipe, image) for network in networks]
        if all(np.array_equal(a, b) for a, b in zip(*ways, strict=True)):
            return image
    raise AssertionError("no picture off the kinks")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("recipe", ["document", "gatys"])
@pytest.mark.parametrize("network", ["vgg19_random", "real_weights"])
def test_loss_and_gradient_equal_those_of_pytorch(
    network: str, recipe: str, size: tuple[int, int], request: pytest.FixtureRequest, report: Callable[[str], None]
) -> None:
    weights = request.getfixturevalue(network)
    content, style = (picture(*size, seed).astype(np.float64) for seed in (1, 2))
    image = picture_off_kinks(recipe, size, *(Network(weights, CPU, dtype) for dtype in (np.float64, np.float32)))
    twin_loss, twin_gradient = TWINS[recipe](weights, content, [style])(image)
    for dtype, loss_limit, gradient_limit in ((np.float64, 1e-10, 1e-9), (np.float32, 2e-5, 2e-5)):
        objective = build_objective(content, [style], RECIPES[recipe], Network(weights, CPU, dtype))
        loss, gradient = objective(image)
        errors = relative(loss, twin_loss), relative(gradient, twin_gradient)
        report(
            f"{network} {recipe} {size[1]}x{size[0]} {dtype.__name__}: loss {errors[0]:.1e}, gradient {errors[1]:.1e}"
        )
        assert gradient.dtype == dtype
        assert errors[0] < loss_limit
        assert errors[1] < gradient_limit


@pytest.mark.parametrize("recipe", ["document", "gatys"])
def test_scipy_takes_the_same_path_as_with_pytorch(
    recipe: str, real_weights: Weights, report: Callable[[str], None]
) -> None:
    content, style = picture(48, 64, 1).astype(np.float64), picture(48, 64, 2).astype(np.float64)
    start = np.random.default_rng(0).uniform(0, 255, content.shape)
    twin = TWINS[recipe](real_weights, content, [style])
    objective = build_objective(content, [style], RECIPES[recipe], Network(real_weights, CPU, np.float64))
    ours: list[float] = []
    theirs: list[float] = []
    scipy_lbfgs(objective, start, evaluations=12, on_evaluation=lambda x, loss: ours.append(loss))

    def twin_of_vector(vector: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = twin(vector.reshape(start.shape))
        theirs.append(loss)
        return loss, gradient.ravel()

    minimize(twin_of_vector, start.ravel(), jac=True, method="L-BFGS-B", options={"maxfun": 12, "maxcor": 10})
    difference = max(abs(a / b - 1) for a, b in zip(ours[:10], theirs[:10], strict=True))
    report(f"{recipe}: first 10 losses {ours[0]:.4g} .. {ours[9]:.4g}, largest difference {difference:.1e}")
    assert len(ours) >= 10
    assert difference < 1e-6
