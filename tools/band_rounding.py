"""What float32 rounds, in whole and in bands: ``python tools/band_rounding.py [--write docs/howto/posters.md]``.

The gradient of one evaluation of three blurred noises, |g - g'| / |g'|: float32 in whole and in bands against float64,
and bands against whole. A rounding that turns a ReLU or a pooling's choice moves the gradient far more than a sum's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from marked import add_write
from minstyle import RECIPES, Network, build_objective, load_network

SHAPE, BANDS = (251, 187), 3


def picture(seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).uniform(0, 255, (*SHAPE, 3)), (2, 2, 0))
    levels: np.ndarray = (noise - noise.min()) / np.ptp(noise) * 255
    return levels.astype(np.float32)


def gradient(recipe: str, network: Network, bands: int) -> np.ndarray:
    content, style, image = map(picture, (1, 2, 3))
    objective = build_objective(content, [style], RECIPES[recipe], network, bands=bands)
    return np.asarray(objective.evaluate(image.astype(network.dtype)).gradient, np.float64)


def off(found: np.ndarray, expected: np.ndarray) -> str:
    return f"{np.linalg.norm(found - expected) / np.linalg.norm(expected):.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ["fine", "gram", "johnson", "crowson", "document"]
    parser.add_argument("--recipes", nargs="+", default=known, metavar="RECIPE")
    parser.add_argument("--network", default="vgg19")
    add_write(parser, "band rounding")
    options = parser.parse_args()
    single, double = (load_network(options.network, dtype=dtype) for dtype in ("float32", "float64"))
    heads = "| recipe | float32, whole | float32, bands | float32, bands against whole | float64, bands against whole |"
    lines = [heads, "|---|---|---|---|---|"]
    for recipe in options.recipes:
        whole, bands, exact, exact_bands = (
            gradient(recipe, net, count) for net in (single, double) for count in (0, BANDS)
        )
        cells = off(whole, exact), off(bands, exact), off(bands, whole), off(exact_bands, exact)
        lines.append(f"| {recipe} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if options.write:
        options.write.write("\n".join(lines))


if __name__ == "__main__":
    main()
