"""What evaluations would have a device do, by the ledger of CuPy's double: launches, bytes, waits, copies.

    python -m tests.support.device_work [SIZE]

prints them for pictures of SIZE x SIZE pixels (512) and VGG19, as docs/explanation/benchmarks.md has them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from minstyle import RECIPES, build_objective
from minstyle.backend import choose_device
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights
from minstyle.recipe.other_terms import with_losses
from minstyle.recipe.recipe import Recipe
from minstyle.style.regions import Regions
from tests.support import cupy_double
from tests.support.cupy_double.ledger import Ledger
from tests.support.small import picture

KINDS: Mapping[str, Recipe] = {
    "fine": RECIPES["fine"],
    "gram": RECIPES["gram"],
    "document": RECIPES["document"],
    "histogram": with_losses(RECIPES["gram"], "style", {"histogram": None}),
    "wasserstein": with_losses(RECIPES["gram"], "style", {"wasserstein": None}),
}


def work(recipe: Recipe, weights: Weights, size: int, regions: Regions | None = None) -> Ledger:
    """The ledger of one evaluation; what the first of an objective computes once is not in it."""
    ledger = cupy_double.LEDGER
    ledger.dry = True
    try:
        return _work(recipe, weights, size, regions)
    finally:
        ledger.dry = False


def _work(recipe: Recipe, weights: Weights, size: int, regions: Regions | None) -> Ledger:
    with cupy_double.installed():
        network = Network(weights, choose_device("gpu"))
        objective = build_objective(picture(size, size, 1), [picture(size, size, 2)], recipe, network, regions)
        image = network.device.asarray(picture(size, size, 3))
        objective(image)
        with cupy_double.LEDGER.counting() as ledger:
            objective(image)
        if not ledger.launches["graph"]:  # the second was to be recorded, in vain
            with cupy_double.LEDGER.counting():
                objective(image)
    return ledger


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    weights = read_weights(Path("weights") / "vgg19.h5")
    print("| recipe | launches | GB | waits | bytes to the host |\n|---|---|---|---|---|")
    for name, recipe in KINDS.items():
        found = work(recipe, weights, size)
        gigabytes = found.bytes.total() / 1e9
        print(
            f"| {name} | {found.launches.total()} | {gigabytes:.1f} | {found.waits.total()} | {found.to_host.total()} |"
        )


if __name__ == "__main__":
    main()
