"""The crops to learn from with the teacher's features, in files: they are many gigabytes, and worth keeping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .networks import TAPS, Student

STRIDES = [2 ** (int(name[5]) - 1) for name in TAPS]


class Pool:
    """Records of a crop and the teacher's features at TAPS but for the first, float16, in files of a folder.

    The first tap is quick to compute, and its features take as much room as all others. Records come in pairs; the
    first ``pictures`` of them are pictures, all later ones products of style transfers.
    """

    def __init__(self, folder: Path, coordinates: list[int], size: int, pictures: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.pictures, self.frozen = pictures // 2, 0
        self.shapes = [(3, size, size)] + [
            (c, size // stride, size // stride) for c, stride in zip(coordinates[1:], STRIDES[1:], strict=True)
        ]
        self.paths = [folder / f"{i}.f16" for i in range(len(self.shapes))]
        self.inputs = np.empty(0, np.float16)
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

    def add(self, images: torch.Tensor, features: list[torch.Tensor]) -> None:
        """``features`` at all of TAPS; the first is left out."""
        for path, shape, values in zip(self.paths, self.shapes, [images, *features[1:]], strict=True):
            with open(path, "r+b") as file:
                file.seek(self.length * 2 * int(np.prod(shape)))
                file.truncate()
                file.write(values.clamp(-6e4, 6e4).numpy().astype(np.float16).tobytes())
        self._measure()

    def cut(self, length: int) -> None:
        """Forget all records but the first ``length``."""
        for path, shape in zip(self.paths, self.shapes, strict=True):
            with open(path, "r+b") as file:
                file.truncate(length * 2 * int(np.prod(shape)))
        self._measure()

    @torch.no_grad()
    def freeze(self, student: Student, frozen: int) -> None:
        """From now on ``draw`` gives what the student's first block that is not frozen reads, computed here once."""
        self.frozen = frozen
        if not frozen:
            return
        parts = []
        for start in range(0, len(self), 8):
            images = torch.from_numpy(self.maps[0][start : start + 8].astype(np.float32))
            parts.append(student.before(frozen + 1, images).numpy().astype(np.float16))
        self.inputs = np.concatenate(parts)

    def draw(self, random: np.random.Generator, count: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """``count`` records, pair by pair: crops, or what ``freeze`` made of them, and the features that the pool has.

        As many pictures as products, late ones more often.
        """
        pairs, u = self.length // 2, random.random(count // 2)
        index = (min(self.pictures, pairs) * u).astype(int)
        if pairs > self.pictures:
            late = self.pictures + ((pairs - self.pictures) * u**0.7).astype(int)
            index = np.where(random.random(len(index)) < 0.5, index, late)
        index = (2 * np.sort(index)[:, None] + [0, 1]).ravel()
        after = [m for m, name in zip(self.maps[1:], TAPS[1:], strict=True) if int(name[5]) > self.frozen]
        maps = [self.inputs if self.frozen else self.maps[0], *after]
        inputs, *features = (torch.from_numpy(m[index].astype(np.float32)) for m in maps)
        return inputs, features
