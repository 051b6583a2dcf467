"""VGG in PyTorch, written without any maths of minstyle's, and as fast as PyTorch can be: benchmarks measure by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

BLOCKS = {"vgg16": [2, 2, 3, 3, 3], "vgg19": [2, 2, 4, 4, 4]}

Tensor = torch.Tensor
Features = Mapping[str, Tensor]


class Network:
    """VGG with maximum or average pooling. ``conv`` layers are before ReLU, ``relu`` layers after it.

    ``weights`` has the fields of minstyle's ``Weights``. ``unit``: grey levels in one unit of the network's input that
    the program was written for; ``white``: its value of white, where the networks were trained with 255; ``pooling``:
    "max" or "average", the mean times 2; ``padding``: of the first convolution, "constant" (zeros) or another mode of
    ``functional.pad``; ``layout``: how PyTorch keeps its maps in memory.
    """

    def __init__(
        self,
        weights: Any,
        dtype: torch.dtype,
        layout: torch.memory_format,
        unit: float,
        white: float,
        pooling: str,
        padding: str,
        device: str = "cpu",
    ) -> None:
        self.blocks, self.in_bgr = BLOCKS[weights.network], weights.channel_order == "BGR"
        self.dtype, self.layout = dtype, layout
        self.white, self.pooling, self.padding = white, pooling, padding
        self.mean, self.std = (
            torch.tensor(v, dtype=dtype, device=device)[:, None, None] for v in (weights.mean, weights.std)
        )
        self.kernels = {
            name: (
                torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))).to(
                    device, dtype, memory_format=layout
                ),
                torch.from_numpy(bias).to(device, dtype),
            )
            for name, (kernel, bias) in weights.layers.items()
        }
        self.factor = sum(weights.std) / 3 / unit

    def features(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """``image`` (3, H, W), RGB, 0..255 -> the maps (C, H', W') of ``layers``; nothing past the last is computed."""
        x, found = self.input(image), {}
        for block, count in enumerate(self.blocks, start=1):
            for i in range(1, count + 1):
                x = self.convolve(x, block, i)
                if f"conv{block}_{i}" in layers:
                    found[f"conv{block}_{i}"] = self.in_units(x)
                    x = functional.relu(x)
                else:
                    x = functional.relu_(x)
                if f"relu{block}_{i}" in layers:
                    found[f"relu{block}_{i}"] = self.in_units(x)
                if len(found) == len(set(layers)):
                    return found
            x = functional.max_pool2d(x, 2) if self.pooling == "max" else 2 * functional.avg_pool2d(x, 2)
        raise AssertionError(f"the network has not all of {layers}")

    def input(self, image: Tensor) -> Tensor:
        """The image as the network wants it, (1, 3, H, W)."""
        if self.white != 255:
            image = image * (self.white / 255)
        x = ((image - self.mean) / self.std)[None]
        return (x.flip(1) if self.in_bgr else x).contiguous(memory_format=self.layout)

    def convolve(self, x: Tensor, block: int, i: int) -> Tensor:
        kernel = self.kernels[f"block{block}_conv{i}"]
        if (block, i) == (1, 1) and self.padding != "constant":
            return functional.conv2d(functional.pad(x, (1, 1, 1, 1), self.padding), *kernel)
        return functional.conv2d(x, *kernel, padding=1)

    def in_units(self, x: Tensor) -> Tensor:
        """A map (1, C, H, W) in the program's unit, (C, H, W); where it is the weights' own, without a copy."""
        return x[0] if self.factor == 1 else self.factor * x[0]


def gram(f: Tensor) -> Tensor:
    """F F^T of a map (C, H, W), (C, C); in either layout without a copy of the map."""
    if f.stride(0) == 1:  # channels last
        flat = f.permute(1, 2, 0).reshape(-1, f.shape[0])
        return flat.T @ flat
    flat = f.reshape(f.shape[0], -1)
    return flat @ flat.T
