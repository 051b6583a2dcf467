"""Is it faster to draft with the small network and to finish with VGG? ``python training/draft_and_finish.py MINI VGG16
--pairs PHOTO:PAINTING ...``.

VGG16 alone paints each pair at two sizes, coarse to fine. Then the small network does, and VGG16 goes on at the last
size from its picture. Prints when each run reaches the loss that VGG16 alone ends with, and with half its evaluations.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from minstyle import load_image, load_network, stylize
from minstyle.run.observer import Observer, Step
from score_mini import add_pairs, recipe_for


class Losses(Observer):
    """(seconds, loss) of each evaluation at the last size, from the start of ``since``."""

    def __init__(self, size: int, since: float) -> None:
        self.size, self.since, self.found = size, since, []

    def step(self, step: Step) -> bool | None:
        if max(step.record.shape) == self.size and not step.ends_round:
            self.found.append((time.perf_counter() - self.since, step.record.loss))
        return None

    def until(self, loss: float) -> float:
        """The seconds until the loss is that low for the first time; infinity if never."""
        return next((seconds for seconds, value in self.found if value <= loss), np.inf)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pairs(parser)
    options = parser.parse_args()
    vgg, mini = (load_network(str(path), device="cpu") for path in (options.vgg16, options.mini))
    print("| photograph | painting | half-way: VGG16 alone | draft and finish | end: VGG16 alone | draft and finish |")
    print("|---|---|---|---|---|---|")
    for pair in options.pairs:
        content, style = (load_image(Path(part)) for part in pair.split(":"))
        recipe, _, _ = recipe_for(options, vgg, content, style)
        alone = Losses(options.size, time.perf_counter())
        stylize(content, [style], recipe, network=vgg, observers=[alone])
        drafted = Losses(options.size, time.perf_counter())
        draft = stylize(content, [style], recipe, network=mini)
        last = dataclasses.replace(recipe, sizes=recipe.sizes[-1:])
        stylize(content, [style], last, network=vgg, initial=draft.image, observers=[drafted])
        best = np.minimum.accumulate([loss for _, loss in alone.found])
        row = [run.until(loss) for loss in (best[len(best) // 2], best[-1]) for run in (alone, drafted)]
        names = " | ".join(Path(part).stem for part in pair.split(":"))
        print(f"| {names} | " + " | ".join("never" if s == np.inf else f"{s:.1f} s" for s in row) + " |", flush=True)


if __name__ == "__main__":
    main()
