"""The recipes ``document`` and ``gatys`` once more, in PyTorch, from the programs' formulas, with no maths of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

BLOCKS = {"vgg16": [2, 2, 3, 3, 3], "vgg19": [2, 2, 4, 4, 4]}


CONTENT = {"document": "block5_conv2", "gatys": "block4_conv2"}
STYLE = [f"block{i}_conv1" for i in range(1, 6)]


class Twin:
    """``twin(image) -> (loss, gradient)`` with image and gradient (H, W, 3), RGB, 0..255, like the objective.

    ``layout`` is how PyTorch keeps its maps in memory.
    """

    def __init__(
        self,
        weights: Any,
        recipe: str,
        content: np.ndarray,
        style: np.ndarray,
        dtype: torch.dtype,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.network, self.mean, self.std = weights.network, weights.mean, weights.std
        self.in_bgr, self.recipe, self.dtype, self.layout = weights.channel_order == "BGR", recipe, dtype, layout
        self.kernels = {
            name: (
                torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))).to(dtype, memory_format=layout),
                torch.from_numpy(bias).to(dtype),
            )
            for name, (kernel, bias) in weights.layers.items()
        }
        # Features as of a network that takes grey levels, for which the recipes' weights were chosen.
        self.unit = sum(weights.std) / 3
        with torch.no_grad():
            self.content_features = self.features(self.tensor(content))[CONTENT[recipe]]
            found = self.features(self.tensor(style))
            self.style_grams = {layer: gram(found[layer]) for layer in STYLE}

    def tensor(self, image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(self.dtype)

    def features(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of the layers that the recipe reads; nothing past the last is computed, nothing else is kept."""
        mean = torch.tensor(self.mean, dtype=self.dtype)[:, None, None]
        std = torch.tensor(self.std, dtype=self.dtype)[:, None, None]
        x = ((image - mean) / std)[None]
        if self.in_bgr:
            x = x.flip(1)
        x = x.contiguous(memory_format=self.layout)
        wanted, found = {*STYLE, CONTENT[self.recipe]}, {}
        for block, count in enumerate(BLOCKS[self.network], start=1):
            for i in range(1, count + 1):
                name = f"block{block}_conv{i}"
                x = functional.relu_(functional.conv2d(x, *self.kernels[name], padding=1))
                if name in wanted:
                    found[name] = x[0] if self.unit == 1 else self.unit * x[0]
                if len(found) == len(wanted):
                    return found
            x = functional.max_pool2d(x, 2) if self.recipe == "document" else 2 * functional.avg_pool2d(x, 2)
        raise AssertionError(f"the network has not all of {wanted}")

    def loss(self, image: torch.Tensor) -> torch.Tensor:
        return self.document(image) if self.recipe == "document" else self.gatys(image)

    def document(self, image: torch.Tensor) -> torch.Tensor:
        """Deep Learning with Python, 8.3."""
        f = self.features(image)
        _, height, width = image.shape
        loss = 0.025 * ((self.content_features - f["block5_conv2"]) ** 2).sum()
        for layer in STYLE:
            channels = 3
            size = height * width
            difference = ((self.style_grams[layer] - gram(f[layer])) ** 2).sum()
            loss = loss + (1.0 / 5) * difference / (4.0 * channels**2 * size**2)
        down = (image[:, : height - 1, : width - 1] - image[:, 1:, : width - 1]) ** 2
        right = (image[:, : height - 1, : width - 1] - image[:, : height - 1, 1:]) ** 2
        return loss + 1e-4 * ((down + right) ** 1.25).sum()

    def gatys(self, image: torch.Tensor) -> torch.Tensor:
        """Gatys, Ecker, Bethge 2016: equations 1, 4, 5, 7 with alpha/beta = 1e-3."""
        f = self.features(image)
        loss = 0.5 * ((f["block4_conv2"] - self.content_features) ** 2).sum()
        for layer in STYLE:
            n, m = f[layer].shape[0], f[layer].shape[1] * f[layer].shape[2]
            difference = ((gram(f[layer]) - self.style_grams[layer]) ** 2).sum()
            loss = loss + 1e3 * 0.2 * difference / (4 * n**2 * m**2)
        return loss

    def __call__(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        x = self.tensor(image).requires_grad_()
        loss = self.loss(x)
        loss.backward()
        assert x.grad is not None
        return loss.item(), x.grad.numpy().transpose(1, 2, 0)


def gram(features: torch.Tensor) -> torch.Tensor:
    if features.stride(0) == 1:  # channels last: flattened without a copy
        flat = features.permute(1, 2, 0).reshape(-1, features.shape[0])
        return flat.T @ flat
    flat = features.reshape(features.shape[0], -1)
    return flat @ flat.T
