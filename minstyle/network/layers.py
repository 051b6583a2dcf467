"""The layers of VGG16 and VGG19 (Simonyan, Zisserman 2014): names, order, widths."""

from __future__ import annotations

import re

from ..errors import LayerError

# Convolutions in each of the five blocks, and their channels.
BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)

_SYNONYM = re.compile(r"(?:relu([1-5])_([1-9])|conv([1-5])_([1-9])(_linear)?|pool([1-5]))")


def layer_names(network: str) -> tuple[str, ...]:
    """All layers of "vgg16" or "vgg19" in order: block1_conv1, block1_conv2, block1_pool, ... Raises LayerError."""
    if network not in BLOCKS:
        raise LayerError(f"unknown network {network!r}: known are {', '.join(BLOCKS)}")
    names = []
    for block, count in enumerate(BLOCKS[network], start=1):
        names += [f"block{block}_conv{i}" for i in range(1, count + 1)] + [f"block{block}_pool"]
    return tuple(names)


def canonical(layer: str) -> str:
    """``conv1_1`` and ``relu1_1`` -> ``block1_conv1``, ``pool1`` -> ``block1_pool``; any other name as it is.

    ``conv1_1_linear`` -> ``block1_conv1_linear``.
    """
    match = _SYNONYM.fullmatch(layer)
    if match is None:
        return layer
    relu_block, relu_number, block, number, linear, pool = match.groups()
    if pool:
        return f"block{pool}_pool"
    return f"block{block or relu_block}_conv{number or relu_number}{linear or ''}"
