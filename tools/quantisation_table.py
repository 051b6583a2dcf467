"""What kernels of few bits cost: ``python tools/quantisation_table.py [--pictures DIR] [--bits 8 6 5]``.

A network in float32 (VGG16: ``python -m minstyle.weights fetch vgg16``) beside itself with quantised kernels, on pairs
of pictures: the relative error of the features at each layer, |f' - f| / |f| in the 2-norm, of the photograph or of the
painting, whichever is worse; the cosine between the two gradients of johnson's loss at the photograph; and the style
error of a picture painted with either, both seen by the exact network: the ratio of their style losses. Medians and
worst of the pairs, as a table in Markdown.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from minstyle import RECIPES, load_image, stylize
from minstyle.images import resize
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights
from minstyle.recipe.sizes import fitted_shape, working_shape
from minstyle.style.objective import Objective, build_objective
from minstyle.weights.locate import find_weights
from minstyle.weights.quantise import quantise

LAYERS = (*(f"block{i}_conv1" for i in range(1, 6)), "block4_conv2", "block5_conv2")
PAIRS = (
    ("tubingen", "starry_night"), ("lion", "kandinsky_composition_vii"), ("golden_gate", "great_wave"),
    ("taj_mahal_2400", "monet_san_giorgio"), ("tubingen", "great_wave"), ("golden_gate", "starry_night"),
)  # fmt: skip


def quantised(weights: Weights, bits: int) -> Weights:
    """The same network with kernels of 2^bits numbers a layer."""
    layers = {}
    for name, (kernel, bias) in weights.layers.items():
        codes, codebook = quantise(kernel, bits)
        layers[name] = (codebook[codes], bias)
    return dataclasses.replace(weights, layers=layers, codes={})


def feature_errors(exact: Network, other: Network, images: list[np.ndarray]) -> list[float]:
    """The relative error at each of LAYERS, the largest of the images."""
    errors = []
    for image in images:
        one, two = (network.features(image, LAYERS) for network in (exact, other))
        errors.append([float(np.linalg.norm(two[n] - one[n]) / np.linalg.norm(one[n])) for n in LAYERS])
    return [max(of_layer) for of_layer in zip(*errors, strict=True)]


def style_loss(objective: Objective, image: np.ndarray) -> float:
    return sum(loss for term, loss in objective.evaluate(image).terms.items() if term.startswith("gram"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pictures", type=Path, required=True, help="a folder with content/NAME.jpg and style/NAME.jpg"
    )
    parser.add_argument("--network", default="vgg16", help="a network in float32 (default: vgg16)")
    parser.add_argument("--weights-dir", type=Path, help="a folder to look for weights in first")
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 6, 5])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--evaluations", type=int, default=60)
    options = parser.parse_args()
    weights = read_weights(find_weights(options.network, options.weights_dir))
    exact = Network(weights)
    recipe = dataclasses.replace(RECIPES["johnson"], sizes=(options.size,), evaluations=(options.evaluations,),
                                 init="content", history=20)  # fmt: skip
    print(f"{options.size} pixels, {options.evaluations} evaluations, {len(PAIRS)} pairs: median (worst)\n")
    print("| bits | " + " | ".join(LAYERS) + " | 1 - cosine of gradients | style error |")
    print("|---" * (len(LAYERS) + 3) + "|")
    painted: dict[int, float] = {}
    for bits in options.bits:
        other, rows = Network(quantised(weights, bits)), []
        for number, (content_name, style_name) in enumerate(PAIRS):
            content = load_image(options.pictures / "content" / f"{content_name}.jpg")
            style = load_image(options.pictures / "style" / f"{style_name}.jpg")
            shape = working_shape(content.shape, options.size, recipe)
            small = resize(content, *shape), resize(style, *fitted_shape(style.shape, shape, recipe))
            objective, approximate = (build_objective(small[0], [small[1]], recipe, n) for n in (exact, other))
            g, h = (np.ravel(function(small[0])[1]).astype(np.float64) for function in (objective, approximate))
            if number not in painted:
                painted[number] = style_loss(objective, stylize(content, [style], recipe, network=exact).image)
            made = style_loss(objective, stylize(content, [style], recipe, network=other).image)
            cosine = float(g @ h / np.sqrt((g @ g) * (h @ h)))
            rows.append([*feature_errors(exact, other, list(small)), 1 - cosine, made / painted[number]])
        middle, worst = np.median(rows, axis=0), np.max(rows, axis=0)
        cells = [f"{m:.2%} ({w:.2%})" for m, w in zip(middle[:-2], worst[:-2], strict=True)]
        cells += [f"{middle[-2]:.1e} ({worst[-2]:.1e})", f"{middle[-1]:.3f} ({worst[-1]:.3f})"]
        print(f"| {bits} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
