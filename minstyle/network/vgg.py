"""VGG16 and VGG19 (Simonyan, Zisserman 2014) as a table, and the network that computes their features.

Five blocks of 3x3 convolutions, each followed by ReLU; after each block a pooling layer halves the picture. A layer's
features are those after ReLU. Names are Keras's (``block1_conv1``, ``block1_pool``); the paper-style ``conv1_1``,
``relu1_1`` and ``pool1`` mean the same. ``block1_conv1_linear`` (or ``conv1_1_linear``) are the features before ReLU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import CPU, Array, Device
from ..engine import ops
from ..engine.kernels import Kernel
from ..errors import LayerError, WeightsError, require
from .layers import BLOCKS, CHANNELS, canonical, layer_names
from .projection import Projected, as_map

if TYPE_CHECKING:  # it brings h5py, a fifth of the time that the command line takes to start
    from .weightfile import Weights

# Grey levels in one unit of the input of torchvision's networks: of 1 after their division by the deviations.
TORCHVISION_UNIT = 255 * (0.229 + 0.224 + 0.225) / 3

# The op, and the factor after it that keeps activations about as large as max pooling makes them, for which the
# networks were trained (the factors that Crowson's program measured on VGG19).
POOLINGS = {"max": (ops.max_pool2, 1.0), "average": (ops.avg_pool2, 2.0), "l2": (ops.l2_pool2, 0.78)}

LINEAR = "_linear"  # what a convolution gives before ReLU
# How the first convolution continues the picture: with its mean colour, which is 0 after normalisation, with copies of
# its edge, or mirrored. The others pad with zeros.
PADDINGS = ("zero", "replicate", "reflect")


class Network:
    """A VGG on a device, ready to compute features of images (H, W, 3), RGB, 0..255.

    It owns its normalisation: the mean is subtracted as the first step; scale and channel order are folded into the
    first kernel (that is exact, since zero padding comes after the mean).

    Raises WeightsError when the weights are not those of the network that they name.
    """

    def __init__(self, weights: Weights, device: Device = CPU, dtype: Any = np.float32) -> None:
        self.name, self.device, self.dtype = weights.network, device, np.dtype(dtype)
        self.source = weights.source
        # Grey levels (of 0..255) in one unit of the input: 1 for Caffe's weights, about 58 for torchvision's.
        self.unit = float(np.mean(weights.std))
        if weights.network not in BLOCKS:
            raise WeightsError(f"unknown network {weights.network!r}: known are {', '.join(BLOCKS)}")
        table = layer_names(weights.network)
        convolutions = [name for name in table if "conv" in name]
        require(list(weights.layers) == convolutions[: len(weights.layers)], f"layers of {self.name}",
                f"{convolutions[0]} and those that follow it without a gap", ", ".join(weights.layers),
                WeightsError)  # fmt: skip
        end = table.index(list(weights.layers)[-1]) + 1
        if end < len(table) and table[end].endswith("_pool"):
            end += 1
        self.layers = table[:end]
        self.mean_color = tuple(float(value) for value in weights.mean)  # RGB
        self._minus_mean = device.asarray(-np.asarray(weights.mean, dtype=np.float64), self.dtype)
        self._parameters = {}
        for name, (kernel, bias) in weights.layers.items():
            if name == convolutions[0]:
                kernel = _first_kernel(kernel, weights)
            self._parameters[name] = (Kernel(device.asarray(kernel, self.dtype)), device.asarray(bias, self.dtype))
        self._projections = {n: device.asarray(matrix, self.dtype) for n, matrix in weights.projections.items()}

    def features(self, image: Any, layers: Iterable[str], **settings: Any) -> dict[str, Any]:
        """The feature maps (H', W', C) of ``image`` at ``layers``, by canonical name; settings as in ``walk``."""
        return {name: as_map(f) for name, f in self.walk(image, layers, **settings)}

    def walk(
        self,
        image: Any,
        layers: Iterable[str],
        *,
        pooling: str = "max",
        pooling_factor: float | None = None,
        padding: str = "zero",
    ) -> Iterator[tuple[str, Any]]:
        """(canonical name, feature map (H', W', C)) of ``image`` at each of ``layers``, as they are computed.

        A map that the caller lets go of does not stay. Nothing past the last layer is computed. Where the weights have
        a projection, what is given is a ``Projected`` map; what the next layer reads is as it is.
        ``image`` is an array on the network's device or a Var of one. ``pooling`` is "max", "average" or "l2";
        ``pooling_factor`` multiplies after it (None: the pooling's own factor, see POOLINGS). ``padding`` is how the
        first convolution continues the image, one of PADDINGS.
        Raises LayerError for a layer the network does not have, ShapeError for an image too small to be pooled, or to
        be reflected.
        """
        wanted = {self.check_layer(layer) for layer in layers}
        require(pooling in POOLINGS, "pooling", " or ".join(POOLINGS), repr(pooling), LayerError)
        require(padding in PADDINGS, "padding", " or ".join(PADDINGS), repr(padding), LayerError)
        pool, own_factor = POOLINGS[pooling]
        factor = own_factor if pooling_factor is None else pooling_factor
        require(len(image.shape) == 3 and image.shape[2] == 3, "image", "(H, W, 3)", image.shape)
        needed = self._up_to_the_last(wanted, image.shape[:2])
        # One name for the map in hand: rebinding it lets the previous map go as soon as it has been read.
        x = ops.add(image, self._minus_mean)
        framed = bool(needed) and padding != "zero"
        x = ops.pad(x, width=1, mode=padding) if framed else x
        pooled = False
        for name, following in zip(needed, (*needed, "")[1:], strict=True):
            if name + LINEAR in wanted:
                x = ops.conv2d(x, *self._parameters[name], valid=framed)
                yield name + LINEAR, x
                x = ops.relu(x) if name in wanted or following else x
            elif "conv" in name:
                # Where nobody wants the map itself, it is pooled on the way.
                pooled = pooling == "max" and following.endswith("_pool") and name not in wanted
                if pooled:
                    x = ops.conv_relu_pool2(x, *self._parameters[name])
                else:
                    x = ops.conv_relu(x, *self._parameters[name], kept=name in wanted, valid=framed)
            else:
                x = x if pooled else pool(x)
                pooled = False
                x = x if factor == 1.0 else ops.scale(x, factor=factor)
            framed = False
            if name in wanted:
                yield name, Projected(x, self._projections[name]) if name in self._projections else x

    def channel_share(self, layer: str) -> float:
        """Channels of a layer's features over those of the network that they stand for: 1 but for projections."""
        if layer not in self._projections:
            return 1.0
        return float(self._projections[layer].shape[1] / CHANNELS[int(layer[5]) - 1])

    def _up_to_the_last(self, wanted: set[str], size: tuple[int, int]) -> tuple[str, ...]:
        """The layers to compute; raises ShapeError where pooling would leave nothing of an image of that size."""
        last = max((self.layers.index(name.removesuffix(LINEAR)) for name in wanted), default=-1)
        layers = self.layers[: 1 + last]
        for halvings, name in enumerate((name for name in layers if name.endswith("_pool")), start=1):
            require(min(size) >= 2**halvings, f"image for {name}", f"{2**halvings} x {2**halvings} or more", size)
        return layers

    def check_layer(self, layer: str) -> str:
        """The canonical name of ``layer``; raises LayerError with the list of known ones."""
        name = canonical(layer)
        computed = name.removesuffix(LINEAR)
        if computed not in self.layers or (name.endswith(LINEAR) and computed.endswith("_pool")):
            raise LayerError(f"unknown layer {layer!r} of {self.name}: known are {', '.join(self.layers)}")
        return name

    def check_loss_layer(self, layer: str) -> str:
        """``check_layer``, and LayerError for a layer at which a small network has no projection: it means nothing."""
        name = self.check_layer(layer)
        if self.small and name not in self._projections:
            known = ", ".join(self._projections)
            raise LayerError(f"a small network stands in for {self.name} at {known} only, got layer {layer!r}. "
                             f"For others: python -m minstyle.weights fetch {self.name}")  # fmt: skip
        return name

    @property
    def small(self) -> bool:
        """Whether this is a small network that imitates the one it is named after."""
        return bool(self._projections)


def _first_kernel(kernel: Array, weights: Weights) -> Array:
    """The first kernel for input in RGB that has not been divided by std."""
    if weights.channel_order == "BGR":
        kernel = kernel[:, :, ::-1]
    return kernel.astype(np.float64) / np.asarray(weights.std)[:, None]
