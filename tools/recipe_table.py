"""Recipes compared: ``python tools/recipe_table.py --pairs PHOTO:PAINTING ... --recipes fine johnson``.

Every recipe runs at one size. A run of johnson at that size alone is what others are measured by: when do their
pictures have the loss, as johnson counts it, that it ends with, and what loss has johnson itself after as many seconds
as the recipe took ("its own then")? Losses are in parts of the one at johnson's end. Seconds are the process's own
processor time, over all cores, without what the measuring takes; work is evaluations times pixels: the two say nearly
the same on a machine that is busy otherwise. Prints a table, and writes all pictures of a pair side by side into --out,
where the runs of johnson are kept for the next time. Pictures are resized in one way for all: targets of other
sharpness do not compare.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from minstyle import Recipe, load_image, load_network, save_image, stylize
from minstyle.images.grid import grid
from minstyle.job.recipefile import named_recipe
from minstyle.job.variants import parse_variant
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.sizes import working_shape
from minstyle.recipe.terms import Term
from minstyle.run.observer import Observer, Plan, Step
from minstyle.run.pictures import Pictures
from minstyle.style.objective import Objective, build_objective

LAYERS = [f"block{i}_conv1" for i in range(1, 6)]


@dataclass
class Watch(Observer):
    """(processor seconds, work, johnson's loss) of the picture, every few evaluations at the last size.

    Work is counted in evaluations at that size.
    """

    judge: Objective
    every: int
    found: list[tuple[float, float, float]] = field(default_factory=list)
    apart: float = 0.0  # seconds that the measuring took
    work: float = 0.0

    def start(self, plan: Plan) -> None:
        self.began = time.process_time()

    def step(self, step: Step) -> None:
        height, width, _ = self.judge.shape
        self.work += 0 if step.ends_round else step.record.shape[0] * step.record.shape[1] / (height * width)
        if step.record.shape == (height, width) and (step.record.evaluation % self.every == 0 or step.ends_round):
            before = time.process_time()
            loss, _ = self.judge(step.image())
            self.apart += time.process_time() - before
            self.found.append((time.process_time() - self.began - self.apart, self.work, loss))


def judge_of(recipe: Recipe, content: np.ndarray, style: np.ndarray, size: int, network: Network) -> Objective:
    recipe = replace(recipe, sizes=(size,), resample="lanczos")
    shape = working_shape(content.shape, size, replace(recipe, size_of="long"))
    working = Pictures(content, (style,), recipe).at(shape)
    return build_objective(working.content, working.styles, recipe, network)


def shares(content: np.ndarray, style: np.ndarray, size: int, network: Network, image: np.ndarray) -> list[float]:
    """What is left of each layer's style, in parts of it, and of the content: |G - A|^2 / |A|^2, |F - P|^2 / |P|^2."""
    terms = [Term("gram_relative", layer) for layer in LAYERS] + [Term("content_relative", "block4_conv2")]
    recipe = replace(RECIPES["johnson"], terms=tuple(terms), content_weight=1.0, style_weight=1.0, white=255.0)
    return list(judge_of(recipe, content, style, size, network).evaluate(image).terms.values())


def run(recipe: Recipe, content: np.ndarray, style: np.ndarray, options: Any, network: Network) -> dict[str, Any]:
    recipe = replace(recipe, sizes=(options.size,), size_of="long", resample="lanczos")
    judge = judge_of(RECIPES["johnson"], content, style, options.size, network)
    watch = Watch(judge, options.every)
    result = stylize(content, [style], recipe, network=network, observers=[watch])
    left = shares(content, style, options.size, network, result.image)
    return dict(image=result.image, trace=watch.found, evaluations=result.evaluations, left=left)


def baseline(paths: list[Path], pictures: list[np.ndarray], options: Any, network: Network) -> dict[str, Any]:
    """The run of johnson at one size, from the folder if it is there."""
    name = "_".join(path.stem for path in paths) + f"_{options.size}_{options.against}_{options.history}"
    name += f"_{Path(options.network).stem}"  # mini is called vgg19 in its file
    kept, image = options.out / f"{name}.json", options.out / f"{name}.png"
    if kept.exists():
        return json.loads(kept.read_text()) | {"image": load_image(image)}
    recipe = replace(RECIPES["johnson"], evaluations=(options.against,), history=options.history)
    found = run(recipe, *pictures, options, network)
    save_image(found["image"], image)
    kept.write_text(json.dumps({key: value for key, value in found.items() if key != "image"}))
    return found


def row(label: str, found: dict[str, Any], base: list[tuple[float, float, float]]) -> str:
    (seconds, _, loss), goal = found["trace"][-1], base[-1]
    then = np.interp(seconds, *zip(*((s, j) for s, _, j in base), strict=True))  # johnson's own, after as long
    first = next(((s / goal[0], w / goal[1]) for s, w, j in found["trace"] if j <= goal[2]), None)
    reached = "- | -" if first is None else f"{first[0]:.2f} | {first[1]:.2f}"
    left = " | ".join(f"{value:.4f}" for value in found["left"])
    losses = f"{loss / goal[2]:.3f} | {then / goal[2]:.3f}"
    return f"| {label} | {left} | {found['evaluations']} | {seconds:.0f} | {losses} | {reached} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", required=True, metavar="PHOTO:PAINTING")
    parser.add_argument("--recipes", nargs="+", default=["fine"], metavar="RECIPE",
                        help="names, files, or variants as in fine:style_weight=300")  # fmt: skip
    parser.add_argument("--network", default="vgg16")
    parser.add_argument("--size", type=int, default=512, help="pixels on the longer side")
    parser.add_argument("--every", type=int, default=5, help="evaluations between measurements")
    parser.add_argument("--against", type=int, default=500, metavar="N", help="evaluations of johnson")
    parser.add_argument("--history", type=int, default=10, metavar="M", help="pairs that johnson's L-BFGS remembers; "
                        "with its own 100 scipy takes longer than the network")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="a folder for pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    network = load_network(options.network, device="cpu")
    print("| recipe | " + " | ".join(LAYERS) + " | content | evaluations | seconds | johnson's loss "
          "| its own then | reached after (of its seconds) | (of its work) |")  # fmt: skip
    print("|" + "---|" * (len(LAYERS) + 8))
    for pair in options.pairs:
        paths = [Path(part) for part in pair.split(":")]
        pictures = [load_image(path) for path in paths]
        base = baseline(paths, pictures, options, network)
        print(f"| **{paths[0].stem}, {paths[1].stem}** " + "| " * (len(LAYERS) + 7) + "|")
        print(row("johnson, one size", base, base["trace"]), flush=True)
        shown = [("content", pictures[0]), ("style", pictures[1]), ("johnson", base["image"])]
        for text in options.recipes:
            label, recipe = (Path(text).stem, named_recipe(text)) if text.endswith(".json") else parse_variant(text)
            found = run(recipe, *pictures, options, network)
            print(row(label, found, base["trace"]), flush=True)
            shown.append((label, found["image"]))
            save_image(found["image"], options.out / f"{paths[0].stem}_{paths[1].stem}_{label.replace(':', '_')}.png")
        save_image(grid(shown, height=384), options.out / f"sheet_{paths[0].stem}_{paths[1].stem}.png")


if __name__ == "__main__":
    main()
