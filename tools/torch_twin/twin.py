"""What the programs of programs.py share: a content, styles, a network, a loss and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from .network import Features, Network, Tensor, gram

RELU_X_1 = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
TORCHVISION = 255 * (0.229 + 0.224 + 0.225) / 3  # grey levels in one unit of its networks' input


class Twin:
    """``twin(image) -> (loss, gradient)``, image and gradient (H, W, 3), RGB, 0..255, like minstyle's objective.

    ``blend`` is how much each style counts; ``layout`` how PyTorch keeps its maps in memory.
    """

    loss: Callable[[Tensor, Features], Tensor]  # of the image and its features
    target: Callable[[Sequence[Tensor]], Any]  # what the program keeps of the styles' maps at one layer
    content_layer = "relu4_2"
    style_layers: ClassVar[Sequence[str]] = RELU_X_1
    unit, white, pooling, padding = 1.0, 255.0, "max", "constant"

    def __init__(
        self,
        weights: Any,
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        blend: Sequence[float] = (1,),
        dtype: torch.dtype = torch.float64,
        layout: torch.memory_format = torch.contiguous_format,
        device: str = "cpu",
    ) -> None:
        self.device = device
        self.blend = [b / sum(blend) for b in blend]
        self.network = Network(weights, dtype, layout, self.unit, self.white, self.pooling, self.padding, device)
        self.layers = [self.content_layer, *self.style_layers]
        with torch.no_grad():
            self.content = self.network.features(self.tensor(content), [self.content_layer])[self.content_layer]
            found = [self.network.features(self.tensor(style), self.style_layers) for style in styles]
            self.targets = {layer: self.target([f[layer] for f in found]) for layer in self.style_layers}

    def tensor(self, image: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(self.device, self.network.dtype)

    def blended(self, statistic: Callable[[Tensor], Tensor], styles: Sequence[Tensor]) -> Tensor:
        return torch.stack([b * statistic(s) for b, s in zip(self.blend, styles, strict=True)]).sum(0)

    def __call__(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        x = self.tensor(image).requires_grad_()
        loss: Tensor = self.loss(x, self.network.features(x, self.layers))
        (gradient,) = torch.autograd.grad(loss, x)
        return loss.item(), gradient.numpy().transpose(1, 2, 0)


def gram_per_element(f: Tensor) -> Tensor:
    return gram(f) / f.numel()


def mean_square(a: Tensor, b: Tensor) -> Tensor:
    return ((a - b) ** 2).mean()


def second_moment(f: Tensor) -> Tensor:
    return gram(f) / (f.shape[1] * f.shape[2])
