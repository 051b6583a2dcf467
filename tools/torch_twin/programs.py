"""The known programs' losses once more, in PyTorch, from the programs' own sources, with no maths of ours.

Each class is one program: its layers, its numbers, its formulas; ``Fine`` is ours, from its definition. What a program
does to its image (range, mean, padding) is in ``Network``. Two things are not the program's: pooling an odd number of
rows leaves out the last one (neural-style's Caffe loader and Athalye's TensorFlow round up), and the total variation
that Johnson's program adds to the gradient alone is in the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

BLOCKS = {"vgg16": [2, 2, 3, 3, 3], "vgg19": [2, 2, 4, 4, 4]}
RELU_X_1 = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
TORCHVISION = 255 * (0.229 + 0.224 + 0.225) / 3  # grey levels in one unit of its networks' input

Tensor = torch.Tensor
Features = Mapping[str, Tensor]


class Network:
    """VGG with max pooling. ``conv`` layers are before ReLU, ``relu`` layers after it.

    ``unit``: grey levels in one unit of the network's input that the program was written for; ``white``: its value of
    white, where the networks were trained with 255.
    """

    def __init__(self, weights: Any, dtype: torch.dtype, unit: float, white: float, padding: str) -> None:
        order = [2, 1, 0] if weights.channel_order == "BGR" else [0, 1, 2]
        self.blocks, self.order, self.white, self.padding = BLOCKS[weights.network], order, white, padding
        self.mean, self.std = (torch.tensor(v, dtype=dtype)[:, None, None] for v in (weights.mean, weights.std))
        self.kernels = {
            name: (torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).to(dtype), torch.from_numpy(bias).to(dtype))
            for name, (kernel, bias) in weights.layers.items()
        }
        self.factor = sum(weights.std) / 3 / unit

    def features(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """``image`` (3, H, W), RGB, 0..255 -> the maps (C, H', W') of ``layers``."""
        x = ((image * (self.white / 255) - self.mean) / self.std)[self.order][None]
        found: dict[str, Tensor] = {}
        for block, count in enumerate(self.blocks, start=1):
            for i in range(1, count + 1):
                mode = self.padding if (block, i) == (1, 1) else "constant"
                x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode), *self.kernels[f"block{block}_conv{i}"])
                maps = {f"conv{block}_{i}": x, f"relu{block}_{i}": functional.relu(x)}
                found |= {name: self.factor * f[0] for name, f in maps.items() if name in layers}
                if len(found) == len(set(layers)):
                    return found
                x = maps[f"relu{block}_{i}"]
            x = functional.max_pool2d(x, 2)
        raise AssertionError(f"the network has not all of {layers}")


class Twin:
    """``twin(image) -> (loss, gradient)``, image and gradient (H, W, 3), RGB, 0..255, like the objective.

    ``blend`` is how much each style counts.
    """

    loss: Callable[[Tensor, Features], Tensor]  # of the image and its features
    target: Callable[[Sequence[Tensor]], Any]  # what the program keeps of the styles' maps at one layer
    content_layer = "relu4_2"
    style_layers: ClassVar[Sequence[str]] = RELU_X_1
    unit, white, padding = 1.0, 255.0, "constant"

    def __init__(
        self,
        weights: Any,
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        blend: Sequence[float] = (1,),
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.dtype, self.blend = dtype, [b / sum(blend) for b in blend]
        self.network = Network(weights, dtype, self.unit, self.white, self.padding)
        self.layers = [self.content_layer, *self.style_layers]
        with torch.no_grad():
            self.content = self.network.features(self.tensor(content), [self.content_layer])[self.content_layer]
            found = [self.network.features(self.tensor(style), self.style_layers) for style in styles]
            self.targets = {layer: self.target([f[layer] for f in found]) for layer in self.style_layers}

    def tensor(self, image: np.ndarray) -> Tensor:
        return torch.from_numpy(image.transpose(2, 0, 1).copy()).to(self.dtype)

    def blended(self, statistic: Callable[[Tensor], Tensor], styles: Sequence[Tensor]) -> Tensor:
        return torch.stack([b * statistic(s) for b, s in zip(self.blend, styles, strict=True)]).sum(0)

    def __call__(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        x = self.tensor(image).requires_grad_()
        loss: Tensor = self.loss(x, self.network.features(x, self.layers))
        (gradient,) = torch.autograd.grad(loss, x)
        return loss.item(), gradient.numpy().transpose(1, 2, 0)


def gram(f: Tensor) -> Tensor:
    return torch.einsum("cij,dij->cd", f, f)


def gram_per_element(f: Tensor) -> Tensor:
    return gram(f) / f.numel()


def mean_square(a: Tensor, b: Tensor) -> Tensor:
    return ((a - b) ** 2).mean()


class Johnson(Twin):
    """jcjohnson/neural-style, neural_style.lua: white is 256; styles are blended as Gram matrices."""

    white = 256.0

    def target(self, styles: Sequence[Tensor]) -> Tensor:
        return self.blended(gram_per_element, styles)

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 5.0 * mean_square(f["relu4_2"], self.content)
        for layer in RELU_X_1:
            loss = loss + 1e2 * mean_square(gram_per_element(f[layer]), self.targets[layer])
        x = image * (256 / 255)  # the module that adds its gradient reads what the network reads
        right = x[:, :-1, :-1] - x[:, :-1, 1:]
        down = x[:, :-1, :-1] - x[:, 1:, :-1]
        return loss + 1e-3 * 0.5 * (right**2 + down**2).sum()


class GatysCode(Twin):
    """leongatys/PytorchNeuralStyleTransfer, NeuralStyleTransfer.ipynb."""

    def target(self, styles: Sequence[Tensor]) -> Tensor:
        (style,) = styles
        return self.statistic(style)

    @staticmethod
    def statistic(f: Tensor) -> Tensor:
        return gram(f) / (f.shape[1] * f.shape[2])

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 1e0 * mean_square(f["relu4_2"], self.content)
        for layer, n in zip(RELU_X_1, [64, 128, 256, 512, 512], strict=True):
            loss = loss + 1e3 / n**2 * mean_square(self.statistic(f[layer]), self.targets[layer])
        return loss


class Athalye(Twin):
    """anishathalye/neural-style, stylize.py: with several styles, each has a loss of its own."""

    def target(self, styles: Sequence[Tensor]) -> list[Tensor]:
        return [gram_per_element(style) for style in styles]

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 5.0 * mean_square(f["relu4_2"], self.content)
        for layer in RELU_X_1:
            g = gram_per_element(f[layer])
            for b, target in zip(self.blend, self.targets[layer], strict=True):
                loss = loss + 500.0 * b * (1 / 5) * mean_square(g, target)
        down = mean_square(image[:, 1:], image[:, :-1])
        right = mean_square(image[:, :, 1:], image[:, :, :-1])
        return loss + 100.0 * (down + right)


class PytorchTutorial(Twin):
    """pytorch/tutorials, neural_style_tutorial.py: conv_1 to conv_5 counted through the network, before ReLU."""

    content_layer = "conv2_2"
    style_layers = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1")
    unit = TORCHVISION

    def target(self, styles: Sequence[Tensor]) -> Tensor:
        (style,) = styles
        return gram_per_element(style)

    def loss(self, image: Tensor, f: Features) -> Tensor:
        style = [mean_square(gram_per_element(f[layer]), self.targets[layer]) for layer in self.style_layers]
        return 1e6 * torch.stack(style).sum() + 1.0 * mean_square(f["conv2_2"], self.content)


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
            target_mean, target_covariance, root = self.targets[layer]
            mean = f[layer].mean((1, 2))
            covariance = self.covariance(mean, second_moment(f[layer]))
            trace = (target_covariance + covariance).trace() - 2 * self.trace_of_root(root, covariance)
            loss = loss + weight / 341 * (((mean - target_mean) ** 2).mean() + trace / len(mean))
        return loss + 2.0 * self.variation(image / 255)

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


def second_moment(f: Tensor) -> Tensor:
    return gram(f) / (f.shape[1] * f.shape[2])


class Fine(Twin):
    """Ours: Johnson's formulas with six times the weight in block 5, and the variation up to the edges."""

    padding = "replicate"

    def target(self, styles: Sequence[Tensor]) -> Tensor:
        return self.blended(gram_per_element, styles)

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 5.0 * mean_square(f["relu4_2"], self.content)
        for layer, weight in zip(RELU_X_1, [1, 1, 1, 1, 6], strict=True):
            loss = loss + 1e2 * weight * mean_square(gram_per_element(f[layer]), self.targets[layer])
        right, down = image[:, :, 1:] - image[:, :, :-1], image[:, 1:] - image[:, :-1]
        return loss + 1e-3 / 2 * ((right**2).sum() + (down**2).sum())


TWINS: Mapping[str, type[Twin]] = {
    "johnson": Johnson,
    "gatys-code": GatysCode,
    "athalye": Athalye,
    "pytorch-tutorial": PytorchTutorial,
    "crowson": Crowson,
    "fine": Fine,
}
