"""The student's first parameters: layer by layer the linear regression from its own features to the teacher's.

The teacher's channels that hold most are picked greedily, and each of the student's layers learns to give those of the
teacher's layer of the same name from the student's layer before (He, Zhang, Sun 2017 prune channels so). A layer that
the teacher lacks gives once more what the one before gave. From here training starts thousands of steps ahead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from minstyle.network.weightfile import Weights

from .networks import TAPS, Student, Teacher, begins_block, features, relative, to_input

_POSITIONS = 600_000  # of all pictures, for one regression
_FEW = 32  # pictures for the first block, whose maps are large


@torch.no_grad()
def start(student: Student, teacher: Teacher, images: torch.Tensor, directions: list[torch.Tensor]) -> None:
    """Set the student's parameters from what both networks make of ``images`` (N, 3, H, W)."""
    x = t = before = to_input(images[:_FEW], teacher.weights)
    for name, convolution in student.convolutions.items():
        if name == "block2_conv1":
            x, t = (batched(images, partial(pooled_block1, network)) for network in (student, teacher))
        elif begins_block(name):
            x, t = functional.max_pool2d(x, 2), functional.max_pool2d(t, 2)
        if name in teacher.layers:
            before = batched(t, partial(teacher.convolve, name))
            t = functional.relu(before)
        chosen = largest_channels(t, convolution.out_channels)
        kernel, bias = regression(x, before[:, chosen], size=3)
        convolution.weight.copy_(kernel)
        convolution.bias.copy_(bias)
        size = batched(x, convolution).relu_().square().mean((0, 2, 3)).sqrt() + 1e-6
        convolution.weight /= size[:, None, None, None]
        convolution.bias /= size
        x = batched(x, convolution).relu_()
        if name in TAPS:
            set_projection(student, name, x, torch.einsum("nchw,ck->nkhw", t, directions[TAPS.index(name)]))


@torch.no_grad()
def start_from(student: Student, weights: Weights, images: torch.Tensor, targets: list[torch.Tensor]) -> None:
    """Set the student's parameters from another network, and from the teacher's features.

    Where that one has more channels, those are kept from which the most of the others can be told, and the next layer's
    kernels are fitted again to give what they gave. Where it has fewer, new ones begin at random, and the next layer
    does not look at them yet. Projections are fitted at all of TAPS.
    """
    x = wide = to_input(images, student.weights)
    cut_before = False
    for name, convolution in student.convolutions.items():
        if begins_block(name):
            x, wide = functional.max_pool2d(x, 2), functional.max_pool2d(wide, 2)
        kernel, bias = (torch.from_numpy(np.asarray(a, np.float32)) for a in weights.layers[name])
        kernel = kernel.permute(3, 2, 0, 1).contiguous()
        before = batched(wide, partial(functional.conv2d, weight=kernel, bias=bias, padding=1))
        after = functional.relu(before)
        cut = convolution.out_channels < len(bias)
        chosen = largest_channels(after[: 2 * _FEW], convolution.out_channels) if cut else list(range(len(bias)))
        kernel, bias = kernel[chosen], bias[chosen]
        if cut_before:
            kernel, bias = regression(x, before[:, chosen], size=3)
        had, read = kernel.shape[:2]
        convolution.weight[:had] = 0
        convolution.weight[:had, :read] = kernel
        convolution.bias[:had] = bias
        cut_before = cut
        wide, x = after, batched(x, convolution).relu_()
        if name in TAPS:
            set_projection(student, name, x, targets[TAPS.index(name)])


def mean(networks: list[Weights]) -> Weights:
    """The mean of networks' parameters, of their convolutions alone: projections may be turned in any way.

    Of states of one training it is better than each of them (Wortsman et al. 2022: "model soups"): each has mistakes
    of its own that a style transfer falls for.
    """
    layers = {
        name: tuple(np.mean([np.asarray(n.layers[name][i], np.float32) for n in networks], axis=0) for i in range(2))
        for name in networks[0].layers
    }
    return dataclasses.replace(networks[0], layers=layers, projections={})


def set_projection(student: Student, name: str, x: torch.Tensor, target: torch.Tensor) -> None:
    """Fit the linear map from the student's features x to the teacher's coordinates."""
    size = student.sizes[name][:, None, None]
    weight, _ = regression(x, target / size, size=1, intercept=False)
    student.projections[name].weight.copy_(weight)
    error = relative(functional.conv2d(x[:_FEW], weight) * size, target[:_FEW]).mean()
    print(f"start: {name} {error:.3f}", flush=True)


def pooled_block1(network: Student | Teacher, images: torch.Tensor) -> torch.Tensor:
    return functional.max_pool2d(features(network, images, ["block1_conv2"])[0], 2)


def batched(x: torch.Tensor, f: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    return torch.cat([f(part) for part in x.split(8)])


def largest_channels(features: torch.Tensor, count: int) -> list[int]:
    """The channels from which, one after the other, most of what is left of all channels can be told linearly."""
    flat = features.transpose(0, 1).flatten(1)
    left, chosen = (flat @ flat.T).double(), []
    for _ in range(count):
        gain = left.square().sum(0) / left.diagonal().clamp(min=1e-9 * left.diagonal().max())
        gain[chosen] = 0
        i = int(gain.argmax())
        chosen.append(i)
        left -= torch.outer(left[:, i], left[i]) / left[i, i].clamp(min=1e-12)
    return chosen


def regression(
    x: torch.Tensor, target: torch.Tensor, size: int, intercept: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """The kernel (Cout, Cin, size, size) and bias (Cout,) that take x nearest to ``target`` in the squares' sum.

    Each picture counts alike, whatever its contrast.
    """
    n, cin, height, width = x.shape
    taps, step = cin * size**2, max(1, n * height * width // _POSITIONS)
    products = torch.zeros(taps + 1, taps + 1 + target.shape[1], dtype=torch.float64)
    for part, wanted in zip(x.split(8), target.split(8), strict=True):
        columns = functional.unfold(part, size, padding=size // 2)  # (n, Cin * size^2, positions)
        weight = 1 / (wanted.square().mean((1, 2, 3)).sqrt() + 1e-3)
        rows = torch.cat([columns, torch.ones_like(columns[:, :1]), wanted.flatten(2)], 1) * weight[:, None, None]
        rows = rows[:, :, ::step].transpose(0, 1).flatten(1)
        products += (rows[: taps + 1] @ rows.T).double()
    if not intercept:
        products[taps] = 0
        products[:, taps] = 0
    moment, towards = products[:, : taps + 1], products[:, taps + 1 :]
    ridge = 1e-4 * moment.diagonal().mean() * torch.eye(taps + 1, dtype=torch.float64)
    solved = torch.linalg.solve(moment + ridge, towards).float()
    return solved[:taps].T.reshape(-1, cin, size, size).contiguous(), solved[taps]
