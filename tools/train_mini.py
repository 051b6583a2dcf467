"""Train the small network that comes with minstyle: ``python tools/train_mini.py --teacher vgg16.h5 --pictures DIR``.

A thin VGG19 (the student) learns to give VGG16's features (the teacher's) at the layers that losses read, in the
teacher's leading principal coordinates. Then rounds follow: style transfers with the student itself, whose products
exploit its mistakes, are shown to the teacher and join the pictures to learn from. Everything is in --work, so that
the command can be stopped and goes on where it was. Needs PyTorch; --seed, --steps and --rounds decide the result.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mini.crops import SIZE, Crops
from mini.networks import TAPS, Student, Teacher, gram, relative
from mini.pool import Pool
from mini.products import products
from mini.start import start

from minstyle.weightfile import read_weights, write_weights

CHANNELS = (16, 32, 80, 160, 160)
COORDINATES = (24, 64, 128, 256, 256, 256, 256)
# Weights in the loss once it looks at Gram matrices. A content layer's features have 1; at a style layer it is the Gram
# matrix that counts, and features are there to lead the way.
STYLE_FEATURE, GRAM, DIFFERENCE = 0.3, 0.3, 1.5
CONTENT = [i for i, name in enumerate(TAPS) if name.endswith("conv2")]


def principal_directions(teacher: Teacher, crops: Crops, count: int = 400) -> list[torch.Tensor]:
    """For each tap the leading eigenvectors (C, k) of the mean of f f^T over pictures: not centred, as Grams are."""
    moments: list[torch.Tensor] = []
    for _ in range(count // 8):
        images = torch.from_numpy(np.stack([crops.draw() for _ in range(8)])).permute(0, 3, 1, 2)
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


def loss_of(found: list[torch.Tensor], targets: list[torch.Tensor], grams_count: float) -> tuple[torch.Tensor, list[float]]:
    """The sum of the taps' relative errors, and each of them: squared of features, of Gram matrices, and of the
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
        features = sum(e if i in CONTENT else STYLE_FEATURE * e for i, e in enumerate(errors))
        total = features + GRAM * sum(grams) + DIFFERENCE * sum(differences)
    return total, [v.item() for v in (*errors, *grams, *differences)]


def train(student: Student, pool: Pool, steps: int, batch: int, rate: float, grams_count: float, seed: int) -> None:
    """AdamW with a cosine from ``rate`` to 0; the networks compute in bfloat16."""
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.05)
    random = np.random.default_rng(seed)
    shown, start = np.zeros(3 * len(TAPS)), time.time()
    for step in range(1, steps + 1):
        images, targets = pool.batch(random, batch)
        with torch.autocast("cpu", torch.bfloat16):
            found = student(images)
        loss, parts = loss_of(found, targets, grams_count)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        shown = 0.98 * shown + 0.02 * np.array(parts) if step > 1 else np.array(parts)
        if step % 100 == 0 or step == steps:
            features, grams, pairs = (" ".join(f"{v:.3f}" for v in part) for part in np.split(shown, 3))
            print(f"step {step}/{steps} {time.time() - start:.0f} s  features {features}  Gram {grams}  pairs {pairs}",
                  flush=True)  # fmt: skip


def fill(pool: Pool, crops: list[np.ndarray], teacher: Teacher, directions: list[torch.Tensor]) -> None:
    for start in range(0, len(crops), 8):
        images = torch.from_numpy(np.stack(crops[start : start + 8])).permute(0, 3, 1, 2)
        with torch.no_grad():
            pool.add(images, project(teacher(images), directions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="vgg16.h5, from minstyle.weights fetch vgg16")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with photos/ and art/")
    parser.add_argument("--work", type=Path, required=True, help="where to keep what is needed to go on")
    parser.add_argument("--write", type=Path, required=True, help="the weights file, written after every round")
    parser.add_argument("--crops", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=4000, help="of the first training")
    parser.add_argument("--rounds", type=int, default=10, help="of style transfers and training on them")
    parser.add_argument("--products", type=int, default=320, help="crops of style transfers in a round, their styles among them")
    parser.add_argument("--round-steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    weights = read_weights(options.teacher)
    teacher, state = Teacher(weights), options.work / "state.pt"
    saved = torch.load(state, weights_only=True) if state.exists() else {"round": -1}
    crops = Crops(options.pictures, options.seed + 1000 * (saved["round"] + 1))
    directions = saved["directions"] if "directions" in saved else principal_directions(teacher, crops)
    if "directions" not in saved:  # the pool is of use with these only
        torch.save({"round": -1, "directions": directions}, state)
    pool = Pool(options.work / "pool", SIZE, [d.shape[1] for d in directions], options.crops)
    if len(pool) < options.crops:
        fill(pool, [crops.draw() for _ in range(options.crops - len(pool))], teacher, directions)
    _, sample = pool.batch(np.random.default_rng(options.seed), 64)
    sizes = saved.get("sizes") or [f.square().mean((0, 2, 3)).sqrt() for f in sample]
    student = Student(weights, CHANNELS, sizes)
    if "student" in saved:
        student.load_state_dict(saved["student"])
    else:
        images, _ = pool.batch(np.random.default_rng(options.seed), 1024)
        start(student, teacher, images, directions)
        torch.save({"round": -1, "directions": directions, "sizes": sizes, "student": student.state_dict()}, state)
    for number in range(saved["round"] + 1, options.rounds + 1):
        if number > 0:
            made = products(student, crops, options.products, options.seed + number)
            fill(pool, made, teacher, directions)
        print(f"round {number}: {len(pool)} crops", flush=True)
        steps, rate = (options.steps, 1e-3) if number == 0 else (options.round_steps, 1e-3)
        train(student, pool, steps, options.batch, rate, float(number > 0), options.seed + number)
        torch.save(
            {"round": number, "directions": directions, "sizes": sizes, "student": student.state_dict()}, state
        )
        licence = "trained by the authors of minstyle from VGG16's features; teacher: " + weights.licence
        source = f"tools/train_mini.py --seed {options.seed}, round {number}"
        write_weights(options.write, student.to_weights(source, licence), np.float16)


if __name__ == "__main__":
    main()
