"""Crowson's program: Wasserstein distances, with exact square roots of matrices and with the program's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from .network import Features, Tensor
from .twin import RELU_X_1, TORCHVISION, Twin, mean_square, second_moment


class Crowson(Twin):
    """crowsonkb/style-transfer-pytorch, style_transfer.py, with square roots that are exact (to rounding)."""

    unit, padding = TORCHVISION, "replicate"

    def target(self, styles: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, covariance and its square root; styles are blended as means and second raw moments."""
        mean = self.blended(lambda f: f.mean((1, 2)), styles)
        covariance = self.covariance(mean, self.blended(second_moment, styles))
        return mean, covariance, self.root(covariance)

    @staticmethod
    def covariance(mean: Tensor, moment: Tensor) -> Tensor:
        return moment - torch.outer(mean, mean) + 1e-4 * torch.eye(len(mean), dtype=mean.dtype)

    def root(self, matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        return (vectors * values.sqrt()) @ vectors.T

    def trace_of_root(self, root: Tensor, covariance: Tensor) -> Tensor:
        """tr (R S R)^(1/2): the sum of the singular values of R L, S = L L^T, which loses no digits to squaring."""
        return torch.linalg.svdvals(root @ torch.linalg.cholesky(covariance)).sum()

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 0.015 * mean_square(f["relu4_2"], self.content)
        for layer, weight in zip(RELU_X_1, [256, 64, 16, 4, 1], strict=True):
            loss = loss + weight / 341 * self.distance(layer, f[layer])
        return loss + 2.0 * self.variation(image / 255)

    def distance(self, layer: str, f: Tensor) -> Tensor:
        target_mean, target_covariance, root = self.targets[layer]
        mean = f.mean((1, 2))
        covariance = self.covariance(mean, second_moment(f))
        trace = (target_covariance + covariance).trace() - 2 * self.trace_of_root(root, covariance)
        return ((mean - target_mean) ** 2).mean() + trace / len(mean)

    @staticmethod
    def variation(image: Tensor) -> Tensor:
        """Nine-point stencil: steps to the right, down and along both diagonals; the image's edge is repeated."""
        x = functional.pad(image[None], (1, 1, 1, 1), "replicate")[0]
        right = ((x[:, 1:-1, 2:] - x[:, 1:-1, 1:-1]) ** 2).mean()
        down = ((x[:, 2:, 1:-1] - x[:, 1:-1, 1:-1]) ** 2).mean()
        diagonal = ((x[:, 1:, 1:] - x[:, :-1, :-1]) ** 2).mean()
        other = ((x[:, 1:, :-1] - x[:, :-1, 1:]) ** 2).mean()
        return 2 * (right / 3 + down / 3 + diagonal / 12 + other / 12)


class CrowsonIterated(Crowson):
    """The same with the program's square roots: 12 steps of an iteration, forward and in the adjoint."""

    def root(self, matrix: Tensor) -> Tensor:
        return newton_schulz(matrix)

    def trace_of_root(self, root: Tensor, covariance: Tensor) -> Tensor:
        return NewtonSchulz.apply(root @ covariance @ root).trace()


class NewtonSchulz(torch.autograd.Function):
    """Square root of a matrix; Lin, Maji, Improved Bilinear Pooling with CNNs (2017), sections 3.2 and 3.3."""

    @staticmethod
    def forward(context: Any, matrix: Tensor) -> Tensor:
        root = newton_schulz(matrix)
        context.save_for_backward(root)
        return root

    @staticmethod
    def backward(context: Any, g: Tensor) -> Tensor:
        """Solves the Lyapunov equation Z X + X Z = g by the iteration for the sign of [[Z, g], [0, -Z]]."""
        (z,) = context.saved_tensors
        size = z.norm()
        three = 3 * torch.eye(len(z), dtype=z.dtype)
        z, x = z / size, g / size
        for _ in range(12):
            left = three - z @ z
            x = 0.5 * (x @ left - z.T @ (z.T @ x - x @ z))
            z = 0.5 * z @ left
        return x / 2


def newton_schulz(matrix: Tensor) -> Tensor:
    """12 steps of the coupled iteration from Y = A / |A|, Z = 1, of which Y goes to the root."""
    size = matrix.norm()
    identity = torch.eye(len(matrix), dtype=matrix.dtype)
    y, z = matrix / size, identity
    for _ in range(12):
        t = 1.5 * identity - 0.5 * z @ y
        y, z = y @ t, t @ z
    return size.sqrt() * y
