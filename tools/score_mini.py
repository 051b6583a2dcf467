"""How well a small network stands in for VGG: ``python tools/score_mini.py MINI VGG16 --pairs PHOTO:PAINTING ...``.

Each pair is painted with both networks under the same recipe and number of evaluations. The score of a picture is the
mean over block1..5_conv1 of |G - A|^2 / |A|^2 as VGG16 sees it, G its Gram matrix over its positions, A the painting's.
Prints a table, the geometric mean of the ratios, and writes the pictures side by side into --out.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
from PIL import Image

from minstyle import RECIPES, load_image, load_network, stylize
from minstyle.images import resize
from minstyle.projection import gram
from minstyle.stylize import fitted_shape, working_shape
from minstyle.vgg import Network

LAYERS = [f"block{i}_conv1" for i in range(1, 6)]


def grams(network: Network, image: np.ndarray) -> dict[str, np.ndarray]:
    return {name: gram(f) / (f.shape[0] * f.shape[1]) for name, f in network.walk(image, LAYERS)}


def score(network: Network, image: np.ndarray, style: np.ndarray) -> float:
    found, wanted = grams(network, image), grams(network, style)
    return float(np.mean([((found[n] - wanted[n]) ** 2).sum() / (wanted[n] ** 2).sum() for n in LAYERS]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mini", type=Path)
    parser.add_argument("vgg16", type=Path)
    parser.add_argument("--pairs", nargs="+", required=True, metavar="PHOTO:PAINTING")
    parser.add_argument("--size", type=int, default=320, help="pixels of the longer side, after half of it")
    parser.add_argument("--evaluations", type=int, default=43, help="at each of the two sizes")
    parser.add_argument("--out", type=Path, help="a folder for the pictures")
    options = parser.parse_args()
    judge = load_network(str(options.vgg16), device="cpu")
    recipe = dataclasses.replace(
        RECIPES["document"], sizes=(options.size // 2, options.size), size_of="long", rounds=1, init="content",
        evaluations=options.evaluations,
    )  # fmt: skip
    ratios = []
    print("| photograph | painting | photograph itself | VGG16 | seconds | mini | seconds | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for pair in options.pairs:
        paths = [Path(part) for part in pair.split(":")]
        content, style = (load_image(path) for path in paths)
        shape = working_shape(content.shape, options.size, recipe)
        small, fitted = resize(content, *shape), resize(style, *fitted_shape(style.shape, shape, recipe))
        found, pictures = [], [small, fitted]
        for path in (options.vgg16, options.mini):
            start = time.perf_counter()
            result = stylize(content, [style], recipe, network=load_network(str(path), device="cpu"))
            found += [score(judge, result.image, fitted), time.perf_counter() - start]
            pictures.append(result.image)
        ratios.append(found[2] / found[0])
        own = score(judge, small, fitted)
        print(f"| {paths[0].stem} | {paths[1].stem} | {own:.3f} | {found[0]:.3f} | {found[1]:.0f} | {found[2]:.3f} | "
              f"{found[3]:.0f} | {ratios[-1]:.2f} |", flush=True)  # fmt: skip
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            row = np.concatenate([np.clip(p, 0, 255) for p in pictures], axis=1)
            Image.fromarray(np.rint(row).astype(np.uint8)).save(options.out / f"{paths[0].stem}_{paths[1].stem}.png")
    print(f"geometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.2f}")


if __name__ == "__main__":
    main()
