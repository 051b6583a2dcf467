"""The recipes ``document`` and ``gatys`` once more, in PyTorch, from the programs' formulas, with no maths of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

BLOCKS = {"vgg16": [2, 2, 3, 3, 3], "vgg19": [2, 2, 4, 4, 4]}


class Twin:
    """``twin(image) -> (loss, gradient)`` with image and gradient (H, W, 3), RGB, 0..255, like the objective."""

    def __init__(self, weights: Any, recipe: str, content: np.ndarray, style: np.ndarray, dtype: torch.dtype) -> None:
        self.weights, self.recipe, self.dtype = weights, recipe, dtype
        self.kernels = {
            name: (
                torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))).to(dtype),
                torch.from_numpy(bias).to(dtype),
            )
            for name, (kernel, bias) in weights.layers.items()
        }
        # Features as of a network that takes grey levels, for which the recipes' weights were chosen.
        self.unit = sum(weights.std) / 3
        with torch.no_grad():
            self.content_features = self.features(self.tensor(content))
            self.style_features = self.features(self.tensor(style))

    def tensor(self, image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(self.dtype)

    def features(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        mean = torch.tensor(self.weights.mean, dtype=self.dtype)[:, None, None]
        std = torch.tensor(self.weights.std, dtype=self.dtype)[:, None, None]
        x = ((image - mean) / std)[None]
        if self.weights.channel_order == "BGR":
            x = x.flip(1)
        found = {}
        for block, count in enumerate(BLOCKS[self.weights.network], start=1):
            for i in range(1, count + 1):
                name = f"block{block}_conv{i}"
                x = functional.relu(functional.conv2d(x, *self.kernels[name], padding=1))
                found[name] = self.unit * x[0]
            x = functional.max_pool2d(x, 2) if self.recipe == "document" else 2 * functional.avg_pool2d(x, 2)
        return found

    def loss(self, image: torch.Tensor) -> torch.Tensor:
        return self.document(image) if self.recipe == "document" else self.gatys(image)

    def document(self, image: torch.Tensor) -> torch.Tensor:
        """Deep Learning with Python, 8.3."""
        f, p, a = self.features(image), self.content_features, self.style_features
        _, height, width = image.shape
        loss = 0.025 * ((p["block5_conv2"] - f["block5_conv2"]) ** 2).sum()
        for layer in [f"block{i}_conv1" for i in range(1, 6)]:
            channels = 3
            size = height * width
            difference = ((gram(a[layer]) - gram(f[layer])) ** 2).sum()
            loss = loss + (1.0 / 5) * difference / (4.0 * channels**2 * size**2)
        down = (image[:, : height - 1, : width - 1] - image[:, 1:, : width - 1]) ** 2
        right = (image[:, : height - 1, : width - 1] - image[:, : height - 1, 1:]) ** 2
        return loss + 1e-4 * ((down + right) ** 1.25).sum()

    def gatys(self, image: torch.Tensor) -> torch.Tensor:
        """Gatys, Ecker, Bethge 2016: equations 1, 4, 5, 7 with alpha/beta = 1e-3."""
        f, p, a = self.features(image), self.content_features, self.style_features
        loss = 0.5 * ((f["block4_conv2"] - p["block4_conv2"]) ** 2).sum()
        for layer in [f"block{i}_conv1" for i in range(1, 6)]:
            n, m = f[layer].shape[0], f[layer].shape[1] * f[layer].shape[2]
            loss = loss + 1e3 * 0.2 * ((gram(f[layer]) - gram(a[layer])) ** 2).sum() / (4 * n**2 * m**2)
        return loss

    def __call__(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        x = self.tensor(image).requires_grad_()
        loss = self.loss(x)
        loss.backward()
        assert x.grad is not None
        return loss.item(), x.grad.numpy().transpose(1, 2, 0)


def gram(features: torch.Tensor) -> torch.Tensor:
    flat = features.reshape(features.shape[0], -1)
    return flat @ flat.T
