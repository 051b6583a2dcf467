"""The student's first parameters: layer by layer the linear regression from its own features to the teacher's.

The teacher's channels that hold most are picked greedily, and each of the student's layers learns to give those of the
teacher's layer of the same name from the student's layer before (He, Zhang, Sun 2017 prune channels so). A layer that
the teacher lacks gives once more what the one before gave. From here training starts thousands of steps ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional

from .networks import TAPS, Student, Teacher, relative, to_input

_POSITIONS = 600_000  # of all pictures, for one regression
_FEW = 128  # pictures for the first block, whose maps are large


@torch.no_grad()
def start(student: Student, teacher: Teacher, images: torch.Tensor, directions: list[torch.Tensor]) -> None:
    """Set the student's parameters from what both networks make of ``images`` (N, 3, H, W)."""
    x = t = before = to_input(images[:_FEW], teacher.weights)
    for name, convolution in student.convolutions.items():
        if name == "block2_conv1":
            x, t = (batched(images, partial(network.before, 2)) for network in (student, teacher))
        elif name.endswith("conv1") and name != "block1_conv1":
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
            tap = TAPS.index(name)
            target = torch.einsum("nchw,ck->nkhw", t, directions[tap]) / student.sizes[name][:, None, None]
            weight, _ = regression(x, target, size=1, intercept=False)
            student.projections[name].weight.copy_(weight)
            size = student.sizes[name][:, None, None]
            error = relative(functional.conv2d(x[:_FEW], weight) * size, target[:_FEW] * size).mean()
            print(f"start: {name} {error:.3f}", flush=True)


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
