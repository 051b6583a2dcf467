"""Train the small network that comes with minstyle: ``python tools/train_mini.py --teacher vgg16.h5 --pictures DIR``.

A thin VGG19 (the student) learns to give VGG16's features (the teacher's) at the layers that losses read, in the
teacher's leading principal coordinates: first by layer-wise regression (``mini/start.py``: it makes batch normalisation
needless), then all blocks by gradient descent, then the later blocks alone, from many more crops. Each round adds
products of style transfers by the student itself, which exploit its mistakes. Everything is in --work, so that the
command can be stopped and goes on at the stage or round where it was. ``score_mini.py`` says how good the result is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mini.crops import Crops
from mini.networks import TAPS, Student, Teacher, gram, relative, to_input
from mini.pool import Pool
from mini.products import products
from mini.start import start

from minstyle.files import replacing
from minstyle.weightfile import read_weights, write_weights

CHANNELS = (16, 32, 80, 160, 160)
COORDINATES = (24, 64, 128, 256, 256, 256, 256)
# Weights in the loss once it looks at Gram matrices. At a style layer it is these that count, and features are there to
# lead the way.
CONTENT_FEATURE, STYLE_FEATURE, GRAM, DIFFERENCE = 0.6, 0.2, 0.3, 1.5
CONTENT = ("block4_conv2", "block5_conv2")


def principal_directions(teacher: Teacher, crops: Crops, count: int = 400) -> list[torch.Tensor]:
    """For each tap the leading eigenvectors (C, k) of the mean of f f^T over pictures: not centred, as Grams are."""
    moments: list[torch.Tensor] = []
    for _ in range(count // 8):
        images = torch.from_numpy(np.stack(list(islice(crops, 8)))).permute(0, 3, 1, 2)
        found = [gram(f).mean(0).double() for f in teacher(images)]
        moments = [m + g for m, g in zip(moments, found, strict=True)] if moments else found
    directions = []
    for name, k, moment in zip(TAPS, COORDINATES, moments, strict=True):
        values, vectors = torch.linalg.eigh(moment)
        kept = values[-k:].sum() / values.sum()
        print(f"{name}: {k} of {len(values)} coordinates hold {100 * kept:.2f} % of the energy", flush=True)
        directions.append(vectors[:, -k:].flip(1).float())
    return directions


def project(features: list[torch.Tensor], directions: list[torch.Tensor]) -> list[torch.Tensor]:
    return [torch.einsum("nchw,ck->nkhw", f, d) for f, d in zip(features, directions, strict=True)]


def loss_of(
    found: list[torch.Tensor], targets: list[torch.Tensor], names: tuple[str, ...], grams_count: bool
) -> tuple[torch.Tensor, np.ndarray]:
    """The sum of the taps' relative errors, and (3, taps) of them: squared of features, of Gram matrices, and of the
    differences between the Gram matrices of a pair, for these are what a style transfer makes small."""
    errors, grams, differences = [], [], []
    for f, t in zip(found, targets, strict=True):
        errors.append(relative(f, t).mean())
        g, a = gram(f), gram(t)
        grams.append(relative(g, a).sqrt().mean())
        size = (a[::2] ** 2 + a[1::2] ** 2).sum((1, 2)) / 2
        wrong = ((g[::2] - g[1::2] - a[::2] + a[1::2]) ** 2).sum((1, 2))
        differences.append((wrong / size).sqrt().mean())
    total = sum(errors)
    if grams_count:
        total = sum(
            (CONTENT_FEATURE if name in CONTENT else STYLE_FEATURE) * e for name, e in zip(names, errors, strict=True)
        )
        total = total + GRAM * sum(grams) + DIFFERENCE * sum(differences)
    return total, np.array([[v.item() for v in part] for part in (errors, grams, differences)])


def train(student: Student, pool: Pool, steps: int, batch: int, rate: float, seed: int) -> None:
    """AdamW with a cosine from ``rate`` to 0 for the blocks that the pool has the inputs of; in bfloat16.

    Of the first training only the features count, afterwards, with the first blocks frozen, Gram matrices too.
    """
    free = [p for name, p in student.named_parameters() if int(name.split("block")[1][0]) > pool.frozen]
    optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.05)
    random = np.random.default_rng(seed)
    shown, begun = np.zeros((3, len(TAPS[pool.taps]))), time.time()
    for step in range(1, steps + 1):
        inputs, targets = pool.draw(random, batch)
        with torch.autocast("cpu", torch.bfloat16):
            found = student.after(pool.frozen, inputs if pool.frozen else to_input(inputs, student.weights))
            loss, parts = loss_of(found, targets, TAPS[pool.taps], grams_count=pool.frozen > 0)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(free, 1.0)
        optimiser.step()
        schedule.step()
        shown = 0.98 * shown + 0.02 * parts if step > 1 else parts
        if step % 200 == 0 or step == steps:
            features, grams, pairs = (" ".join(f"{v:.3f}" for v in part) for part in shown)
            print(f"step {step}/{steps} {time.time() - begun:.0f} s  features {features}  Gram {grams}  pairs {pairs}",
                  flush=True)  # fmt: skip


@torch.no_grad()
def fill(pool: Pool, crops: Iterator[np.ndarray], count: int, teacher: Teacher, directions: list[torch.Tensor],
         student: Student | None = None) -> None:  # fmt: skip
    """Add ``count`` crops; ``student`` gives the inputs where the pool has frozen blocks."""
    for _ in range(-(-count // 8)):
        images = torch.from_numpy(np.stack(list(islice(crops, 8)))).permute(0, 3, 1, 2)
        inputs = images if student is None else student.before(pool.frozen + 1, images)
        with torch.autocast("cpu", torch.bfloat16, enabled=student is not None):
            features = teacher(images)
        pool.add(inputs, project([f.float() for f in features], directions))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="vgg16.h5, from minstyle.weights fetch vgg16")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with photos/ and art/")
    parser.add_argument("--work", type=Path, required=True, help="where to keep what is needed to go on")
    parser.add_argument("--write", type=Path, required=True, help="the weights file, written after every round")
    parser.add_argument("--crops", type=int, default=3000, help="for the first training, of all blocks")
    parser.add_argument("--steps", type=int, default=2000, help="of the first training, of 8 crops")
    parser.add_argument("--deep-crops", type=int, default=14000, help="for the rounds, of the blocks not frozen")
    parser.add_argument("--frozen", type=int, default=2, help="blocks that the rounds leave as they are")
    parser.add_argument("--rounds", type=int, default=3, help="of style transfers and training on them")
    parser.add_argument("--products", type=int, default=320, help="crops of style transfers in a round")
    parser.add_argument("--round-steps", type=int, default=3000, help="of a round, of 16 crops")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class Training:
    """The stages, one after the other; ``state`` is what they leave, saved after each."""

    def __init__(self, options: argparse.Namespace) -> None:
        options.work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(options.seed)
        self.options, self.path = options, options.work / "state.pt"
        self.weights = read_weights(options.teacher)
        self.teacher = Teacher(self.weights)
        # What a pool in the same folder was made with.
        made_with = {"seed": options.seed, "channels": CHANNELS, "coordinates": COORDINATES, "frozen": options.frozen}
        self.state = {"stage": "nothing", "round": 0, "made with": made_with}
        if self.path.exists():
            self.state = torch.load(self.path, weights_only=True)
            if self.state["made with"] != made_with:
                raise SystemExit(
                    f"{options.work} is another training's: {self.state['made with']}. Name another --work"
                )

    def save(self, **changes: object) -> None:
        self.state |= changes
        with replacing(self.path) as temporary:
            torch.save(self.state, temporary)

    def crops(self, stage: int) -> Crops:
        """Other ones for every stage, the same after a stop."""
        return Crops(self.options.pictures, self.options.seed + 1000 * stage)

    def run(self) -> None:
        if self.state["stage"] == "nothing":
            self.save(stage="directions", directions=principal_directions(self.teacher, self.crops(0)))
        self.coordinates = [d.shape[1] for d in self.state["directions"]]
        if self.state["stage"] == "directions":
            self.first_training()
        self.student = Student(self.weights, CHANNELS, self.state["sizes"])
        self.student.load_state_dict(self.state["student"])
        frozen, count = self.options.frozen, self.options.deep_crops
        deep = Pool(self.options.work / "deep", CHANNELS[frozen - 1], frozen, self.coordinates, count)
        if self.state["stage"] == "first":
            deep.cut(0)
            fill(deep, self.crops(2), count, self.teacher, self.state["directions"], self.student)
            self.save(stage="rounds", pool=len(deep))
        for number in range(self.state["round"] + 1, self.options.rounds + 1):
            self.round(number, deep)
        self.write()

    def first_training(self) -> None:
        """All blocks learn the features, from where the regressions leave them."""
        options, directions = self.options, self.state["directions"]
        pool = Pool(options.work / "pool", 3, 0, self.coordinates, options.crops)
        pool.cut(0)
        fill(pool, self.crops(1), options.crops, self.teacher, directions)
        images, features = pool.draw(np.random.default_rng(options.seed), min(1024, len(pool)))
        sizes = [f.square().mean((0, 2, 3)).sqrt() for f in features]
        student = Student(self.weights, CHANNELS, sizes)
        start(student, self.teacher, images, directions)
        train(student, pool, options.steps, 8, 1e-3, options.seed)
        self.save(stage="first", sizes=sizes, student=student.state_dict())

    def round(self, number: int, deep: Pool) -> None:
        """The student's products join the pool, and the blocks that are not frozen learn from it."""
        options = self.options
        deep.cut(self.state["pool"])  # a round that was stopped begins anew
        made = products(self.student, self.crops(2 + number), options.products, options.seed + number)
        fill(deep, iter(made), len(made), self.teacher, self.state["directions"], self.student)
        print(f"round {number}: {len(deep)} crops", flush=True)
        train(self.student, deep, options.round_steps, 16, 5e-4, options.seed + number)
        self.save(round=number, pool=len(deep), student=self.student.state_dict())
        self.write()

    def write(self) -> None:
        shown = {name: value for name, value in vars(self.options).items() if isinstance(value, int)}
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in shown.items())
        source = f"tools/train_mini.py {options}, after round {self.state['round']}"
        licence = "trained by the authors of minstyle from VGG16's features; teacher: " + self.weights.licence
        write_weights(self.options.write, self.student.to_weights(source, licence), np.float16)


if __name__ == "__main__":
    Training(parse()).run()
