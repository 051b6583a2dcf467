"""The recipe gram on real pictures: ``python tools/default_table.py --pictures FOLDER --out DIR [--ways ...]``.

Six pairs of photographs and paintings, painted by ``gram`` in several ways: ``vgg19``, as the command does
it, the small network first; ``whole``, VGG19 at every size; ``mini``, the small one alone; ``scipy``, VGG19 at every
size by scipy's L-BFGS-B, as ``gram`` was once. All are judged by VGG19: the loss of ``gram`` at its last size, and what
is left of each layer's style and of the content, |G - A|^2 / |A|^2 and |F - P|^2 / |P|^2. Prints a Markdown table, and
writes the pictures of each pair side by side.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

from minstyle import load_image, load_network, save_image, stylize
from minstyle.images.grid import grid
from minstyle.recipe.presets import RECIPES
from quantisation_table import PAIRS
from recipe_table import LAYERS, judge_of, shares

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "vgg19": ("vgg19", {}),
    "whole": ("vgg19", {"draft": "none"}),
    "mini": ("mini", {}),
    "scipy": ("vgg19", {"optimizer": "scipy", "detail": 0.0, "draft": "none", "evaluations": (150, 130, 130)}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with content/NAME.jpg, style/NAME.jpg")
    parser.add_argument("--out", type=Path, required=True, help="a folder for pictures")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=["vgg19", "mini"])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--evaluations", type=int, nargs="+", help="at each size, of all ways but scipy's")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    gram = dataclasses.replace(RECIPES["gram"], sizes=(options.size,))
    if options.evaluations:
        gram = dataclasses.replace(gram, evaluations=tuple(options.evaluations))
    networks = {name: load_network(name, device="cpu") for name in ("vgg19", "mini")}
    print("| pair | way | seconds | evaluations | loss of gram | " + " | ".join(LAYERS) + " | content |")
    print("|" + "---|" * (len(LAYERS) + 6))
    for content_name, style_name in PAIRS:
        content = load_image(options.pictures / "content" / f"{content_name}.jpg")
        style = load_image(options.pictures / "style" / f"{style_name}.jpg")
        judge = judge_of(gram, content, style, options.size, networks["vgg19"])
        shown = [("photograph", content), ("painting", style)]
        for way in options.ways:
            network, changes = WAYS[way]
            began = time.perf_counter()
            result = stylize(content, [style], dataclasses.replace(gram, **changes), network=networks[network],
                             draft=networks["mini"])  # fmt: skip
            seconds = time.perf_counter() - began
            left = " | ".join(f"{x:.4f}" for x in shares(content, style, options.size, networks["vgg19"], result.image))
            print(f"| {content_name}, {style_name} | {way} | {seconds:.0f} | {result.evaluations} "
                  f"| {judge(result.image)[0]:.4g} | {left} |", flush=True)  # fmt: skip
            shown.append((way, result.image))
            save_image(result.image, options.out / f"{content_name}_{style_name}_{way}.png")
        save_image(grid(shown, height=384), options.out / f"sheet_{content_name}_{style_name}.png")


if __name__ == "__main__":
    main()
