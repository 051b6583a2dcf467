"""The layers of VGG16 and VGG19 (Simonyan, Zisserman 2014, table 1, columns D and E): names, order, channels.

Names are those of Keras; what the papers and other programs write means the same:

    block1_conv1          conv1_1, relu1_1     first convolution of block 1: its features after ReLU
    block1_conv1_linear   conv1_1_linear       the same before ReLU
    block1_pool           pool1                after the pooling that ends block 1
"""

from __future__ import annotations

import re

from ..errors import LayerError

# Convolutions in each of the five blocks, and their channels.
BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)
LINEAR = "_linear"  # ends the name of a convolution's features before ReLU

_SYNONYM = re.compile(r"(?:relu([1-5])_([1-9])|conv([1-5])_([1-9])(_linear)?|pool([1-5]))")


def layer_names(network: str) -> tuple[str, ...]:
    """All layers of "vgg16" or "vgg19" in order: block1_conv1, block1_conv2, block1_pool, ... Raises LayerError."""
    if network not in BLOCKS:
        raise LayerError(f"unknown network {network!r}: known are {', '.join(BLOCKS)}")
    names = []
    for block, count in enumerate(BLOCKS[network], start=1):
        names += [f"block{block}_conv{i}" for i in range(1, count + 1)] + [f"block{block}_pool"]
    return tuple(names)


def block_of(layer: str) -> int:
    """The number, 1..5, of the block that a layer belongs to, by its canonical name."""
    return int(layer.removeprefix("block")[0])


def canonical(layer: str) -> str:
    """Keras's name of a layer: ``relu1_1`` -> ``block1_conv1``, ``pool1`` -> ``block1_pool``; others as they are."""
    match = _SYNONYM.fullmatch(layer)
    if match is None:
        return layer
    relu_block, relu_number, block, number, linear, pool = match.groups()
    if pool:
        return f"block{pool}_pool"
    return f"block{block or relu_block}_conv{number or relu_number}{linear or ''}"


def halvings(layer: str) -> int:
    """How often the image was pooled where a layer is, by its canonical name."""
    return block_of(layer) - 1 + layer.endswith("_pool")
