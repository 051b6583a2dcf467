"""The crops to learn from with the teacher's features, in files: they are many gigabytes, and worth keeping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch


class Pool:
    """Records of one image and its features in float16, appended to files in a folder, read back in random batches.

    Records come in pairs; the first ``pictures`` of them are drawn as often as all later ones, the products.
    """

    def __init__(self, folder: Path, size: int, coordinates: list[int], pictures: int) -> None:
        self.pictures = pictures // 2
        folder.mkdir(parents=True, exist_ok=True)
        sides = [size, size, size // 2, size // 4, size // 8, size // 8, size // 16, size // 16]
        self.shapes = [(c, s, s) for c, s in zip([3, *coordinates], sides, strict=True)]
        self.paths = [folder / f"{i}.f16" for i in range(len(self.shapes))]
        self._map()

    def _map(self) -> None:
        counts = []
        for path, shape in zip(self.paths, self.shapes, strict=True):
            path.touch()
            counts.append(path.stat().st_size // (2 * int(np.prod(shape))))
        self.length = min(counts)  # what was cut off in the middle does not count
        self.maps = [
            np.memmap(path, np.float16, "r", shape=(self.length, *shape)) if self.length else None
            for path, shape in zip(self.paths, self.shapes, strict=True)
        ]

    def __len__(self) -> int:
        return self.length

    def add(self, images: torch.Tensor, features: list[torch.Tensor]) -> None:
        for path, shape, values in zip(self.paths, self.shapes, [images, *features], strict=True):
            with open(path, "r+b") as file:
                file.seek(self.length * 2 * int(np.prod(shape)))
                file.truncate()
                file.write(values.clamp(-6e4, 6e4).numpy().astype(np.float16).tobytes())
        self._map()

    def batch(self, random: np.random.Generator, count: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """``count`` records, pair by pair. Late products are drawn more often: they are the mistakes of today."""
        pairs, u = self.length // 2, random.random(count // 2)
        index = (min(self.pictures, pairs) * u).astype(int)
        if pairs > self.pictures:
            late = self.pictures + ((pairs - self.pictures) * u**0.5).astype(int)
            index = np.where(random.random(len(index)) < 0.5, index, late)
        index = (2 * np.sort(index)[:, None] + [0, 1]).ravel()
        images, *features = (torch.from_numpy(m[index]).float() for m in self.maps if m is not None)
        return images, features
