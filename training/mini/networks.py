"""Teacher and student: VGG16 as it is, and a thin VGG19 whose features are mapped to the teacher's coordinates."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from minstyle.network.layers import BLOCKS
from minstyle.network.projection import thinnest
from minstyle.network.weightfile import Weights

# The layers that losses read.
TAPS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block4_conv2", "block5_conv1", "block5_conv2")
LAST = TAPS[-1]
_COUNTS = (*BLOCKS["vgg19"][:4], 2)
CONVOLUTIONS = [f"block{block}_conv{i}" for block, count in enumerate(_COUNTS, start=1) for i in range(1, count + 1)]


def to_input(images: torch.Tensor, weights: Weights) -> torch.Tensor:
    """(N, 3, H, W), RGB, 0..255 -> as the networks want it."""
    mean, std = (torch.tensor(v, dtype=torch.float32)[:, None, None] for v in (weights.mean, weights.std))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


class Teacher:
    """The features of VGG16 at TAPS."""

    def __init__(self, weights: Weights) -> None:
        if weights.channel_order != "RGB":
            raise SystemExit("the teacher's weights must be for RGB")
        self.weights = weights
        self.layers = {
            name: (
                torch.from_numpy(k.astype(np.float32).transpose(3, 2, 0, 1).copy()).contiguous(
                    memory_format=torch.channels_last
                ),
                torch.from_numpy(b.astype(np.float32)),
            )
            for name, (k, b) in weights.layers.items()
        }

    def convolve(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, *self.layers[name], padding=1)

    def __call__(self, images: torch.Tensor, names: Collection[str] = TAPS) -> list[torch.Tensor]:
        return features(self, images, names)

    def gradient(
        self, image: torch.Tensor, style: torch.Tensor, directions: list[torch.Tensor], tap: int
    ) -> torch.Tensor:
        """Of ``gram_distance`` between an image (1, 3, H, W) and projected features ``style`` (C, H, W) of another, at
        one of TAPS, in units of its own root mean square. -> (3, H, W)"""
        wanted = gram(style[None])[0]
        image = image.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            (f,) = self(image, [TAPS[tap]])
        distance = gram_distance(project([f.float()], [directions[tap]])[0], wanted)
        (g,) = torch.autograd.grad(distance, image)
        return g[0] / (g.square().mean().sqrt() + 1e-20)


class Student(nn.Module):
    """A VGG19 up to block5_conv2 with the given channels of its convolutions.

    ``sizes``: the root mean square of each coordinate at each tap. What is learnt is in units of it: else the first
    thousand steps go into bringing the projections to their size.
    """

    def __init__(self, weights: Weights, channels: tuple[int, ...], sizes: list[torch.Tensor]) -> None:
        super().__init__()
        self.weights = weights
        self.convolutions, cin = nn.ModuleDict(), 3
        for name, cout in zip(CONVOLUTIONS, channels, strict=True):
            self.convolutions[name] = nn.Conv2d(cin, cout, 3, padding=1)
            cin = cout
        width = {name: convolution.out_channels for name, convolution in self.convolutions.items()}
        self.projections = nn.ModuleDict(
            {name: nn.Conv2d(width[name], len(s), 1, bias=False) for name, s in zip(TAPS, sizes, strict=True)}
        )
        self.sizes = dict(zip(TAPS, sizes, strict=True))

    @property
    def layers(self) -> nn.ModuleDict:
        return self.convolutions

    def convolve(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self.convolutions[name](x)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The projected features at TAPS."""
        return [
            self.projections[name](x).float() * self.sizes[name][:, None, None]
            for name, x in zip(TAPS, features(self, images, TAPS), strict=True)
        ]

    @torch.no_grad()
    def to_weights(self, source: str, licence: str) -> Weights:
        """Kernels, biases and projections in minstyle's layout."""
        layers = {}
        for name, convolution in self.convolutions.items():
            layers[name] = (convolution.weight.permute(2, 3, 1, 0).numpy().copy(), convolution.bias.numpy().copy())
        projections = {name: thinnest((p.weight[:, :, 0, 0] * self.sizes[name][:, None]).T.numpy())
                       for name, p in self.projections.items()}  # fmt: skip
        mean, std = self.weights.mean, self.weights.std
        return Weights("vgg19", mean, std, "RGB", layers, source, "", licence, projections)


def begins_block(name: str) -> bool:
    """Whether pooling comes before the layer."""
    return name.endswith("conv1") and not name.startswith("block1")


def features(network: Teacher | Student, images: torch.Tensor, names: Collection[str]) -> list[torch.Tensor]:
    """What the layers ``names`` give, (N, C, H, W) each, of images (N, 3, H, W), in the network's order."""
    x, found = to_input(images, network.weights), []
    for name in network.layers:
        if begins_block(name):
            x = functional.max_pool2d(x, 2)
        x = functional.relu(network.convolve(name, x))
        if name in names:
            found.append(x)
            if len(found) == len(names):
                break
    return found


def project(features: list[torch.Tensor], directions: list[torch.Tensor]) -> list[torch.Tensor]:
    """Maps (N, C, H, W) in the coordinates of directions (C, k). -> (N, k, H, W)"""
    return [torch.einsum("nchw,ck->nkhw", f, d) for f, d in zip(features, directions, strict=True)]


def gram(f: torch.Tensor) -> torch.Tensor:
    """F^T F / M of maps (N, C, H, W). -> (N, C, C)"""
    flat = f.flatten(2)
    return (flat @ flat.transpose(1, 2)).float() / flat.shape[2]


def gram_distance(f: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """|G - A|^2 / |A|^2 of one map f (1, C, H, W), A ``style`` (C, C): what a style transfer makes small."""
    return ((gram(f)[0] - style) ** 2).sum() / (style**2).sum()


def alignment(g: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The cosine between two gradients (3, H, W), in the mean over three sizes of detail."""
    cosines = []
    for pixels in (1, 4, 16):
        a, b = (functional.avg_pool2d(v, pixels) for v in (g, target))
        cosines.append((a * b).sum() / (a.norm() * b.norm() + 1e-20))
    return torch.stack(cosines).mean()


def relative(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """|x - target|^2 / |target|^2 of each of a batch. (N, ...) -> (N,)"""
    difference, size = ((v * v).flatten(1).sum(1) for v in (x - target, target))
    return difference / (size + 1e-3 * size.mean() + 1e-12)
