"""Train the network that comes with minstyle: ``python training/train_mini.py --teacher vgg16.h5 --pictures DIR ...``.

A thin VGG19 (the student) learns to give VGG16's features (the teacher's) at the layers that losses read, in the
teacher's leading principal coordinates. It begins with layer-wise regressions (``mini/start.py``), from the teacher or
from an earlier student; then come steps of gradient descent on pictures, then many short rounds. Each brings style
transfers by the student as it is by then, which exploit its latest mistakes, while the oldest ones are forgotten. What
is written is a moving average of the student's parameters: the single student goes from one mistake to the next, the
average has less of each. Everything is in --work, so that the command can be stopped and goes on at the round where it
was. ``score_mini.py`` says how good the result is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mini.crops import Crops
from mini.networks import TAPS, Student, Teacher, gram, project, to_input
from mini.pool import Pool
from mini.products import products
from mini.start import mean, start, start_from
from mini.trainer import Trainer
from minstyle.engine import kernels
from minstyle.files import replacing
from minstyle.network.weightfile import Weights, read_weights, write_weights

SIZE = 256  # pixels of a crop: VGG16's block5_conv1 sees 132 of them
# Of all convolutions. Inside block 3 they are narrower: a layer there costs most.
CHANNELS = (16, 16, 32, 32, 80, 64, 64, 64, 160, 160, 160, 160, 160, 160)
COORDINATES = (24, 64, 128, 256, 256, 256, 256)
COOLING = 0.2  # of the rounds: the rate falls to 0


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


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="vgg16.h5, from minstyle.weights fetch vgg16")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with photos/ and art/")
    parser.add_argument("--work", type=Path, required=True, help="where to keep what is needed to go on")
    parser.add_argument("--write", type=Path, required=True, help="the weights file, written after every round")
    parser.add_argument("--held-back", nargs="*", default=[], metavar="NAME", help="files not to learn from")
    parser.add_argument(
        "--begin-with", nargs="*", type=Path, default=[], metavar="FILE",
        help="a weights file to go on from, in place of the teacher's; of several with the same widths their mean",
    )  # fmt: skip
    parser.add_argument("--fitted", type=int, default=96, help="crops for the regressions")
    parser.add_argument("--crops", type=int, default=2400, help="of pictures, before the rounds")
    parser.add_argument("--steps", type=int, default=8000, help="of the first training, of 4 crops")
    parser.add_argument("--first-rate", type=float, default=2e-3, help="of learning, falling to 0")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--round-runs", type=int, default=8, help="style transfers in a round, 6 crops each")
    parser.add_argument("--round-crops", type=int, default=16, help="of pictures, in a round")
    parser.add_argument("--round-steps", type=int, default=150, help="of 4 crops")
    parser.add_argument("--window", type=int, default=12, help="rounds whose crops are learnt from")
    parser.add_argument(
        "--rate", type=float, default=5e-4, help="of learning in the rounds, falling to 0 in the last ones"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.crops < 2 or options.crops % 2 or options.round_crops % 2:
        parser.error(f"crops come in pairs, got --crops {options.crops} --round-crops {options.round_crops}")
    if options.window < 1:
        parser.error(f"--window must be 1 or more, got {options.window}")
    return options


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


class Training:
    """The stages, one after the other; ``state`` is what they leave, saved after each."""

    def __init__(self, options: argparse.Namespace) -> None:
        options.work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.options, self.path = options, options.work / "state.pt"
        self.weights = read_weights(options.teacher)
        self.teacher = Teacher(self.weights)
        self.crops = Crops(options.pictures, options.seed, SIZE, options.held_back)
        # What the files in the same folder were made with.
        made_with = {
            "seed": options.seed, "channels": CHANNELS, "coordinates": COORDINATES, "size": SIZE,
            "crops": options.crops, "held back": sorted(options.held_back), "begin with": names(options.begin_with),
            "teacher": self.weights.source,
        }  # fmt: skip
        self.state = {"stage": "nothing", "made with": made_with}
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

    def run(self) -> None:
        options = self.options
        if self.state["stage"] == "nothing":
            self.save(stage="directions", directions=principal_directions(self.teacher, self.crops))
        self.directions = self.state["directions"]
        pool = Pool(options.work / "pictures", [d.shape[1] for d in self.directions], SIZE, gradients=False)
        if self.state["stage"] == "directions":
            self.crops.random = np.random.default_rng([options.seed, 0])
            pool.fill(islice(self.crops, options.crops), self.teacher, self.directions)
            self.save(stage="pool")
        if self.state["stage"] == "pool":
            self.begin(pool)
        self.student = Student(self.weights, CHANNELS, self.state["sizes"])
        self.student.load_state_dict(self.state["student"])
        if self.state["stage"] == "start":
            if options.steps:
                trainer = Trainer(self.student, self.teacher, self.directions)
                trainer.run(pool, [], options.steps, self.first_rate, np.random.default_rng(options.seed))
            self.save(stage="rounds", round=0, student=self.student.state_dict())
        self.rounds(pool)

    def begin(self, pool: Pool) -> None:
        """The student's first parameters, by regression: from the teacher's, or from another student's."""
        options = self.options
        count = min(options.fitted, len(pool))
        images, *features = (torch.from_numpy(m[:count].astype(np.float32)) for m in pool.maps)
        inputs = to_input(images, self.weights)
        features = [*project([functional.relu(self.teacher.convolve(TAPS[0], inputs))], self.directions[:1]), *features]
        sizes = [f.square().mean((0, 2, 3)).sqrt() for f in features]
        student = Student(self.weights, CHANNELS, sizes)
        if options.begin_with:
            start_from(student, mean([read_weights(path) for path in options.begin_with]), images, features)
        else:
            start(student, self.teacher, images, self.directions)
        self.save(stage="start", sizes=sizes, student=student.state_dict())

    def rounds(self, pictures: Pool) -> None:
        """In each the student makes crops, and learns from those of the last rounds."""
        options, state = self.options, self.state
        trainer = Trainer(self.student, self.teacher, self.directions)
        if state["round"]:
            trainer.optimiser.load_state_dict(state["optimiser"])
            trainer.average.load_state_dict(state["average"])
        for number in range(state["round"] + 1, options.rounds + 1):
            # Of a stop between two rounds nothing is left over either.
            shutil.rmtree(self.folder(number - options.window), ignore_errors=True)
            window = [self.pool(n) for n in range(max(1, number - options.window + 1), number + 1)]
            self.make(window[-1], trainer, number)
            random = np.random.default_rng([options.seed, 1, number])
            trainer.run(pictures, window, options.round_steps, partial(self.rate, number), random)
            self.save(round=number, student=self.student.state_dict(), average=trainer.average.state_dict(),
                      optimiser=trainer.optimiser.state_dict())  # fmt: skip
            write_weights(options.write, self.averaged(trainer), np.float16)
        write_weights(options.write, self.averaged(trainer), np.float16)

    def folder(self, number: int) -> Path:
        return self.options.work / f"round{number}"

    def pool(self, number: int) -> Pool:
        return Pool(self.folder(number), [d.shape[1] for d in self.directions], SIZE, gradients=True)

    def make(self, pool: Pool, trainer: Trainer, number: int) -> None:
        """A round's crops, by the average as it is: after a stop they are made again, the same."""
        options = self.options
        self.crops.random = np.random.default_rng([options.seed, 2, number])
        with kernels.use_threads(options.threads):
            made = products(self.averaged(trainer), self.crops, options.round_runs)
            pool.fill(chain(made, islice(self.crops, options.round_crops)), self.teacher, self.directions)

    def first_rate(self, step: int) -> float:
        options = self.options
        return options.first_rate * min((step + 1) / 100, 1 - step / options.steps)

    def rate(self, number: int, step: int) -> float:
        """Of learning, in a round's step: it begins within one round, and falls to 0 in the last ones."""
        options = self.options
        done = number - 1 + step / options.round_steps
        return options.rate * min(1, done + 0.01, (options.rounds - done) / (COOLING * options.rounds))

    def averaged(self, trainer: Trainer) -> Weights:
        options, student = self.options, trainer.average.module
        shown = {name: value for name, value in vars(options).items() if isinstance(value, (int, float))}
        shown |= {"begin_with": " ".join(names(options.begin_with)), "held_back": " ".join(options.held_back)}
        command = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in shown.items() if value != "")
        source = f"training/train_mini.py {command}, after round {self.state['round']}"
        licence = "trained by the authors of minstyle from VGG16's features; teacher: " + self.weights.licence
        return student.to_weights(source, licence)


if __name__ == "__main__":
    Training(parse()).run()
