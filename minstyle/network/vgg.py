"""VGG16 and VGG19 (Simonyan, Zisserman 2014): the network that computes features of images.

          block1        block2        block3        block4        block5      channels 64, 128, 256, 512, 512
    VGG16 conv conv     conv conv     conv x 3      conv x 3      conv x 3    each conv: 3 x 3, bias, ReLU
    VGG19 conv conv     conv conv     conv x 4      conv x 4      conv x 4    each block ends with 2 x 2 pooling

The table as data, and the names of the layers, are in ``layers``. Here ``plan`` lists the ops that lead to the layers
that somebody wants, and ``Network.walk`` runs the list.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..backend import CPU, Array, Device
from ..engine import ops
from ..engine.kernels import Kernel, check_precision
from ..engine.ops.padding import PADDINGS
from ..errors import LayerError, WeightsError, require
from .layers import BLOCKS, CHANNELS, LINEAR, block_of, canonical, layer_names
from .projection import Projected, as_map

if TYPE_CHECKING:  # it brings h5py, a fifth of the time that the command line takes to start
    from .weightfile import Weights

# torchvision divides RGB of 0..1 by these deviations: one unit of its networks' input is about 57.6 grey levels.
TORCHVISION_UNIT = 255 * (0.229 + 0.224 + 0.225) / 3

# The op, and the factor after it that keeps activations about as large as max pooling makes them, for which the
# networks were trained (the factors that Crowson's program measured on VGG19).
POOLINGS = {"max": (ops.max_pool2, 1.0), "average": (ops.avg_pool2, 2.0), "l2": (ops.l2_pool2, 0.78)}


_PRODUCTS = 2.25  # multiplications of Winograd's convolution for each pair of channels, a pixel
_VALUE = 190  # multiplications in the time that it takes to read and write a value of a map, forth and back


class PlannedOp(NamedTuple):
    """One op of a pass through the network: ``x = op(x, *parameters, **settings)``."""

    op: Callable[..., Any]
    layer: str = ""  # whose kernel and bias are the parameters; "" for an op that has none
    settings: Mapping[str, Any] = MappingProxyType({})
    features: str = ""  # the name of the features that x is after this op; "" where nobody wants them


def plan(
    layers: Sequence[str],
    wanted: Collection[str],
    *,
    pooling: str = "max",
    pooling_factor: float | None = None,
    padding: str = "zero",
) -> list[PlannedOp]:
    """The ops that lead from the normalised image through ``layers``, in their order; settings as in ``walk``.

    ``wanted`` are canonical names, those of features before ReLU among them. Where a map is not wanted itself, ReLU and
    max pooling are done together with the convolution, which then keeps less for the backward pass.
    """
    pool, own_factor = POOLINGS[pooling]
    factor = own_factor if pooling_factor is None else pooling_factor
    padded = bool(layers) and padding != "zero"  # by an op of its own; the first convolution then adds no zeros
    steps = [PlannedOp(ops.pad, settings={"width": 1, "mode": padding})] if padded else []
    for name, following in zip(layers, (*layers, "")[1:], strict=True):  # each layer with the one after it
        if name.endswith("_pool"):
            if steps[-1].op is not ops.conv_relu_pool2:
                steps.append(PlannedOp(pool))
            if factor != 1.0:
                steps.append(PlannedOp(ops.scale, settings={"factor": factor}))
        elif name + LINEAR in wanted:
            steps.append(PlannedOp(ops.conv2d, name, {"valid": padded}, features=name + LINEAR))
            if name in wanted or following:
                steps.append(PlannedOp(ops.relu))
        elif pooling == "max" and following.endswith("_pool") and name not in wanted:
            steps.append(PlannedOp(ops.conv_relu_pool2, name))
        else:
            steps.append(PlannedOp(ops.conv_relu, name, {"caller_keeps": name in wanted, "valid": padded}))
        if name in wanted:
            steps[-1] = steps[-1]._replace(features=name)
        padded = False
    return [*map(_told, steps, [*steps[1:], PlannedOp(ops.relu)])]


def _told(step: PlannedOp, following: PlannedOp) -> PlannedOp:
    """A map that only a convolution reads may be one in half precision."""
    if step.features or not following.layer or step.op not in (ops.conv_relu, ops.conv_relu_pool2):
        return step
    return step._replace(settings={**step.settings, "half": True})


class Network:
    """A VGG on a device, ready to compute features of images (H, W, 3), RGB, 0..255.

    It owns its normalisation: the mean is subtracted as the first step; scale and channel order are folded into the
    first kernel (that is exact, since zero padding comes after the mean).

    ``precision``: how an objective multiplies on a GPU, one of ``PRECISIONS``; None: as the caller has it,
    which is "tf32" unless he says otherwise. Raises WeightsError when the weights are not those of the network that
    they name, DeviceError for a precision that the GPU does not have.
    """

    def __init__(
        self, weights: Weights, device: Device = CPU, dtype: Any = np.float32, precision: str | None = None
    ) -> None:
        if device.name == "gpu":
            check_precision(precision)
        self.name, self.device, self.dtype, self.precision = weights.network, device, np.dtype(dtype), precision
        self.source = weights.source
        # Grey levels (of 0..255) in one unit of the input: 1 for Caffe's weights, about 58 for torchvision's.
        self.unit = float(np.mean(weights.std))
        if weights.network not in BLOCKS:
            raise WeightsError(f"unknown network {weights.network!r}: known are {', '.join(BLOCKS)}")
        every_layer = layer_names(weights.network)
        convolutions = [name for name in every_layer if "conv" in name]
        require(list(weights.layers) == convolutions[: len(weights.layers)], f"layers of {self.name}",
                f"{convolutions[0]} and those that follow it without a gap", ", ".join(weights.layers),
                WeightsError)  # fmt: skip
        end = every_layer.index(list(weights.layers)[-1]) + 1
        if end < len(every_layer) and every_layer[end].endswith("_pool"):
            end += 1
        self.layers = every_layer[:end]
        self.mean_color = tuple(float(value) for value in weights.mean)  # RGB
        self._minus_mean = device.asarray(-np.asarray(weights.mean, dtype=np.float64), self.dtype)
        self._parameters = {}
        for name, (kernel, bias) in weights.layers.items():
            if name == convolutions[0]:
                kernel = _first_kernel(kernel, weights)
            self._parameters[name] = (Kernel(device.asarray(kernel, self.dtype)), device.asarray(bias, self.dtype))
        self._projections = {n: device.asarray(matrix, self.dtype) for n, matrix in weights.projections.items()}

    def __repr__(self) -> str:
        kind = f"small network in place of {self.name}" if self.small else self.name
        return f"Network({kind}, up to {self.layers[-1]}, {self.dtype.name}, {self.device.name})"

    def multiplying(self, precision: str | None) -> Network:
        """The same network, its kernels shared, with another ``precision``."""
        other = copy.copy(self)
        other.precision = precision
        return other

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

        ``image`` is an array on the network's device or a Var of one. ``pooling`` is one of POOLINGS;
        ``pooling_factor`` multiplies after it (None: the pooling's own factor). ``padding`` is how the first
        convolution continues the image, one of PADDINGS: "zero" is the mean colour, which is 0 after normalisation.
        The other convolutions always pad with zeros.

        Nothing past the last layer is computed, and a map that the caller drops is freed. Where the weights have a
        projection for a layer, the caller gets a ``Projected`` map; the next layer reads the map as it is.
        Raises LayerError for a layer the network does not have, ShapeError for an image too small to be pooled, or to
        be reflected.
        """
        # One name for the map in hand: rebinding it frees the previous map as soon as it has been read.
        x = self.normalized(image)
        steps = self.steps(layers, x.shape[:2], pooling=pooling, pooling_factor=pooling_factor, padding=padding)
        for step in steps:
            x = self.apply(step, x)
            if step.features:
                yield step.features, self.projected(step.features, x)

    def normalized(self, image: Any) -> Any:
        """The image (H, W, 3) as the first convolution takes it."""
        require(len(image.shape) == 3 and image.shape[2] == 3, "image", "(H, W, 3)", image.shape)
        return ops.add(image, self._minus_mean)

    def steps(
        self,
        layers: Iterable[str],
        size: tuple[int, int],
        *,
        pooling: str = "max",
        pooling_factor: float | None = None,
        padding: str = "zero",
    ) -> list[PlannedOp]:
        """The ops of ``walk``, from a normalised image of that (H, W); raises what it raises."""
        wanted = {self.check_layer(layer) for layer in layers}
        require(pooling in POOLINGS, "pooling", " or ".join(POOLINGS), repr(pooling), LayerError)
        require(padding in PADDINGS, "padding", " or ".join(PADDINGS), repr(padding), LayerError)
        needed = self._up_to_the_last(wanted, size)
        return plan(needed, wanted, pooling=pooling, pooling_factor=pooling_factor, padding=padding)

    def apply(self, step: PlannedOp, x: Any) -> Any:
        """The map after one of the ``steps``."""
        return step.op(x, *self._parameters.get(step.layer, ()), **step.settings)

    def projected(self, layer: str, x: Any) -> Any:
        """The features that the map at a layer stands for: a ``Projected`` one where the weights have a projection."""
        return Projected(x, self._projections[layer]) if layer in self._projections else x

    def channel_share(self, layer: str) -> float:
        """K / C for a layer at which K coordinates (see ``Projected``) stand for a VGG's C channels; elsewhere 1."""
        if layer not in self._projections:
            return 1.0
        return float(self._projections[layer].shape[1] / CHANNELS[block_of(layer) - 1])

    def work(self, layers: Iterable[str]) -> float:
        """About how long it takes to compute features at ``layers`` and go back, a pixel: in multiplications.

        A value of a map that is read or written counts as many as it takes the time of: measured on a CPU.
        """
        last = max((self.layers.index(self.check_layer(name).removesuffix(LINEAR)) for name in layers), default=-1)
        total, share = 0.0, 1.0  # of the image's pixels
        for name in self.layers[: last + 1]:
            if name.endswith("_pool"):
                share /= 4
                continue
            *_, cin, cout = self._parameters[name][0].shape
            total += share * (cin * cout * _PRODUCTS + (cin + cout) * _VALUE)
        return total

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
            known = f"known are {', '.join(self.layers)}"
            if computed not in self.layers and computed in layer_names(self.name):
                known = f"these weights end at {self.layers[-1]}; for all: python -m minstyle.weights fetch {self.name}"
            raise LayerError(f"unknown layer {layer!r} of {self.name}: {known}")
        return name

    def check_loss_layer(self, layer: str) -> str:
        """``check_layer``, for a layer that a loss reads.

        Also raises LayerError where a small network has no projection: its own features stand for none of the VGG's.
        """
        name = self.check_layer(layer)
        if self.small and name not in self._projections:
            known = ", ".join(self._projections)
            raise LayerError(f"a small network stands in for {self.name} at {known} only, got layer {layer!r}. "
                             f"For others take {self.name} itself")  # fmt: skip
        return name

    def has_loss_layer(self, layer: str) -> bool:
        """Whether ``check_loss_layer`` raises nothing."""
        with contextlib.suppress(LayerError):
            return bool(self.check_loss_layer(layer))
        return False

    def channels(self, layer: str) -> int:
        """Channels of a convolution's map, by its canonical name."""
        return int(self._parameters[layer][0].shape[3])

    @property
    def first_channels(self) -> int:
        """Channels of the first layer's map, the largest of all."""
        return self.channels(self.layers[0])

    @property
    def anatomy(self) -> tuple[Hashable, ...]:
        """What networks have in common whose passes take the same memory: all but their numbers."""
        kernels = tuple(kernel.shape for kernel, _ in self._parameters.values())
        projections = tuple((name, matrix.shape) for name, matrix in self._projections.items())
        return self.name, kernels, projections, self.dtype, self.device.name, self.precision

    @property
    def small(self) -> bool:
        """Whether this is a small network that imitates the one it is named after."""
        return bool(self._projections)


def _first_kernel(kernel: Array, weights: Weights) -> Array:
    """The first kernel for input in RGB that has not been divided by std."""
    if weights.channel_order == "BGR":
        kernel = kernel[:, :, ::-1]
    return kernel.astype(np.float64) / np.asarray(weights.std)[:, None]
