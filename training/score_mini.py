"""How well a small network stands in for VGG: ``python training/score_mini.py MINI VGG16 --pairs PHOTO:PAINTING ...``.

Each pair is painted with both networks under the same recipe and number of evaluations. The score of a picture is the
mean over block1..5_conv1 of |G - A|^2 / |A|^2 as VGG16 sees it, G its Gram matrix over its positions, A the painting's.
The recipe "balanced" makes exactly that small: its style terms have these weights, so that a layer that VGG sees and
the small network does not cannot hide behind another. Prints a table and the geometric mean of the ratios; with
--layers then what the score is the mean of, as VGG16 sees it, as the small network believes it of its own picture, and
how the small network sees VGG16's picture, which is better. --without leaves style terms out of "balanced": a layer
without which the score is no worse is no help. Writes photograph, painting and both pictures side by side into --out.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image

from minstyle import RECIPES, Recipe, load_image, load_network, stylize
from minstyle.images import resize
from minstyle.network.layers import CHANNELS
from minstyle.network.projection import gram
from minstyle.network.vgg import Network
from minstyle.recipe.sizes import fitted_shape, working_shape
from minstyle.recipe.terms import Term

LAYERS = [f"block{i}_conv1" for i in range(1, 6)]
CONTENT_LAYER, CONTENT_SHARE = "block4_conv2", 0.05  # of the balanced recipe


def grams(network: Network, image: np.ndarray) -> dict[str, np.ndarray]:
    return {name: gram(f) / (f.shape[0] * f.shape[1]) for name, f in network.walk(image, LAYERS)}


def errors(network: Network, image: np.ndarray, style: np.ndarray) -> list[float]:
    """|G - A|^2 / |A|^2 at each of LAYERS, as the network sees it; the score is their mean."""
    found, wanted = grams(network, image), grams(network, style)
    return [float(((found[n] - wanted[n]) ** 2).sum() / (wanted[n] ** 2).sum()) for n in LAYERS]


def balanced(judge: Network, content: np.ndarray, style: np.ndarray, without: Collection[str] = ()) -> Recipe:
    """The recipe whose loss is the score, plus a twentieth of the content's relative error |F - P|^2 / |P|^2.

    Style terms at the layers ``without`` are left out.
    """
    p = judge.features(content, [CONTENT_LAYER])[CONTENT_LAYER]
    terms = [Term("content_half", CONTENT_LAYER, CONTENT_SHARE * 2 / float(judge.unit**2 * (p**2).sum()))]
    for (name, a), channels in zip(grams(judge, style).items(), CHANNELS, strict=True):
        # A gram_paper term is unit^4 sum (G - A)^2 / (4 C^2): see losses.
        weight = 4 * channels**2 / float(judge.unit**4 * (a**2).sum()) / len(LAYERS)
        if name not in without:
            terms.append(Term("gram_paper", name, weight))
    return dataclasses.replace(
        RECIPES["gatys"], name="balanced", terms=tuple(terms), style_weight=1.0, pooling="max", tv_weight=0.0
    )


def recipe_for(
    options: argparse.Namespace, judge: Network, content: np.ndarray, style: np.ndarray
) -> tuple[Recipe, np.ndarray, np.ndarray]:
    """The recipe in two sizes, and content and style at the last."""
    recipe = RECIPES["gatys" if options.recipe == "balanced" else options.recipe]
    recipe = dataclasses.replace(recipe, size_of="long")
    shape = working_shape(content.shape, options.size, recipe)
    small, fitted = resize(content, *shape), resize(style, *fitted_shape(style.shape, shape, recipe))
    if options.recipe == "balanced":
        recipe = balanced(judge, small, fitted, options.without)
    elif options.without:
        raise SystemExit(f"--without is for the recipe balanced, got {options.recipe}")
    sizes, evaluations = (options.size // 2, options.size), options.evaluations
    recipe = dataclasses.replace(
        recipe, sizes=sizes, size_of="long", rounds=1, init="content", evaluations=evaluations, factr=0.0, pgtol=0.0
    )
    return recipe, small, fitted


def add_pairs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mini", type=Path)
    parser.add_argument("vgg16", type=Path)
    parser.add_argument("--pairs", nargs="+", required=True, metavar="PHOTO:PAINTING")
    parser.add_argument("--recipe", choices=("balanced", *RECIPES), default="balanced")
    parser.add_argument("--size", type=int, default=320, help="pixels of the longer side, after half of it")
    parser.add_argument("--evaluations", type=int, default=43, help="at each of the two sizes")
    parser.add_argument(
        "--without", nargs="+", choices=LAYERS, default=[], metavar="LAYER", help="no style there in balanced"
    )


def beside(pictures: list[np.ndarray], path: Path) -> None:
    """Write pictures side by side, at the first one's height."""
    height = pictures[0].shape[0]
    row = [resize(p, height, round(p.shape[1] * height / p.shape[0])) for p in pictures]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(np.clip(np.concatenate(row, axis=1), 0, 255)).astype(np.uint8)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pairs(parser)
    parser.add_argument("--layers", action="store_true", help="errors of the single layers, after the table")
    parser.add_argument("--out", type=Path, help="a folder for the pictures")
    options = parser.parse_args()
    vgg, mini = (load_network(str(path), device="cpu") for path in (options.vgg16, options.mini))
    ratios, layers = [], []
    print("| photograph | painting | photograph itself | VGG16 | seconds | mini | seconds | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for pair in options.pairs:
        photograph, painting = (Path(part) for part in pair.split(":"))
        content, style = load_image(photograph), load_image(painting)
        recipe, small, fitted = recipe_for(options, vgg, content, style)
        row, scores, pictures = [f"{np.mean(errors(vgg, small, fitted)):.3f}"], [], [small, fitted]
        for painter, network in (("VGG16", vgg), ("mini", mini)):
            start = time.perf_counter()
            pictures.append(stylize(content, [style], recipe, network=network).image)
            seconds = time.perf_counter() - start
            seen = {name: errors(viewer, pictures[-1], fitted) for name, viewer in (("VGG16", vgg), ("mini", mini))}
            scores.append(np.mean(seen["VGG16"]))
            row += [f"{scores[-1]:.3f}", f"{seconds:.0f}"]
            layers += [[photograph.stem, painting.stem, painter, name, *(f"{e:.3f}" for e in es)]
                       for name, es in seen.items()]  # fmt: skip
        ratios.append(scores[1] / scores[0])
        print_row(photograph.stem, painting.stem, *row, f"{ratios[-1]:.2f}")
        if options.out:
            beside(pictures, options.out / f"{photograph.stem}_{painting.stem}.png")
    print(f"geometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.2f}")
    if options.layers:
        print()
        print_row("photograph", "painting", "picture by", "seen by", *LAYERS)
        print("|---" * 9 + "|")
        for row in layers:
            print_row(*row)


def print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
