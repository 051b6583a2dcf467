"""The known programs' losses once more, in PyTorch, from the programs' own sources, with no maths of ours.

Each class is one program: its layers, its numbers, its formulas; ``Fine`` and ``Gram`` are ours, from their
definitions. What a program does to its image (range, mean, padding) is in ``Network``. Two things are not the
program's: pooling an odd number of rows leaves out the last one (neural-style's Caffe loader and Athalye's TensorFlow
round up), and the total variation that Johnson's program adds to the gradient alone is in the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from .crowson import Crowson
from .network import Features, Tensor, gram
from .twin import RELU_X_1, TORCHVISION, Twin, gram_per_element, mean_square, second_moment


class Document(Twin):
    """F. Chollet, Deep Learning with Python, 8.3: one style, Gram matrices of sums, sizes of the image."""

    content_layer = "relu5_2"

    def target(self, styles: Sequence[Tensor]) -> Tensor:
        (style,) = styles
        return gram(style)

    def loss(self, image: Tensor, f: Features) -> Tensor:
        _, height, width = image.shape
        loss = 0.025 * ((self.content - f["relu5_2"]) ** 2).sum()
        for layer in RELU_X_1:
            channels = 3
            size = height * width
            difference = ((self.targets[layer] - gram(f[layer])) ** 2).sum()
            loss = loss + (1.0 / 5) * difference / (4.0 * channels**2 * size**2)
        down = (image[:, : height - 1, : width - 1] - image[:, 1:, : width - 1]) ** 2
        right = (image[:, : height - 1, : width - 1] - image[:, : height - 1, 1:]) ** 2
        return loss + 1e-4 * ((down + right) ** 1.25).sum()


class Gatys(Twin):
    """Gatys, Ecker, Bethge 2016: equations 1, 4, 5, 7 with alpha/beta = 1e-3; average pooling."""

    pooling = "average"

    def target(self, styles: Sequence[Tensor]) -> Tensor:
        (style,) = styles
        return gram(style)

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 0.5 * ((f["relu4_2"] - self.content) ** 2).sum()
        for layer in RELU_X_1:
            n, m = f[layer].shape[0], f[layer].shape[1] * f[layer].shape[2]
            difference = ((gram(f[layer]) - self.targets[layer]) ** 2).sum()
            loss = loss + 1e3 * 0.2 * difference / (4 * n**2 * m**2)
        return loss


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
        return second_moment(style)

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 1e0 * mean_square(f["relu4_2"], self.content)
        for layer, n in zip(RELU_X_1, [64, 128, 256, 512, 512], strict=True):
            loss = loss + 1e3 / n**2 * mean_square(second_moment(f[layer]), self.targets[layer])
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


class Gram(Twin):
    """Our default before: Johnson's formulas, three times the content, six times block 5, variation up to the edges."""

    padding = "replicate"

    def target(self, styles: Sequence[Tensor]) -> Tensor:
        return self.blended(gram_per_element, styles)

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 15.0 * mean_square(f["relu4_2"], self.content)
        for layer, weight in zip(RELU_X_1, [1, 1, 1, 1, 6], strict=True):
            loss = loss + 1e2 * weight * mean_square(gram_per_element(f[layer]), self.targets[layer])
        right, down = image[:, :, 1:] - image[:, :, :-1], image[:, 1:] - image[:, :-1]
        return loss + 1e-3 / 2 * ((right**2).sum() + (down**2).sum())


class Fine(Crowson):
    """Ours: a hundred times Crowson's without block 5, and twice as much of the variation."""

    style_layers = RELU_X_1[:4]

    def loss(self, image: Tensor, f: Features) -> Tensor:
        loss = 1.5 * mean_square(f["relu4_2"], self.content)
        for layer, weight in zip(self.style_layers, [256, 64, 16, 4], strict=True):
            loss = loss + 1e2 * weight / 341 * self.distance(layer, f[layer])
        return loss + 4e2 * self.variation(image / 255)


TWINS: Mapping[str, type[Twin]] = {
    "document": Document,
    "gatys": Gatys,
    "johnson": Johnson,
    "gatys-code": GatysCode,
    "athalye": Athalye,
    "pytorch-tutorial": PytorchTutorial,
    "crowson": Crowson,
    "gram": Gram,
    "fine": Fine,
}
