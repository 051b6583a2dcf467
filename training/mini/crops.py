"""The pictures that the small network learns from: crops of photographs and paintings, and made ones.

The optimiser of a style transfer passes through noise, wrong colours and values outside of 0..255, so the crops do too.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image


class Crops:
    """Random crops (size, size, 3), float32, about 0..255, of the pictures in a folder's art/ and photos/, and made.

    ``held_back`` are names of files that are not looked at.
    """

    def __init__(self, folder: Path, seed: int, size: int, held_back: Collection[str] = ()) -> None:
        self.random, self.size = np.random.default_rng(seed), size
        self.art = self._load(folder / "art", held_back)
        self.photos = self._load(folder / "photos", held_back)

    @staticmethod
    def _load(folder: Path, held_back: Collection[str]) -> list[Image.Image]:
        pictures = []
        for path in sorted(path for path in folder.iterdir() if path.name not in held_back):
            with Image.open(path) as picture:
                pictures.append(picture.convert("RGB"))
        if not pictures:
            raise SystemExit(f"{folder} has no pictures")
        return pictures

    def __iter__(self) -> Crops:
        return self

    def __next__(self) -> np.ndarray:
        """One crop: photographs and paintings, turned, mixed with others, made ones; half of them changed somehow."""
        crop = self.turned() if self.random.random() < 0.9 else self.made()
        if self.random.random() < 0.25:
            other = self.turned() if self.random.random() < 0.7 else self.made()
            crop = crop + self.mask() * (other - crop)
        return (self.changed(crop) if self.random.random() < 0.5 else crop).astype(np.float32)

    def turned(self) -> np.ndarray:
        """A crop of a photograph or a painting, half of them turned by any angle."""
        pictures = self.photos if self.random.random() < 0.55 else self.art
        if self.random.random() < 0.5:
            return self.of(pictures, self.size)
        large = 3 * self.size // 2  # has a square of that size in it at any angle
        crop = self.of(pictures, large)
        turned = [
            np.asarray(Image.fromarray(plane).rotate(angle, Image.Resampling.BICUBIC))
            for angle in (self.random.uniform(0, 360),)
            for plane in np.ascontiguousarray(crop.transpose(2, 0, 1))
        ]
        edge = (large - self.size) // 2
        return np.stack(turned, axis=2)[edge : edge + self.size, edge : edge + self.size]

    def mask(self) -> np.ndarray:
        """How much of another crop is seen where: the same everywhere, or smoothly from none to all."""
        if self.random.random() < 0.4:
            return np.full((self.size, self.size, 1), self.random.uniform(0.2, 0.8))
        y, x = np.mgrid[: self.size, : self.size] / self.size
        angle, waves = self.random.uniform(0, 2 * np.pi), self.random.uniform(0.3, 3)
        slope = np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + self.random.uniform(0, 7))
        return np.clip(0.5 + self.random.uniform(0.5, 4) * slope, 0, 1)[:, :, None]

    def of(self, pictures: list[Image.Image], size: int) -> np.ndarray:
        """A crop of one of the pictures, at a random scale, mirrored or not. -> (size, size, 3)

        A whole picture whose shorter side would be smaller than the crop, down to 0.7 of it, is stretched to it.
        """
        picture = pictures[self.random.integers(len(pictures))]
        short = min(picture.size)
        largest = max(1.2 * size / short, min(1.0, 640 / short))
        scale = np.exp(self.random.uniform(np.log(0.7 * size / short), np.log(largest)))
        width, height = (max(size, round(side * scale)) for side in picture.size)
        x, y = self.random.integers(width - size + 1), self.random.integers(height - size + 1)
        box = (x * picture.width / width, y * picture.height / height,
               (x + size) * picture.width / width, (y + size) * picture.height / height)  # fmt: skip
        crop = np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS, box=box), dtype=np.float32)
        return crop[:, ::-1] if self.random.random() < 0.5 else crop

    def made(self) -> np.ndarray:
        """Noise of a random spectrum and colour covariance, or stripes, or a flat colour with a slope."""
        kind = self.random.random()
        if kind < 0.6:
            f = np.hypot(np.fft.fftfreq(self.size)[:, None], np.fft.fftfreq(self.size)[None]) + 1 / self.size
            white = np.fft.fft2(self.random.standard_normal((3, self.size, self.size)))
            spectrum = white * f ** -self.random.uniform(0, 2)
            noise = np.fft.ifft2(spectrum).real
            noise = (noise - noise.mean((1, 2), keepdims=True)) / (noise.std((1, 2), keepdims=True) + 1e-9)
            mixed = np.einsum("ij,jhw->hwi", self.random.standard_normal((3, 3)), noise)
            return self.random.uniform(40, 215, 3) + self.random.uniform(5, 50) * mixed
        y, x = np.mgrid[: self.size, : self.size] / self.size
        angle, waves = self.random.uniform(0, 2 * np.pi), self.random.uniform(0.3, 40)
        phase = 2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + self.random.uniform(0, 7)
        wave = np.sign(np.sin(phase)) if self.random.random() < 0.3 else np.sin(phase)
        a, b = self.random.uniform(0, 255, (2, 3))
        return a + (b - a) * (0.5 + 0.5 * wave[:, :, None])

    def changed(self, crop: np.ndarray) -> np.ndarray:
        if self.random.random() < 0.4:  # contrast and brightness by channel
            crop = (crop - 128) * self.random.uniform(0.4, 1.5, 3) + 128 + self.random.uniform(-40, 40, 3)
        if self.random.random() < 0.3:  # colours turned
            crop = (crop - 128) @ np.linalg.qr(self.random.standard_normal((3, 3)))[0] + 128
        if self.random.random() < 0.4:
            crop = crop + self.random.normal(0, self.random.uniform(2, 60), crop.shape)
        return crop
