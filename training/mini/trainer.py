"""Steps of gradient descent: what the student is to learn, and how its parameters follow."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .networks import TAPS, Student, Teacher, alignment, gram, gram_distance, project, relative, to_input
from .pool import GRADIENTS, Pool, any_pair, tap_of

# Weights in the loss: of the features at content layers and at style layers, of Gram matrices, of their differences.
WEIGHTS = (1.0, 1.0, 0.2, 0.6)
CONTENT = ("block4_conv2", "block5_conv2")
ALIGNED = 1.0  # weight of the cosines between gradients
DECAY = 0.999  # a step, of the average


def loss_of(found: list[torch.Tensor], targets: list[torch.Tensor]) -> tuple[torch.Tensor, np.ndarray]:
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
    content, style, absolute, pairs = WEIGHTS
    total = sum((content if name in CONTENT else style) * e for name, e in zip(TAPS, errors, strict=True))
    total = total + absolute * sum(grams) + pairs * sum(differences)
    return total, np.array([[v.item() for v in part] for part in (errors, grams, differences)])


class Trainer:
    """AdamW steps in bfloat16, and the average of the parameters over them."""

    def __init__(self, student: Student, teacher: Teacher, directions: list[torch.Tensor]) -> None:
        self.student, self.teacher, self.directions = student, teacher, directions
        self.optimiser = torch.optim.AdamW(student.parameters(), lr=0.0, weight_decay=1e-4)
        self.average = AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
        self.shown, self.aligned, self.begun = np.zeros((3, len(TAPS))), np.zeros(len(GRADIENTS)), time.time()
        self.skipped = 0  # steps with infinite gradients

    def loss(self, pairs: list[list[np.ndarray]]) -> tuple[torch.Tensor, np.ndarray]:
        """Of pairs of crops with the teacher's features after the first tap, whose features are quick to compute."""
        images, *targets = (torch.from_numpy(np.concatenate(part)) for part in zip(*pairs, strict=True))
        first = functional.relu(self.teacher.convolve(TAPS[0], to_input(images, self.student.weights)))
        targets = [*project([first], self.directions[:1]), *targets]
        with torch.autocast("cpu", torch.bfloat16):
            return loss_of(self.student(images), targets)

    def misalignment(self, pair: list[np.ndarray], number: int) -> torch.Tensor:
        """1 - the cosine between the student's gradient and the teacher's, from one picture to the other's style."""
        image, style = (torch.from_numpy(pair[0][i : i + 1]) for i in range(2))
        tap = TAPS.index(tap_of(2 * number))
        image.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                wanted = gram(self.student(style)[tap])[0]
            distance = gram_distance(self.student(image)[tap], wanted)
        (g,) = torch.autograd.grad(distance, image, create_graph=True)
        return 1 - alignment(g[0], torch.from_numpy(pair[-1][0]))

    def run(self, pictures: Pool, rounds: list[Pool], steps: int, rate: Callable[[int], float],
            random: np.random.Generator) -> None:  # fmt: skip
        """Steps of two pairs: one of the pictures and one of the rounds, or both of the pictures if there are none.

        ``rate`` of a step: how fast it learns.
        """
        for step in range(steps):
            picture, _ = any_pair([pictures], random)
            pair, number = any_pair(rounds or [pictures], random)
            loss, parts = self.loss([picture, pair[: len(TAPS)]])
            aligned = self.aligned.copy()
            if rounds:
                misaligned, which = self.misalignment(pair, number), number % len(GRADIENTS)
                loss = loss + ALIGNED * misaligned
                aligned[which] += 0.02 * (1 - misaligned.item() - aligned[which])
            self.optimiser.zero_grad()
            loss.backward()
            if torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0).isfinite():
                self.optimiser.param_groups[0]["lr"] = rate(step)
                self.optimiser.step()
                self.average.update_parameters(self.student)
                self.shown = 0.99 * self.shown + 0.01 * parts if self.shown.any() else parts
                self.aligned = aligned
            else:
                self.skipped += 1
            if step % 400 == 399 or step == steps - 1:
                self.show()

    def show(self) -> None:
        features, grams, pairs = (" ".join(f"{v:.3f}" for v in part) for part in self.shown)
        aligned = " ".join(f"{v:.3f}" for v in self.aligned)
        print(f"{time.time() - self.begun:.0f} s  features {features}  Gram {grams}  pairs {pairs}  aligned {aligned}  "
              f"skipped {self.skipped}", flush=True)  # fmt: skip
