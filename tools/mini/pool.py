"""The crops to learn from with the teacher's features, in files: they are many gigabytes, and worth keeping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .crops import SIZE
from .networks import TAPS

STRIDES = [2 ** (int(name[5]) - 1) for name in TAPS]


class Pool:
    """Records of what a student's block reads and the teacher's features from there on, float16, in files of a folder.

    Records come in pairs; the first ``pictures`` of them are pictures, all later ones products of style transfers.
    ``frozen`` blocks of the student come before: 0 for images themselves.
    """

    def __init__(self, folder: Path, channels: int, frozen: int, coordinates: list[int], pictures: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.pictures, self.frozen = pictures // 2, frozen
        self.taps = slice(sum(int(name[5]) <= frozen for name in TAPS), None)
        side = SIZE >> frozen
        self.shapes = [(channels, side, side)] + [
            (c, SIZE // stride, SIZE // stride)
            for c, stride in zip(coordinates[self.taps], STRIDES[self.taps], strict=True)
        ]
        self.paths = [folder / f"{i}.f16" for i in range(len(self.shapes))]
        self.maps: list[np.ndarray] = []
        self._measure()

    def _measure(self) -> None:
        counts = []
        for path, shape in zip(self.paths, self.shapes, strict=True):
            path.touch()
            counts.append(path.stat().st_size // (2 * int(np.prod(shape))))
        self.length = min(counts)  # what was cut off in the middle does not count
        self.maps = []

    def __len__(self) -> int:
        return self.length

    def add(self, inputs: torch.Tensor, features: list[torch.Tensor]) -> None:
        """``features`` at all of TAPS; those before the pool's block are left out."""
        for path, shape, values in zip(self.paths, self.shapes, [inputs, *features[self.taps]], strict=True):
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

    def load(self) -> None:
        """Read everything into memory, ten gigabytes for 15,000 crops: from a disk a step would take a second."""
        self.maps = [
            np.fromfile(path, np.float16, self.length * int(np.prod(shape))).reshape(self.length, *shape)
            for path, shape in zip(self.paths, self.shapes, strict=True)
        ]

    def draw(self, random: np.random.Generator, count: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """``count`` records, pair by pair: as many pictures as products, late ones more often."""
        if not self.maps:
            self.load()
        pairs, u = self.length // 2, random.random(count // 2)
        index = (min(self.pictures, pairs) * u).astype(int)
        if pairs > self.pictures:
            late = self.pictures + ((pairs - self.pictures) * u**0.5).astype(int)
            index = np.where(random.random(len(index)) < 0.5, index, late)
        index = (2 * np.sort(index)[:, None] + [0, 1]).ravel()
        inputs, *features = (torch.from_numpy(m[index]).float() for m in self.maps)
        return inputs, features
