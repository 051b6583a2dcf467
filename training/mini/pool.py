"""The crops to learn from with the teacher's features, in files: they are many gigabytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from minstyle.network.layers import block_of

from .networks import TAPS, Teacher, project

GRADIENTS = ("block3_conv1", "block4_conv1", "block5_conv1")
STRIDES = [2 ** (block_of(name) - 1) for name in TAPS]


class Pool:
    """Records of a crop and the teacher's features at TAPS but for the first, float16, in files of a folder.

    The first tap is quick to compute, and its features take as much room as all others. Records come in pairs. Where
    ``gradients`` are kept too, the teacher's gradient from the first crop of a pair to the second's Gram matrix is in
    the first one's record: at one of GRADIENTS, each in turn.
    """

    def __init__(self, folder: Path, coordinates: Sequence[int], size: int, gradients: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.gradients = gradients
        self.shapes = [(3, size, size)] + [
            (c, size // stride, size // stride) for c, stride in zip(coordinates[1:], STRIDES[1:], strict=True)
        ]
        if gradients:
            self.shapes.append((3, size, size))
        self.paths = [folder / f"{i}.f16" for i in range(len(self.shapes))]
        self._measure()

    def _measure(self) -> None:
        counts = []
        for path, shape in zip(self.paths, self.shapes, strict=True):
            path.touch()
            counts.append(path.stat().st_size // (2 * int(np.prod(shape))))
        self.length = min(counts)  # what was cut off in the middle does not count
        self.maps = [
            np.memmap(path, np.float16, "r", shape=(self.length, *shape)) if self.length else np.empty(0, np.float16)
            for path, shape in zip(self.paths, self.shapes, strict=True)
        ]

    def __len__(self) -> int:
        return self.length

    def fill(self, crops: Iterator[np.ndarray], teacher: Teacher, directions: list[torch.Tensor]) -> None:
        """In place of what is there: crops, an even number, with the teacher's features, until there are no more."""
        for path in self.paths:
            path.write_bytes(b"")
        count = 0
        while part := list(islice(crops, 8)):
            images = torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                features = teacher(images)
            projected = project([f.float() for f in features], directions)
            values = [images, *projected[1:]]
            if self.gradients:
                gradients = torch.zeros_like(images)
                for first in range(0, len(images), 2):
                    tap = TAPS.index(tap_of(count + first))
                    gradients[first] = teacher.gradient(
                        images[first : first + 1], projected[tap][first + 1], directions, tap
                    )
                values.append(gradients)
            for path, v in zip(self.paths, values, strict=True):
                with open(path, "ab") as file:
                    file.write(v.clamp(-6e4, 6e4).numpy().astype(np.float16).tobytes())
            count += len(part)
        self._measure()

    def pair(self, number: int) -> list[np.ndarray]:
        """Crops (2, 3, H, W), features at TAPS but for the first, and gradients if they are kept."""
        return [m[2 * number : 2 * number + 2].astype(np.float32) for m in self.maps]


def tap_of(record: int) -> str:
    """At which layer the gradient in a pair's first record is."""
    return GRADIENTS[record // 2 % len(GRADIENTS)]


def any_pair(pools: Sequence[Pool], random: np.random.Generator) -> tuple[list[np.ndarray], int]:
    """One of all pairs, and its number in its pool."""
    number = int(random.integers(sum(len(p) // 2 for p in pools)))
    for pool in pools:
        if number < len(pool) // 2:
            return pool.pair(number), number
        number -= len(pool) // 2
    raise AssertionError
