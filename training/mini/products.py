"""Style transfers with the student: pictures that it believes to be good, on their way there.

They are made as those that it is judged by: with minstyle's own engine and optimiser, at two sizes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from minstyle import RECIPES, Recipe, stylize
from minstyle.network.layers import CHANNELS
from minstyle.network.projection import gram
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.recipe.recipe import Term
from minstyle.run.observer import Observer, Step

from .crops import Crops
from .networks import TAPS

CONTENT = "block4_conv2"
STYLE = [name for name in TAPS if name.endswith("conv1")]


class Moments(Observer):
    """Keeps the best picture at some evaluations of the last size."""

    def __init__(self, size: int, evaluations: list[int]) -> None:
        self.size, self.evaluations, self.kept, self.seen = size, evaluations, [], 0

    def step(self, step: Step) -> None:
        if step.record.shape[0] == self.size and not step.ends_round:
            self.seen += 1
            if self.seen in self.evaluations:
                self.kept.append(step.image().astype(np.float32))


def products(weights: Weights, crops: Crops, runs: int) -> Iterator[np.ndarray]:
    """Of each of ``runs`` transfers three pairs: the finished picture and its style, a moment on the way there and the
    style, another moment and the photograph."""
    network, random = Network(weights), crops.random
    for _ in range(runs):
        content = crops.of(crops.photos, crops.size).astype(np.float32)
        style = (crops.of(crops.art, crops.size) if random.random() < 0.8 else next(crops)).astype(np.float32)
        evaluations = int(random.integers(15, 44))
        recipe = dataclasses.replace(balanced(network, content, style, random), evaluations=evaluations)
        initial = crops.made() if random.random() < 0.15 else content
        moments = Moments(crops.size, [int(v) for v in random.integers(2, evaluations - 2, 2)])
        last = stylize(np.clip(content, 0, 255), [np.clip(style, 0, 255)], recipe, network=network,
                       initial=np.clip(initial, 0, 255), observers=[moments]).image  # fmt: skip
        on_the_way = [*moments.kept, last, last][:2]  # it may have ended before they came, or they are one
        yield from (last, style, on_the_way[0], style, on_the_way[1], content)


def balanced(network: Network, content: np.ndarray, style: np.ndarray, random: np.random.Generator) -> Recipe:
    """A recipe in which every layer's relative error counts about alike, each at random more or less."""
    p = network.features(content, [CONTENT])[CONTENT]
    share = 10 ** random.uniform(-2.5, -0.7)
    terms = [Term("content_half", CONTENT, share * 2 / float(network.unit**2 * (p**2).sum()))]
    for (name, f), channels in zip(network.walk(style, STYLE), CHANNELS, strict=True):
        a = gram(f) / (f.shape[0] * f.shape[1])
        weight = 10 ** random.uniform(-0.4, 0.4) * 4 * channels**2 / float(network.unit**4 * (a**2).sum())
        terms.append(Term("gram_paper", name, weight / len(STYLE)))
    size = content.shape[0]
    return dataclasses.replace(
        RECIPES["gatys"], name="balanced", terms=tuple(terms), style_weight=1.0, pooling="max", tv_weight=0.0,
        sizes=(size // 2, size), rounds=1, init="content",
    )  # fmt: skip
