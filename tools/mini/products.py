"""Style transfers with the student: pictures that it believes to be good, on their way there."""

from __future__ import annotations

import numpy as np
import torch

from .crops import Crops
from .networks import TAPS, Student, gram, relative

STYLE = [i for i, name in enumerate(TAPS) if name.endswith("conv1")]
CONTENT = TAPS.index("block4_conv2")


def products(student: Student, crops: Crops, count: int, seed: int, batch: int = 8) -> list[np.ndarray]:
    """``count`` crops in pairs, from Adam's path from photographs, noise or something between to a crop's style.

    A pair is a finished picture and its style, or two moments on the way.
    """
    random, made = np.random.default_rng(seed), []
    while len(made) < count:
        contents = np.stack([crops.of(crops.photos) for _ in range(batch)]).astype(np.float32)
        styles = np.stack([crops.of(crops.art) if random.random() < 0.8 else next(crops) for _ in range(batch)])
        mix = random.choice([0.0, 0.0, 0.3, 1.0], batch)[:, None, None, None]
        noise = np.stack([crops.made() for _ in range(batch)])
        start = ((1 - mix) * contents + mix * noise).astype(np.float32)
        made += transfer(student, *(torch.from_numpy(a.astype(np.float32)).permute(0, 3, 1, 2).contiguous()
                                    for a in (contents, styles, start)), random)  # fmt: skip
    return made[:count]


def transfer(
    student: Student, contents: torch.Tensor, styles: torch.Tensor, start: torch.Tensor, random: np.random.Generator
) -> list[np.ndarray]:
    """Pairs from one run of Adam on a batch: see ``products``."""
    with torch.no_grad():
        content = student(contents)[CONTENT]
        grams = [gram(student(styles)[i]) for i in STYLE]
    student.requires_grad_(False)  # only the picture is moved
    x = start.clone().requires_grad_()
    steps = int(random.integers(30, 130))
    moments = int(random.integers(3, steps // 2)), int(random.integers(steps // 2, steps)), steps
    weight = 10 ** random.uniform(-2.5, -0.3)
    optimiser = torch.optim.Adam([x], lr=float(10 ** random.uniform(0.6, 1.3)), betas=(0.9, 0.95))
    kept: list[torch.Tensor] = []
    for step in range(1, steps + 1):
        with torch.autocast("cpu", torch.bfloat16):
            features = student(x)
        loss = weight * relative(features[CONTENT], content).sum()
        loss = loss + sum(relative(gram(features[i]), g).sum() for i, g in zip(STYLE, grams, strict=True))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step in moments:
            kept.append(x.detach().clamp(-60, 315))
    student.requires_grad_(True)
    early, late, last = kept
    pairs = torch.stack([last, styles, early, late]).unflatten(0, (2, 2)).transpose(1, 2)  # (2, N, 2, 3, H, W)
    return list(pairs.flatten(0, 2).permute(0, 2, 3, 1).numpy().copy())
