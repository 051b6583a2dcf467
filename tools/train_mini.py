"""Train the small network that comes with minstyle: ``python tools/train_mini.py --teacher vgg16.h5 --pictures DIR``.

A thin VGG19 (the student) learns to give VGG16's features (the teacher's) at the layers that losses read, in the
teacher's leading principal coordinates. It begins with layer-wise regressions (``mini/start.py``), from the teacher or
from an earlier student; then come steps of gradient descent on pictures, then rounds with products of style transfers
by the student itself, which exploit its mistakes. Everything is in --work, so that the command can be stopped and goes
on at the stage or round where it was. ``score_mini.py`` says how good the result is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mini.crops import Crops
from mini.networks import TAPS, Student, Teacher, gram, relative, to_input
from mini.pool import Pool
from mini.products import products
from mini.start import start, start_from

from minstyle.files import replacing
from minstyle.weightfile import read_weights, write_weights

SIZE = 256  # pixels of a crop: block 5 sees 132 of them
# Of all convolutions. Inside block 3 they are narrower: a layer there costs most.
CHANNELS = (16, 16, 32, 32, 80, 64, 64, 64, 160, 160, 160, 160, 160, 160)
COORDINATES = (24, 64, 128, 256, 256, 256, 256)
# Weights in the loss: of the features at content layers and at style layers, of Gram matrices, of their differences.
FIRST, ROUNDS = (0.6, 0.2, 0.3, 1.5), (1.0, 1.0, 0.2, 0.6)
CONTENT = ("block4_conv2", "block5_conv2")


def principal_directions(teacher: Teacher, crops: Crops, count: int = 160) -> list[torch.Tensor]:
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
    found: list[torch.Tensor], targets: list[torch.Tensor], names: tuple[str, ...], weights: tuple[float, ...]
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
    content, style, absolute, pairs = weights
    total = sum((content if name in CONTENT else style) * e for name, e in zip(names, errors, strict=True))
    total = total + absolute * sum(grams) + pairs * sum(differences)
    return total, np.array([[v.item() for v in part] for part in (errors, grams, differences)])


class Trainer:
    """AdamW with a cosine from ``rate`` to 0 for the blocks that are not frozen, in bfloat16."""

    def __init__(self, student: Student, teacher: Teacher, directions: list[torch.Tensor], weights: tuple[float, ...]
    ) -> None:  # fmt: skip
        self.student, self.teacher, self.directions, self.weights = student, teacher, directions, weights

    def loss(self, pool: Pool, random: np.random.Generator, batch: int) -> tuple[torch.Tensor, np.ndarray]:
        student, frozen = self.student, pool.frozen
        inputs, targets = pool.draw(random, batch)
        if not frozen:  # the pool leaves this one out
            inputs = to_input(inputs, student.weights)
            first = functional.relu(self.teacher.convolve(TAPS[0], inputs))
            targets = [*project([first], self.directions[:1]), *targets]
        with torch.autocast("cpu", torch.bfloat16):
            found = student.after(frozen, inputs)
            return loss_of(found, targets, TAPS[-len(targets) :], self.weights)

    def run(self, pool: Pool, steps: int, batch: int, rate: float, seed: int) -> None:
        free = [p for name, p in self.student.named_parameters() if int(name.split("block")[1][0]) > pool.frozen]
        optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.05)
        random = np.random.default_rng(seed)
        shown, begun = np.zeros(0), time.time()
        for step in range(1, steps + 1):
            loss, parts = self.loss(pool, random, batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(free, 1.0)
            optimiser.step()
            schedule.step()
            shown = 0.98 * shown + 0.02 * parts if step > 1 else parts
            if step % 50 == 0 or step == steps:
                features, grams, pairs = (" ".join(f"{v:.3f}" for v in part) for part in shown)
                print(f"step {step}/{steps} {time.time() - begun:.0f} s  features {features}  Gram {grams}  "
                      f"pairs {pairs}", flush=True)  # fmt: skip


@torch.no_grad()
def fill(pool: Pool, crops: Iterator[np.ndarray], teacher: Teacher, directions: list[torch.Tensor]) -> None:
    """Add crops with the teacher's features, until there are no more."""
    while part := list(islice(crops, 8)):
        images = torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16):
            features = teacher(images)
        pool.add(images, project([f.float() for f in features], directions))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="vgg16.h5, from minstyle.weights fetch vgg16")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with photos/ and art/")
    parser.add_argument("--work", type=Path, required=True, help="where to keep what is needed to go on")
    parser.add_argument("--write", type=Path, required=True, help="the weights file, written after every round")
    parser.add_argument("--held-back", nargs="*", default=[], metavar="NAME", help="files not to learn from")
    parser.add_argument("--begin-with", type=Path, help="a weights file to go on from, in place of the teacher's")
    parser.add_argument("--fitted", type=int, default=96, help="crops for the regressions")
    parser.add_argument("--crops", type=int, default=640, help="of pictures")
    parser.add_argument("--steps", type=int, default=1000, help="of the first training, of all blocks, of 4 crops")
    parser.add_argument("--frozen", type=int, default=2, help="blocks that the rounds leave as they are")
    parser.add_argument("--products", type=int, nargs="*", default=[96, 320, 152], help="of each round, crops")
    parser.add_argument("--round-steps", type=int, nargs="*", default=[1500, 1100, 1000], help="of 4 crops")
    parser.add_argument("--rates", type=float, nargs="*", default=[5e-4, 5e-4, 7e-4], help="of learning")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class Training:
    """The stages, one after the other; ``state`` is what they leave, saved after each."""

    def __init__(self, options: argparse.Namespace) -> None:
        options.work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.options, self.path = options, options.work / "state.pt"
        self.weights = read_weights(options.teacher)
        self.teacher = Teacher(self.weights)
        # What a pool in the same folder was made with.
        made_with = {"seed": options.seed, "channels": CHANNELS, "coordinates": COORDINATES, "size": SIZE}
        self.state = {"stage": "nothing", "filled": 0, "made with": made_with}
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
        options = self.options
        return Crops(options.pictures, options.seed + 1000 * stage, SIZE, options.held_back)

    def run(self) -> None:
        options = self.options
        if self.state["stage"] == "nothing":
            self.save(stage="directions", directions=principal_directions(self.teacher, self.crops(0)))
        self.directions = self.state["directions"]
        pool = Pool(options.work / "pool", [d.shape[1] for d in self.directions], SIZE, options.crops)
        if self.state["stage"] == "directions":
            pool.cut(0)
            fill(pool, islice(self.crops(1), options.crops), self.teacher, self.directions)
            self.save(stage="pool", pool=len(pool))
        if self.state["stage"] == "pool":
            self.begin(pool)
        if self.state["stage"] == "start":
            if options.steps:
                self.student.load_state_dict(self.state["student"])
                self.train(pool, options.frozen if options.begin_with else 0, options.steps, 1e-3, 0)
            self.save(stage="rounds", students=[deepcopy(self.student.state_dict())])
        self.student.load_state_dict(self.state["students"][-1])
        for number in range(len(self.state["students"]), len(options.products) + 1):
            self.round(number, pool)
        self.write()

    @property
    def student(self) -> Student:
        if not hasattr(self, "_student"):
            self._student = Student(self.weights, CHANNELS, self.state["sizes"])
        return self._student

    def begin(self, pool: Pool) -> None:
        """The student's first parameters, by regression: from the teacher's, or from another student's."""
        images, features = pool.draw(np.random.default_rng(self.options.seed), min(self.options.fitted, len(pool)))
        inputs = to_input(images, self.weights)
        features = [*project([functional.relu(self.teacher.convolve(TAPS[0], inputs))], self.directions[:1]), *features]
        self.save(sizes=[f.square().mean((0, 2, 3)).sqrt() for f in features])
        if self.options.begin_with:
            start_from(self.student, read_weights(self.options.begin_with), images, features)
        else:
            start(self.student, self.teacher, images, self.directions)
        self.save(stage="start", student=self.student.state_dict())

    def train(self, pool: Pool, frozen: int, steps: int, rate: float, seed: int) -> None:
        pool.freeze(self.student, frozen)
        trainer = Trainer(self.student, self.teacher, self.directions, ROUNDS if seed else FIRST)
        trainer.run(pool, steps, 4, rate, self.options.seed + seed)

    def round(self, number: int, pool: Pool) -> None:
        """Products join the pool, and the blocks that are not frozen learn from it.

        They are by the student of the round before last: so they can be made while the last one goes on.
        """
        options = self.options
        if self.state["filled"] < number:
            pool.cut(self.state["pool"])  # what was stopped begins anew
            fill(pool, self.products(number), self.teacher, self.directions)
            self.save(filled=number, pool=len(pool))
        print(f"round {number}: {len(pool)} crops", flush=True)
        self.train(pool, options.frozen, options.round_steps[number - 1], options.rates[number - 1], number)
        self.save(students=[*self.state["students"], deepcopy(self.student.state_dict())])
        self.write()

    def products(self, number: int) -> Iterator[np.ndarray]:
        options, maker = self.options, max(0, number - 2)
        student = Student(self.weights, CHANNELS, self.state["sizes"])
        student.load_state_dict(self.state["students"][maker])
        before = options.products[0] if number == 2 else 0  # the first one's go on
        weights, crops = student.to_weights("a round", ""), self.crops(2 + maker)
        return products(weights, crops, options.products[number - 1], options.seed + 1 + maker, before)

    def write(self) -> None:
        shown = {name: value for name, value in vars(self.options).items() if isinstance(value, (int, list))}
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in shown.items())
        source = f"tools/train_mini.py {options}, after round {len(self.state['students']) - 1}"
        licence = "trained by the authors of minstyle from VGG16's features; teacher: " + self.weights.licence
        write_weights(self.options.write, self.student.to_weights(source, licence), np.float16)


if __name__ == "__main__":
    Training(parse()).run()
